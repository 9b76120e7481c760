package primitive

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Hash is a hash function. Its zero value is "what goes with the key".
type Hash uint8

// The hash functions (FIPS 180-4, FIPS 202). Signatures, OAEP and MACs take SHA256, SHA384 and SHA512; OAEP takes SHA1 besides, which is no weakness
// there and is all that some HSMs can do; no digest of SHA1 is made for anybody.
const (
	SHA224 Hash = iota + 1
	SHA256
	SHA384
	SHA512
	SHA3_224
	SHA3_256
	SHA3_384
	SHA3_512
	SHA1
)

// MaxRandom is the most that Random returns at once, in bytes.
const MaxRandom = 128 << 10

var hashes = [...]struct {
	name string
	in   crypto.Hash
	new  func() hash.Hash
}{
	SHA224:   {"sha2-224", crypto.SHA224, sha256.New224},
	SHA256:   {"sha2-256", crypto.SHA256, sha256.New},
	SHA384:   {"sha2-384", crypto.SHA384, sha512.New384},
	SHA512:   {"sha2-512", crypto.SHA512, sha512.New},
	SHA3_224: {"sha3-224", crypto.SHA3_224, func() hash.Hash { return sha3.New224() }},
	SHA3_256: {"sha3-256", crypto.SHA3_256, func() hash.Hash { return sha3.New256() }},
	SHA3_384: {"sha3-384", crypto.SHA3_384, func() hash.Hash { return sha3.New384() }},
	SHA3_512: {"sha3-512", crypto.SHA3_512, func() hash.Hash { return sha3.New512() }},
	SHA1:     {"sha1", crypto.SHA1, sha1.New},
}

// ParseHash returns the hash with this name: sha2-224 to sha2-512, sha3-224 to sha3-512, sha1.
func ParseHash(name string) (Hash, error) {
	for h := SHA224; h.known(); h++ {
		if hashes[h].name == name {
			return h, nil
		}
	}
	return 0, fault.Bad("hash", "no such hash: sha2-224, sha2-256, sha2-384, sha2-512 and sha3-224 to sha3-512 are")
}

// UnmarshalText reads a name as ParseHash does.
func (h *Hash) UnmarshalText(name []byte) (err error) {
	*h, err = ParseHash(string(name))
	return err
}

// Describe names what is wanted.
func (Hash) Describe() string { return "the name of a hash, such as sha2-256," }

// String returns the name: "sha2-256".
func (h Hash) String() string {
	if !h.known() {
		return "unknown"
	}
	return hashes[h].name
}

// Size is the digest's in bytes, 0 of the zero Hash.
func (h Hash) Size() int {
	if !h.known() {
		return 0
	}
	return hashes[h].in.Size()
}

// Sum appends the digest of data to dst.
func Sum(dst []byte, h Hash, data []byte) ([]byte, error) {
	if !h.known() || h == SHA1 {
		return nil, fault.Bad("hash", "%s makes no digests here: sha2-224 to sha2-512 and sha3-224 to sha3-512 do", h)
	}
	state := hashes[h].new()
	defer state.Reset()
	state.Write(data)
	return state.Sum(dst), nil
}

// Random returns n bytes, 1 to MaxRandom, of the operating system's generator. They are the caller's to wipe.
func Random(n int) ([]byte, error) {
	if n < 1 || n > MaxRandom {
		return nil, fault.Bad("bytes", "1 to %d random bytes can be had at once", MaxRandom)
	}
	b := make([]byte, n)
	rand.Read(b)
	return b, nil
}

func (h Hash) known() bool { return h >= SHA224 && int(h) < len(hashes) }

// forKeys returns h, or otherwise if h is zero; keys hash with the three that this lets through.
func (h Hash) forKeys(otherwise Hash) (Hash, error) {
	if h == 0 {
		h = otherwise
	}
	if h != SHA256 && h != SHA384 && h != SHA512 {
		return 0, fault.Bad("hash", "%s does not go with a key: sha2-256, sha2-384 and sha2-512 do", h)
	}
	return h, nil
}
