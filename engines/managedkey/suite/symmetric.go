package suite

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The sizes of keys that MAC, in bytes. Less than 8 is no secret; more than a kilobyte is hashed away.
const minMAC, maxMAC = 8, 1024

// symmetrics are the symmetric algorithms that something is done with, with the sizes of their keys in bytes; none stands for minMAC to maxMAC.
var symmetrics = map[Algorithm][]int{
	AES: {16, 24, 32}, TripleDES: {16, 24}, ChaCha20: {32}, ChaCha20Poly1305: {32},
	HMACSHA1: nil, HMACSHA224: nil, HMACSHA256: nil, HMACSHA384: nil, HMACSHA512: nil,
	HMACSHA3_224: nil, HMACSHA3_256: nil, HMACSHA3_384: nil, HMACSHA3_512: nil,
}

// fits reports whether a key of the algorithm may have so many bytes.
func fits(a Algorithm, size int) bool {
	sizes, known := symmetrics[a]
	if sizes == nil {
		return known && size >= minMAC && size <= maxMAC
	}
	return slices.Contains(sizes, size)
}

// length is the Cryptographic Length of a key of so many bytes. 3DES has parity bits, which KMIP does not count.
func length(a Algorithm, size int) int {
	if a == TripleDES {
		return 7 * size
	}
	return 8 * size
}

// sizeOf is the inverse of length, 0 if there is none. Clients that count the parity bits of 3DES are understood.
func sizeOf(a Algorithm, bits int) int {
	if bits > 8*maxMAC {
		return 0
	}
	for size := bits / 8; size <= bits/7; size++ {
		if fits(a, size) && (length(a, size) == bits || a == TripleDES && 8*size == bits) {
			return size
		}
	}
	return 0
}

func (k *Key) readSymmetric() error {
	material := k.source.Material
	switch {
	case k.source.Format == TransparentSymmetric:
		material = k.source.Fields.Key
	case k.source.Format != Raw:
		return badFormat()
	case k.alg == 0:
		return fault.Bad("cryptographic_algorithm", "say which algorithm the key is of")
	}
	size := len(material)
	if !fits(k.alg, size) || k.bits != 0 && sizeOf(k.alg, k.bits) != size {
		return badLength()
	}
	if k.bits == 0 {
		k.bits = length(k.alg, size)
	}
	k.secret, k.usable = bytes.Clone(material), true
	return nil
}

func (k *Key) writeRaw(b *Block) error {
	b.Material = bytes.Clone(k.secret)
	return nil
}

func (k *Key) writeTransparent(b *Block) error {
	b.Fields.Key = bytes.Clone(k.secret)
	return nil
}

// GenerateSymmetric makes a key for Create (KMIP 1.4, section 4.1): AES of 128, 192 or 256 bits, 3DES of 112 or 168 (with odd parity), ChaCha20 and
// ChaCha20Poly1305 of 256, HMAC keys of 112 to 8192 in whole bytes.
func GenerateSymmetric(a Algorithm, bits int) (*Key, error) {
	sizes, known := symmetrics[a]
	if !known {
		return nil, fault.Bad("cryptographic_algorithm", "symmetric keys of this algorithm are not made here")
	}
	size := sizeOf(a, bits)
	if size == 0 || sizes == nil && bits < 112 {
		return nil, badLength()
	}
	material := random(size)
	defer clear(material)
	if a == TripleDES {
		oddParity(material)
	}
	return Parse(Block{Class: SymmetricKey, Format: Raw, Algorithm: a, Length: length(a, size), Material: material})
}

// oddParity sets the lowest bit of each byte as SP 800-67, section 3.1, asks.
func oddParity(key []byte) {
	for i, b := range key {
		key[i] = b&^1 | byte(bits.OnesCount8(b&^1)&1^1)
	}
}
