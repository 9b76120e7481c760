package primitive

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// What others have stored must open for ever: these are its bytes. A test here that fails means a new label or version, never new bytes.

const (
	bound = "\x00\x00\x00\x1dtrstctl transit ciphertext v1" + // label
		"\x00\x00\x00\x10\x01\x02\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // UID
		"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07" + // version
		"\x00\x00\x00\x06tenant" + // place
		"\x00\x00\x00\x06row 12" // associated data
	context = "\x00\x00\x00\x09user 4711"
)

func TestWhatIsAuthenticated(t *testing.T) {
	w := terms()
	require.Equal(t, bound, string(w.appendTo(nil, cipherLabel)))
	require.Equal(t, len(bound), w.size(cipherLabel))
	empty := Terms{}
	require.Len(t, empty.appendTo(nil, ""), empty.size(""))
}

// TestACiphertextByItsDefinition makes one from the standard library alone.
func TestACiphertextByItsDefinition(t *testing.T) {
	k, w := fixed(t, AES256GCM), ways()["derived and convergent"]
	hk := func(label string) []byte {
		b, err := hkdf.Key(sha256.New, k.secret, nil, label+context, 32)
		require.NoError(t, err)
		return b
	}
	h := hmac.New(sha256.New, hk("\x00\x00\x00\x23trstctl transit convergent nonce v1"))
	h.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x09user 4711"))
	h.Write(append([]byte{0, 0, 0, 0, 0, 0, 0, byte(len(bound))}, bound...))
	h.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x09plaintext"))
	nonce := h.Sum(nil)[:12]
	block, err := aes.NewCipher(hk("\x00\x00\x00\x1etrstctl transit derived key v1"))
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	want := AppendToken(nil, 7, gcm.Seal(bytes.Clone(nonce), nonce, []byte("plaintext"), []byte(bound)))
	got, err := k.Encrypt(nil, w, []byte("plaintext"))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestCiphertextsThatWereStored(t *testing.T) {
	for _, c := range []struct {
		alg        Algorithm
		way, token string
	}{
		{AES256GCM, "convergent", "trv:7:dQ+cJCUGGoi0OGtMlnOS39c/X4DzCYAoHRiimNGybRFukVJRsA=="},
		{AES256GCM, "derived and convergent", "trv:7:GyFbl2uqDkxQIV2fwwv8C6m9gVqgVp3cOs1dg4FM6T/SYt/bMQ=="},
		{AES128GCM, "derived and convergent", "trv:7:hQKgsywFfbLwxZ7Xqzxk6C47HJI972mMFxm3RSxE/h+pdiNPSw=="},
		{ChaCha20Poly1305, "derived and convergent", "trv:7:GyFbl2uqDkxQIV2fR5ed5Gb1j4xbvtl0eRB5DHXO9A+OtAt0QQ=="},
		{XChaCha20Poly1305, "convergent", "trv:7:dQ+cJCUGGoi0OGtMUvwvAv2ts+HndM2QAhbkYa9M19k6Gfjnh4K35YRp/Sx6fV5GpA=="},
	} {
		k, w := fixed(t, c.alg), ways()[c.way]
		got, err := k.Encrypt(nil, w, []byte("plaintext"))
		require.NoError(t, err)
		require.Equal(t, c.token, string(got))
		token, err := ParseToken(nil, got)
		require.NoError(t, err)
		plaintext, err := k.Decrypt(nil, w, token.Payload)
		require.NoError(t, err)
		require.Equal(t, "plaintext", string(plaintext))
	}
}

func TestMACsThatWereStored(t *testing.T) {
	for a, want := range map[Algorithm]string{
		AES256GCM: "3b25157ec2378ba32a15234d123aaee33a51129db67c5e3e01c98d73254780af",
		Ed25519:   "3b25157ec2378ba32a15234d123aaee33a51129db67c5e3e01c98d73254780af",
		ECDSAP256: "3b25157ec2378ba32a15234d123aaee33a51129db67c5e3e01c98d73254780af",
		MLKEM768:  "4fa70aaa1412e17eb9cbab7160cfe96db1b863096ffef84a6aedb3da04c39d4d",
	} {
		got, err := fixed(t, a).MAC(nil, 0, []byte("message"))
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(got), a)
	}
}

func TestDataKeysThatWereStored(t *testing.T) {
	k, w := fixed(t, MLKEM768), terms()
	shared, ciphertext, err := mlkemtest.Encapsulate768(k.kem.EncapsulationKey(), bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	dataKey, confirm, err := expand(shared, ciphertext, &w, 32)
	require.NoError(t, err)
	require.Equal(t, "ae1175c95075e31077217e7ca34db17f90fd1a6b362bc84624d1efd9b12209c6", hex.EncodeToString(dataKey))
	got, err := k.Decapsulate(w, 32, append(ciphertext, confirm...))
	require.NoError(t, err)
	require.Equal(t, dataKey, got)
	info := string(append(w.appendTo(nil, dataKeyLabel), append([]byte("\x00\x00\x04\x40"), append(ciphertext, 0, 0, 0, 32)...)...))
	want, err := hkdf.Key(sha256.New, shared, nil, info, 32)
	require.NoError(t, err)
	require.Equal(t, want, dataKey, "by its definition")
}

func TestTheFormAtRest(t *testing.T) {
	numbers := map[Algorithm]byte{AES256GCM: 1, AES128GCM: 2, ChaCha20Poly1305: 3, XChaCha20Poly1305: 4, Ed25519: 5, ECDSAP256: 6, ECDSAP384: 7, ECDSAP521: 8,
		RSA2048: 9, RSA3072: 10, RSA4096: 11, HMACSHA256: 12, HMACSHA384: 13, HMACSHA512: 14, MLKEM768: 15}
	for _, a := range Algorithms() {
		require.Equal(t, numbers[a], byte(a))
	}
	require.Equal(t, "0105000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", hex.EncodeToString(marshal(t, fixed(t, Ed25519))))
}
