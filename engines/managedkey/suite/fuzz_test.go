package suite

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// FuzzParse wants a refusal that says nothing new, or a key that comes back as it came.
func FuzzParse(f *testing.F) {
	for _, k := range everyKey(f) {
		for _, format := range k.Formats() {
			b, err := k.Block(format)
			require.NoError(f, err)
			f.Add(uint32(b.Class), uint32(format), uint32(b.Algorithm), b.Length, b.Material, append(b.Fields.Key, append(b.Fields.D, b.Fields.QString...)...), b.Fields.Modulus)
		}
	}
	f.Fuzz(func(t *testing.T, class, format, algorithm uint32, length int, material, field, modulus []byte) {
		b := Block{Class: Class(class), Format: Format(format), Algorithm: Algorithm(algorithm), Length: length, Material: material}
		b.Fields = Fields{Key: field, D: field, QString: field, Curve: P256, Modulus: modulus, PublicExponent: []byte{1, 0, 1}, P: field, Q: field, PrivateExponent: field}
		k, err := Parse(b)
		if err != nil {
			classified(t, err)
			return
		}
		require.Equal(t, b.Material, k.source.Material)
		for _, g := range k.Formats() {
			got, err := k.Block(g)
			if err == nil && k.Usable() {
				require.True(t, k.same(parse(t, got)))
			}
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add(someCertificate(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := ParseCertificate(der)
		if err != nil {
			classified(t, err)
			return
		}
		if _, err := c.PublicKey(); err != nil {
			classified(t, err)
		}
	})
}

// FuzzDecrypt changes parameters and message, and puts plaintexts through.
func FuzzDecrypt(f *testing.F) {
	keys := []*Key{symmetric(f, AES, make([]byte, 16)), symmetric(f, TripleDES, make([]byte, 24)), symmetric(f, ChaCha20Poly1305, make([]byte, 32)), rsaKey(f)}
	for i := range keys {
		for mode := range uint32(0x14) {
			f.Add(byte(i), mode, uint32(PKCS5), 0, 0, make([]byte, 256), make([]byte, 16), []byte("aad"), make([]byte, 16))
		}
	}
	f.Add(byte(3), uint32(0), uint32(OAEP), 0, 0, make([]byte, 256), []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, which byte, mode, padding uint32, tag, counter int, data, iv, aad, given []byte) {
		k := keys[int(which)%len(keys)]
		p := Params{Mode: Mode(mode), Padding: Padding(padding), TagLength: tag, CounterLength: counter, InitialCounter: &tag, Hash: SHA256, Allow: Allow(which)}
		_, err := Decrypt(k, p, Message{Data: data, IV: iv, AAD: aad, Tag: given})
		if err != nil {
			classified(t, err)
		}
		if k.class != SymmetricKey {
			return
		}
		p.RandomIV = true
		c, err := Encrypt(k, p, Message{Data: data, IV: iv, AAD: aad})
		if err != nil {
			classified(t, err)
			return
		}
		if c.IV != nil {
			iv = c.IV
		}
		back, err := Decrypt(k, p, Message{Data: c.Data, IV: iv, AAD: aad, Tag: c.Tag})
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, back) || p.Padding == Zeros && bytes.HasPrefix(data, back))
	})
}

func FuzzUnwrap(f *testing.F) {
	kek := symmetric(f, AES, make([]byte, 16))
	for _, m := range []Mode{NISTKeyWrap, AESKeyWrapPadding} {
		wrapped, err := Wrap(kek, Encrypted, Params{Mode: m}, make([]byte, 24))
		require.NoError(f, err)
		f.Add(uint32(m), wrapped)
	}
	f.Fuzz(func(t *testing.T, mode uint32, data []byte) {
		p := Params{Mode: Mode(mode)}
		if _, err := Unwrap(kek, Encrypted, p, data); err != nil && err != ErrFailed {
			classified(t, err)
		}
		wrapped, err := Wrap(kek, Encrypted, p, data)
		if err != nil {
			classified(t, err)
			return
		}
		back, err := Unwrap(kek, Encrypted, p, wrapped)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, back))
	})
}

func FuzzVerify(f *testing.F) {
	private := []*Key{ecKey(f, P256), ecKey(f, SECP256K1), rsaKey(f), edKey(f)}
	for i, k := range private {
		signature, err := Sign(k, Params{Padding: PSS, Hash: SHA256}, Signed{Data: []byte("data")})
		require.NoError(f, err)
		f.Add(byte(i), uint32(PSS), uint32(SHA256), uint32(0), []byte("data"), signature)
	}
	f.Fuzz(func(t *testing.T, which byte, padding, hash, name uint32, data, signature []byte) {
		k := private[int(which)%len(private)]
		p := Params{Padding: Padding(padding), Hash: Hash(hash), Signature: SignatureAlgorithm(name)}
		if _, err := VerifySignature(public(t, k), p, Signed{Data: data}, signature); err != nil {
			classified(t, err)
		}
	})
}

func FuzzJoin(f *testing.F) {
	for _, s := range splits()[:4] {
		parts, prime, err := SplitKey([]byte("a key to be split"[:16]), s)
		require.NoError(f, err)
		f.Add(uint32(s.Method), s.Parts, s.Threshold, 16, prime, 1, parts[0].Data, 2, parts[1].Data, 3, parts[2].Data)
	}
	f.Fuzz(func(t *testing.T, method uint32, n, k, size int, prime []byte, i int, a []byte, j int, b []byte, l int, c []byte) {
		s := Split{Method: Sharing(method), Parts: n, Threshold: k, Prime: prime, Size: size}
		key, err := JoinKey([]Part{{i, a}, {j, b}, {l, c}}, s)
		if err != nil {
			require.True(t, fault.Is(err, fault.Invalid))
			return
		}
		require.NotEmpty(t, key)
	})
}

func FuzzDerive(f *testing.F) {
	f.Add(uint32(HKDF), uint32(SHA256), uint32(0), uint32(0), 0, 0, 16, []byte("base"), []byte("data"), []byte("salt"), []byte{})
	f.Add(uint32(Feedback108), uint32(0), uint32(CMAC), uint32(AES), 8, 0, 600, make([]byte, 16), []byte("data"), []byte{}, []byte("iv"))
	f.Add(uint32(EncryptMethod), uint32(0), uint32(CTR), uint32(AES), 32, 0, 16, make([]byte, 16), make([]byte, 32), []byte{}, make([]byte, 12))
	f.Fuzz(func(t *testing.T, method, hash, mode, algorithm uint32, counter, iterations, size int, base, data, salt, iv []byte) {
		d := Derivation{Method: Method(method), Params: Params{Hash: Hash(hash), Mode: Mode(mode), Algorithm: Algorithm(algorithm), CounterLength: counter}, Data: data, Salt: salt, IV: iv,
			Iterations: iterations % 100}
		got, err := Derive(base, d, size)
		if err != nil {
			classified(t, err)
			return
		}
		require.Len(t, got, size)
	})
}
