package primitive

import (
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

// Each operation stands beside the direct call of the library in the same run: run all of them with -bench . -benchmem.

const kib = 1024

func measure(b *testing.B, call func()) {
	b.ReportAllocs()
	b.SetBytes(kib)
	for b.Loop() {
		call()
	}
}

func BenchmarkEncrypt(b *testing.B) {
	plaintext, buffer := make([]byte, kib), make([]byte, 0, 8*kib)
	for _, a := range aeads() {
		k := someKey(b, a)
		b.Run(a.String()+"/transit", func(b *testing.B) { measure(b, func() { k.Encrypt(buffer, terms(), plaintext) }) })
		b.Run(a.String()+"/direct", func(b *testing.B) { measure(b, func() { direct(k.aead, buffer, plaintext) }) })
	}
	w := ways()["derived and convergent"]
	b.Run("aes256-gcm/derived and convergent", func(b *testing.B) { measure(b, func() { someKey(b, AES256GCM).Encrypt(buffer, w, plaintext) }) })
}

// direct is a random nonce, then Seal.
func direct(aead cipher.AEAD, buffer, plaintext []byte) {
	nonce := buffer[:aead.NonceSize()]
	rand.Read(nonce)
	aead.Seal(nonce, nonce, plaintext, nil)
}

func BenchmarkDecrypt(b *testing.B) {
	buffer, decoded := make([]byte, 0, 8*kib), make([]byte, 0, 8*kib)
	for _, a := range aeads() {
		k := someKey(b, a)
		text, _ := k.Encrypt(nil, terms(), make([]byte, kib))
		b.Run(a.String()+"/transit", func(b *testing.B) {
			measure(b, func() {
				token, _ := ParseToken(decoded, text)
				k.Decrypt(buffer, terms(), token.Payload)
			})
		})
		nonce := make([]byte, k.aead.NonceSize())
		sealed := k.aead.Seal(nil, nonce, make([]byte, kib), nil)
		b.Run(a.String()+"/direct", func(b *testing.B) { measure(b, func() { k.aead.Open(buffer, nonce, sealed, nil) }) })
	}
}

func BenchmarkSign(b *testing.B) {
	input, buffer := make([]byte, kib), make([]byte, 0, kib)
	for _, a := range []Algorithm{Ed25519, ECDSAP256} {
		k := someKey(b, a)
		b.Run(a.String()+"/transit", func(b *testing.B) { measure(b, func() { k.Sign(buffer, Signing{}, input) }) })
		b.Run(a.String()+"/direct", func(b *testing.B) { measure(b, func() { signDirect(k, input) }) })
	}
}

func signDirect(k *Key, input []byte) []byte {
	if k.ed != nil {
		return ed25519.Sign(k.ed, input)
	}
	digest := sha256.Sum256(input)
	signature, _ := ecdsa.SignASN1(rand.Reader, k.ec, digest[:])
	return signature
}

func BenchmarkVerify(b *testing.B) {
	input := make([]byte, kib)
	for _, a := range []Algorithm{Ed25519, ECDSAP256} {
		k := someKey(b, a)
		signature, _ := k.Sign(nil, Signing{}, input)
		b.Run(a.String()+"/transit", func(b *testing.B) { measure(b, func() { k.Verify(Signing{}, input, signature) }) })
		b.Run(a.String()+"/direct", func(b *testing.B) {
			measure(b, func() {
				if k.ed != nil {
					ed25519.Verify(k.ed.Public().(ed25519.PublicKey), input, signature)
					return
				}
				digest := sha256.Sum256(input)
				ecdsa.VerifyASN1(&k.ec.PublicKey, digest[:], signature)
			})
		})
	}
}

func BenchmarkMAC(b *testing.B) {
	input, buffer := make([]byte, kib), make([]byte, 0, kib)
	for _, a := range []Algorithm{HMACSHA256, AES256GCM} {
		b.Run(a.String(), func(b *testing.B) { measure(b, func() { someKey(b, a).MAC(buffer, 0, input) }) })
	}
}
