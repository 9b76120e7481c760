package suite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// TestWaysAreWhatTheOperationsDo tries every combination there could be: what is listed is done, what is not is refused.
func TestWaysAreWhatTheOperationsDo(t *testing.T) {
	listed := map[Way]bool{}
	for _, w := range Ways() {
		require.False(t, listed[w], "%+v", w)
		listed[w] = true
	}
	material := random(24)
	keys := map[Algorithm]*Key{AES: symmetric(t, AES, material), TripleDES: symmetric(t, TripleDES, material), ChaCha20Poly1305: symmetric(t, ChaCha20Poly1305, random(32)),
		HMACSHA256: symmetric(t, HMACSHA256, material), ChaCha20: symmetric(t, ChaCha20, random(32)), RSA: public(t, rsaKey(t)), EC: public(t, ecKey(t, P256)), Ed25519: public(t, edKey(t))}
	for a, k := range keys {
		for mode := Mode(0); mode < 0x14; mode++ {
			for padding := Padding(0); padding < 0x0c; padding++ {
				p := Params{Mode: mode, Padding: padding, RandomIV: true, Hash: SHA256, Allow: PKCS1v15Decryption}
				w := Way{Algorithm: a, Mode: mode, Padding: padding}
				if padding == OAEP {
					w.Hash = SHA256
				}
				_, err := Encrypt(k, p, Message{Data: make([]byte, 16)})
				w.Use = ToEncrypt
				if padding == 0 && k.class == SymmetricKey {
					w.Padding = NoPadding
				}
				require.Equal(t, listed[w], err == nil, "%+v: %v", w, err)
				w.Use, w.Padding = ToWrap, padding
				if a != RSA {
					w.Padding, w.Hash = 0, 0
				}
				_, err = Wrap(k, Encrypted, p, make([]byte, 16))
				require.Equal(t, listed[w], err == nil, "%+v: %v", w, err)
			}
		}
		for h := Hash(0); h < 0x12; h++ {
			for _, padding := range []Padding{0, PKCS1v15, PSS, OAEP} {
				w := Way{Use: ToVerify, Algorithm: a, Padding: padding, Hash: h}
				done := false
				for l := range listed {
					done = done || (l.Use == ToVerify || l.Use == ToSign) && l.Algorithm == a && l.Padding == padding && l.Hash == h
				}
				_, err := VerifySignature(k, Params{Padding: padding, Hash: h}, Signed{}, nil)
				if a == RSA {
					require.Equal(t, done, err == nil, "%+v: %v", w, err)
				} else if done {
					require.NoError(t, err)
				}
			}
		}
	}
}

func TestDerivationsAreListed(t *testing.T) {
	for _, w := range Ways() {
		if w.Use != ToDerive || w.Method == AsymmetricKey {
			continue
		}
		d := Derivation{Method: w.Method, Params: Params{Hash: w.Hash, Algorithm: w.Algorithm}}
		switch w.Method {
		case PBKDF2:
			d.Salt, d.Iterations = []byte("salt"), 1
		case HMACMethod:
			d.Data = []byte("data")
		case EncryptMethod:
			d.Data, d.Params.Mode, d.Params.Algorithm = make([]byte, 32), ECB, AES
		}
		_, err := Derive(make([]byte, 16), d, 16)
		require.NoError(t, err, "%+v", w)
	}
	for m := Method(0); m < 0x0c; m++ {
		_, err := Derive(make([]byte, 16), Derivation{Method: m, Params: Params{Hash: SHA256}}, 16)
		if m == 0 || m == AsymmetricKey || m > HKDF || m == 9 {
			require.True(t, fault.Is(err, fault.Invalid))
		}
	}
}
