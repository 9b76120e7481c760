package suite

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"

	"github.com/trstctl/trstctl/fsm/fault"
)

// hmacs are the algorithms whose keys MAC (RFC 2104), with their hashes.
var hmacs = []struct {
	alg  Algorithm
	hash Hash
}{
	{HMACSHA1, SHA1}, {HMACSHA224, SHA224}, {HMACSHA256, SHA256}, {HMACSHA384, SHA384}, {HMACSHA512, SHA512},
	{HMACSHA3_224, SHA3_224}, {HMACSHA3_256, SHA3_256}, {HMACSHA3_384, SHA3_384}, {HMACSHA3_512, SHA3_512},
}

// hmac is the hash of an HMAC, 0 of other algorithms.
func (a Algorithm) hmac() Hash {
	for _, h := range hmacs {
		if h.alg == a {
			return h.hash
		}
	}
	return 0
}

// MAC is the operation MAC (KMIP 1.4, section 4.33) under a symmetric key: the HMAC that the parameters name or that is the key's own, or AES-CMAC (SP 800-38B)
// if the mode says so. An AES key may MAC with an HMAC that is named; an HMAC key has its own only.
func MAC(k *Key, p Params, data []byte) ([]byte, error) {
	f, err := macFor(k, &p)
	if err != nil {
		return nil, err
	}
	if err := tooLong("data", data, MaxData); err != nil {
		return nil, err
	}
	return f(data), nil
}

// VerifyMAC reports whether mac is the whole MAC of data. It takes as long wherever they differ.
func VerifyMAC(k *Key, p Params, data, mac []byte) (bool, error) {
	want, err := MAC(k, p, data)
	if err != nil {
		return false, err
	}
	defer clear(want)
	return hmac.Equal(want, mac), nil
}

// prf is a MAC of all that it is given, one behind the other.
type prf func(data ...[]byte) []byte

func macFor(k *Key, p *Params) (prf, error) {
	if err := k.use("make MACs", SymmetricKey); err != nil {
		return nil, err
	}
	a := p.Algorithm
	if k.alg.hmac() != 0 || a == 0 {
		a = k.alg
	}
	switch {
	case p.Algorithm != 0 && p.Algorithm != a:
		return nil, p.goesWith(k)
	case p.Hash != 0 && a.hmac() != 0 && p.Hash != a.hmac():
		return nil, fault.Bad("hashing_algorithm", "%s has its own hash", a)
	case a.hmac() != 0:
		return hmacOf(a.hmac(), k.secret)
	case a == AES && k.alg == AES && p.Mode == CMAC:
		return cmacOf(k.secret)
	}
	return nil, fault.Bad("cryptographic_algorithm", "say which MAC: an HMAC, or AES in the mode CMAC")
}

func hmacOf(h Hash, key []byte) (prf, error) {
	f, err := h.find()
	if err != nil {
		return nil, err
	}
	state := hmac.New(f.new, key)
	return func(data ...[]byte) []byte {
		defer state.Reset()
		for _, d := range data {
			state.Write(d)
		}
		return state.Sum(nil)
	}, nil
}

// cmacOf is SP 800-38B with AES.
func cmacOf(key []byte) (prf, error) {
	block, err := blockOf(AES, key)
	if err != nil {
		return nil, err
	}
	first := make([]byte, block.BlockSize())
	block.Encrypt(first, first)
	double(first)
	return func(data ...[]byte) []byte { return cmac(block, first, data) }, nil
}

// cmac holds the last block back until it knows that it is the last: whole, it is masked with the first subkey; padded, with the second.
func cmac(block cipher.Block, subkey []byte, data [][]byte) []byte {
	size := block.BlockSize()
	state, last := make([]byte, size), make([]byte, 0, size)
	for _, d := range data {
		for len(d) > 0 {
			if len(last) == size {
				subtle.XORBytes(state, state, last)
				block.Encrypt(state, state)
				last = last[:0]
			}
			n := min(size-len(last), len(d))
			last, d = append(last, d[:n]...), d[n:]
		}
	}
	mask := append([]byte(nil), subkey...)
	defer clear(mask)
	if len(last) < size {
		double(mask)
		last = append(last, 0x80)
		last = append(last, make([]byte, size-len(last))...)
	}
	subtle.XORBytes(state, state, last)
	subtle.XORBytes(state, state, mask)
	block.Encrypt(state, state)
	clear(last)
	return state
}

// double multiplies by x in GF(2^128), without branching.
func double(b []byte) {
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		b[i], carry = b[i]<<1|carry, b[i]>>7
	}
	b[len(b)-1] ^= 0x87 & -carry
}
