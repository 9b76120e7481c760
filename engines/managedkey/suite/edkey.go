package suite

import (
	"bytes"
	"crypto/ed25519"
)

// Ed25519 keys (RFC 8032): the seed and the public key in 32 raw bytes, PKCS#8 and X.509 as RFC 8410 has them.

const edBits = 256

// takeEd takes the seed of a private key or the bytes of a public one. Whether those are a point shows when a signature is verified, by its failing.
func (k *Key) takeEd(b []byte) error {
	if len(b) != ed25519.SeedSize {
		return badMaterial()
	}
	if k.class == PrivateKey {
		k.ed = ed25519.NewKeyFromSeed(b)
		k.edPublic = k.ed.Public().(ed25519.PublicKey)
	} else {
		k.edPublic = bytes.Clone(b)
	}
	return k.settle(Ed25519, edBits)
}

func (k *Key) readEdRaw() error {
	if k.alg != Ed25519 {
		return badFormat()
	}
	return k.takeEd(k.source.Material)
}

func (k *Key) writeEdRaw(b *Block) error {
	b.Material = bytes.Clone(k.edPublic)
	if k.class == PrivateKey {
		b.Material = bytes.Clone(k.ed[:ed25519.SeedSize])
	}
	return nil
}
