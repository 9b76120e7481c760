package suite

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"

	"github.com/trstctl/trstctl/fsm/fault"
)

type hashing struct {
	id   Hash
	name string
	in   crypto.Hash
	new  func() hash.Hash
}

// hashes are FIPS 180-4 and FIPS 202. SHA-1 makes digests and MACs, is in OAEP, and verifies old signatures; it makes none. MD5 and RIPEMD-160 do nothing.
var hashes = []hashing{
	{SHA1, "SHA-1", crypto.SHA1, sha1.New},
	{SHA224, "SHA-224", crypto.SHA224, sha256.New224},
	{SHA256, "SHA-256", crypto.SHA256, sha256.New},
	{SHA384, "SHA-384", crypto.SHA384, sha512.New384},
	{SHA512, "SHA-512", crypto.SHA512, sha512.New},
	{SHA512_224, "SHA-512/224", crypto.SHA512_224, sha512.New512_224},
	{SHA512_256, "SHA-512/256", crypto.SHA512_256, sha512.New512_256},
	{SHA3_224, "SHA3-224", crypto.SHA3_224, func() hash.Hash { return sha3.New224() }},
	{SHA3_256, "SHA3-256", crypto.SHA3_256, func() hash.Hash { return sha3.New256() }},
	{SHA3_384, "SHA3-384", crypto.SHA3_384, func() hash.Hash { return sha3.New384() }},
	{SHA3_512, "SHA3-512", crypto.SHA3_512, func() hash.Hash { return sha3.New512() }},
}

// find returns the hash function.
func (h Hash) find() (hashing, error) {
	for _, f := range hashes {
		if f.id == h {
			return f, nil
		}
	}
	if h == 0 {
		return hashing{}, fault.Bad("hashing_algorithm", "say which hash: none is given and none goes with the key")
	}
	return hashing{}, fault.Bad("hashing_algorithm", "this hash is not done here: SHA-1, SHA-2 and SHA-3 are")
}

// Size is the digest's in bytes, 0 of a hash that is not done here.
func (h Hash) Size() int {
	f, err := h.find()
	if err != nil {
		return 0
	}
	return f.in.Size()
}

// String returns the name: "SHA-256".
func (h Hash) String() string {
	f, err := h.find()
	if err != nil {
		return "no hash that is done here"
	}
	return f.name
}

// Sum is the operation Hash (KMIP 1.4, section 4.37), for any hash that is done here.
func Sum(h Hash, data []byte) ([]byte, error) {
	f, err := h.find()
	if err != nil {
		return nil, err
	}
	if err := tooLong("data", data, MaxData); err != nil {
		return nil, err
	}
	return f.sum(data), nil
}

func (f hashing) sum(data ...[]byte) []byte {
	state := f.new()
	defer state.Reset()
	for _, d := range data {
		state.Write(d)
	}
	return state.Sum(nil)
}

// Digest is the value of the attribute Digest (KMIP 1.4, section 3.17) of material as it stands in the key block, with SHA256, SHA384 or SHA512.
func Digest(h Hash, material []byte) ([]byte, error) {
	if h != SHA256 && h != SHA384 && h != SHA512 {
		return nil, fault.Bad("hashing_algorithm", "digests of objects are SHA-256, SHA-384 or SHA-512")
	}
	return Sum(h, material)
}
