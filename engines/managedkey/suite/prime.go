package suite

import (
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// primes are 2^exponent + offset, each large enough for keys below 2^exponent. The first are the smallest above their power, the others Mersenne's.
var primes = []struct {
	exponent uint
	offset   int64
}{{128, 51}, {192, 133}, {256, 297}, {521, -1}, {1279, -1}, {2203, -1}, {4423, -1}, {9689, -1}, {19937, -1}}

const maxPrime = 19937 // bits

// primeFor returns the smallest of them that is larger than any key of so many bytes, nil if none is.
func primeFor(size int) *big.Int {
	for _, p := range primes {
		if uint(8*size) < p.exponent || uint(8*size) == p.exponent && p.offset > 0 {
			v := new(big.Int).Lsh(big.NewInt(1), p.exponent)
			return v.Add(v, big.NewInt(p.offset))
		}
	}
	return nil
}

func splitPrime(key []byte, s Split) ([]Part, []byte, error) {
	p := primeFor(len(key))
	if p == nil {
		return nil, nil, fault.Bad("split_key_method", "a key of this size is too large for a prime field")
	}
	coefficients := []*big.Int{new(big.Int).SetBytes(key)}
	defer func() { wipeInts(coefficients...) }()
	for range s.Threshold - 1 {
		c, err := rand.Int(rand.Reader, p)
		if err != nil {
			return nil, nil, fmt.Errorf("split a key: %w", err)
		}
		coefficients = append(coefficients, c)
	}
	parts, width := make([]Part, s.Parts), (p.BitLen()+7)/8
	for i := range parts {
		y := new(big.Int)
		for j := len(coefficients) - 1; j >= 0; j-- {
			y.Mul(y, big.NewInt(int64(i+1))).Add(y, coefficients[j]).Mod(y, p)
		}
		parts[i] = Part{i + 1, y.FillBytes(make([]byte, width))}
		wipeInts(y)
	}
	return parts, integer(p), nil
}

// joinPrime takes a prime that somebody else may have chosen. One that is none shows, if at all, in numbers that have no inverse.
func joinPrime(parts []Part, s Split) ([]byte, error) {
	p, good := positive(s.Prime, maxPrime)
	switch {
	case !good || p.BitLen() < 8 || p.Bit(0) == 0:
		return nil, fault.Bad("prime_field_size", "a prime of at most %d bits is needed", maxPrime)
	case s.Size < 1 || s.Size > MaxMaterial:
		return nil, fault.Bad("cryptographic_length", "the parts do not say how long the key is")
	}
	ys := make([]*big.Int, len(parts))
	defer func() { wipeInts(ys...) }()
	for i, part := range parts {
		ys[i] = new(big.Int).SetBytes(part.Data)
		if ys[i].Cmp(p) >= 0 {
			return nil, ErrFailed
		}
	}
	for i := s.Threshold; i < len(parts); i++ {
		if v := interpolatePrime(parts[:s.Threshold], ys, int64(parts[i].Identifier), p); v == nil || v.Cmp(ys[i]) != 0 {
			return nil, ErrFailed
		}
	}
	v := interpolatePrime(parts[:s.Threshold], ys, 0, p)
	if v == nil || v.BitLen() > 8*s.Size {
		return nil, ErrFailed
	}
	defer wipeInts(v)
	return v.FillBytes(make([]byte, s.Size)), nil
}

// interpolatePrime is Lagrange's formula, nil if a difference has no inverse.
func interpolatePrime(parts []Part, ys []*big.Int, x int64, p *big.Int) *big.Int {
	sum := new(big.Int)
	for i, part := range parts {
		above, below := big.NewInt(1), big.NewInt(1)
		for j, other := range parts {
			if j != i {
				above.Mul(above, big.NewInt(x-int64(other.Identifier))).Mod(above, p)
				below.Mul(below, big.NewInt(int64(part.Identifier-other.Identifier))).Mod(below, p)
			}
		}
		if below.ModInverse(below, p) == nil {
			return nil
		}
		term := new(big.Int).Mul(above.Mul(above, below), ys[i])
		sum.Add(sum, term).Mod(sum, p)
		wipeInts(term)
	}
	return sum
}
