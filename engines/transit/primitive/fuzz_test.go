package primitive

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func FuzzParseToken(f *testing.F) {
	for _, text := range []string{"trv:1:AAAA", "trv:9007199254740991:AA==", "trv:01:AAAA", "trv:1:AB==", "trv:1:AA\nAA"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		token, err := ParseToken(nil, text)
		if err != nil {
			invalid(t, err)
			return
		}
		require.Equal(t, text, AppendToken(nil, token.Version, token.Payload), "one writing each")
		require.True(t, token.Version >= 1 && token.Version <= MaxVersion && len(token.Payload) > 0)
	})
}

// FuzzDecrypt changes terms and payload, and puts plaintexts through.
func FuzzDecrypt(f *testing.F) {
	f.Add(byte(0), []byte("payload"), []byte("associated"), []byte("context"))
	for i, a := range append(aeads(), RSA2048, MLKEM768) {
		w := terms()
		var payload []byte
		if a == MLKEM768 {
			_, payload, _ = someKey(f, a).Encapsulate(w, 32)
		} else {
			payload = encrypt(f, someKey(f, a), w, []byte("plaintext")).Payload
		}
		f.Add(byte(i), payload, w.Associated, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, which byte, data, associated, context []byte) {
		all := append(aeads(), RSA2048, MLKEM768)
		a := all[int(which)%len(all)]
		k, w := someKey(t, a), terms()
		w.Associated = associated
		if a.Can(ToDerive) {
			w.Context, w.Derived, w.Convergent = context, len(context) > 0, which&0x80 != 0
		}
		if a == MLKEM768 {
			_, err := k.Decapsulate(w, 32, data)
			oneError(t, err)
			return
		}
		_, err := k.Decrypt(nil, w, data)
		oneError(t, err)
		text, err := k.Encrypt(nil, w, data)
		if err != nil {
			require.True(t, fault.Is(err, fault.TooLarge))
			return
		}
		token, err := ParseToken(nil, text)
		require.NoError(t, err)
		got, err := k.Decrypt(nil, w, token.Payload)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	})
}

func oneError(t *testing.T, err error) {
	if err != nil && !fault.Is(err, fault.TooLarge) {
		require.Equal(t, ErrDecrypt, err)
	}
}

// FuzzVerify knows no signature of these inputs but its seeds, whose key no other run has.
func FuzzVerify(f *testing.F) {
	for i, a := range signers() {
		for j, s := range signings(a) {
			signature, err := someKey(f, a).Sign(nil, s, make([]byte, s.sizeFor(a)))
			require.NoError(f, err)
			f.Add(byte(i), byte(j), make([]byte, s.sizeFor(a)), signature)
		}
	}
	f.Fuzz(func(t *testing.T, which, how byte, input, signature []byte) {
		a := signers()[int(which)%len(signers())]
		ways := signings(a)
		s := ways[int(how)%len(ways)]
		good, err := someKey(t, a).Verify(s, input, signature)
		if err != nil {
			invalid(t, err)
			require.True(t, s.Prehashed)
		}
		if good {
			require.Empty(t, bytes.Trim(input, "\x00"))
		}
		_, err = someKey(t, a).VerifyMAC(0, input, signature)
		require.NoError(t, err)
	})
}

// sizeFor is how long an input may be.
func (s Signing) sizeFor(a Algorithm) int {
	if s.fill(a) != nil || !s.Prehashed {
		return 64
	}
	return s.Hash.Size()
}

// FuzzImport: what is taken does what keys do and comes back from its form at rest.
func FuzzImport(f *testing.F) {
	for _, a := range Algorithms() {
		for _, form := range []Format{Raw, PKCS8, PEM} {
			if material, err := someKey(f, a).Export(form); err == nil {
				f.Add(byte(a), material)
			}
		}
		f.Add(byte(a), someKey(f, a).secret)
		f.Add(byte(a), marshal(f, someKey(f, a)))
	}
	f.Fuzz(func(t *testing.T, which byte, material []byte) {
		if k, err := Unmarshal(material); err == nil {
			require.Equal(t, material, marshal(t, k))
		}
		k, err := Import(Algorithm(which), material)
		if err != nil {
			invalid(t, err)
			return
		}
		again, err := Unmarshal(marshal(t, k))
		require.NoError(t, err)
		require.Equal(t, marshal(t, k), marshal(t, again))
		if k.Algorithm().Can(ToSign) {
			signature, err := k.Sign(nil, Signing{}, material)
			require.NoError(t, err)
			good, err := again.Verify(Signing{}, material, signature)
			require.NoError(t, err)
			require.True(t, good)
		}
	})
}

// FuzzImportWrapped takes its input for a blob, and for material that was wrapped as it should be.
func FuzzImportWrapped(f *testing.F) {
	k := someKey(f, RSA2048)
	public, err := k.PublicPEM()
	require.NoError(f, err)
	for _, a := range []Algorithm{AES256GCM, Ed25519, ECDSAP256} {
		blob, err := WrapForImport(public, 0, someKey(f, a).secret)
		require.NoError(f, err)
		f.Add(byte(a), blob)
		f.Add(byte(a), someKey(f, a).secret)
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		_, err := k.ImportWrapped(Algorithm(which), 0, data)
		require.True(t, err == nil || fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge))
		blob, err := WrapForImport(public, 0, data)
		if err != nil {
			invalid(t, err)
			return
		}
		got, errWrapped := k.ImportWrapped(Algorithm(which), 0, blob)
		want, err := Import(Algorithm(which), data)
		require.Equal(t, err == nil, errWrapped == nil)
		if err == nil {
			require.Equal(t, marshal(t, want), marshal(t, got))
		}
	})
}
