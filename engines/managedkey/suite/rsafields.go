package suite

import (
	"bytes"
	"crypto/rsa"
	"math/big"
)

// Transparent RSA private keys (KMIP 1.4, section 2.1.7.4). Modulus and Public Exponent must be there, and the two factors or the private exponent: with one
// of them the other is computed. Whatever else is there must be right.

func (k *Key) readTransparentRSA() error {
	f := &k.source.Fields
	n, good := positive(f.Modulus, maxRSA)
	e, fine := positive(f.PublicExponent, 31)
	if !good || !fine || e.Bit(0) == 0 || n.BitLen() < minRSA {
		return badMaterial()
	}
	p, q, d, ok := f.secrets(n, e)
	if !ok {
		return badMaterial()
	}
	private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}, D: d, Primes: []*big.Int{p, q}}
	private.Precompute()
	if private.Validate() != nil || !f.fit(private) {
		wipeRSA(private)
		return badMaterial()
	}
	return k.takeRSA(private)
}

// secrets returns both factors and the private exponent, computing what is not there.
func (f *Fields) secrets(n, e *big.Int) (p, q, d *big.Int, ok bool) {
	if len(f.PrivateExponent) != 0 {
		if d, ok = positive(f.PrivateExponent, n.BitLen()); !ok {
			return nil, nil, nil, false
		}
	}
	if len(f.P) == 0 && len(f.Q) == 0 && d != nil {
		p, q, ok = factors(n, e, d)
		return p, q, d, ok
	}
	p, fine := positive(f.P, n.BitLen())
	q, good := positive(f.Q, n.BitLen())
	if !fine || !good || new(big.Int).Mul(p, q).Cmp(n) != 0 {
		return nil, nil, nil, false
	}
	if d == nil {
		d = privateExponent(p, q, e)
	}
	return p, q, d, d != nil
}

// privateExponent is the inverse of e modulo the least common multiple of p-1 and q-1 (RFC 8017, section 3.2), nil if there is none.
func privateExponent(p, q, e *big.Int) *big.Int {
	one := big.NewInt(1)
	a, b := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	defer wipeInts(a, b)
	if a.Sign() == 0 || b.Sign() == 0 {
		return nil
	}
	common := new(big.Int).GCD(nil, nil, a, b)
	multiple := new(big.Int).Div(new(big.Int).Mul(a, b), common)
	defer wipeInts(common, multiple)
	return new(big.Int).ModInverse(e, multiple)
}

// factors finds the factors of n by its exponents (SP 800-56B, appendix C.1). Each base finds them with a probability of a half or more; none does
// if there are no two or the exponents are wrong.
func factors(n, e, d *big.Int) (p, q *big.Int, ok bool) {
	one := big.NewInt(1)
	m := new(big.Int).Sub(new(big.Int).Mul(d, e), one)
	if n.BitLen() > maxFactored || m.Sign() <= 0 || m.Bit(0) == 1 || n.Bit(0) == 0 {
		return nil, nil, false
	}
	defer wipeInts(m)
	twos := m.TrailingZeroBits()
	odd := new(big.Int).Rsh(m, twos)
	defer wipeInts(odd)
	for base := int64(2); base < 34; base++ {
		x, exact := root(new(big.Int).Exp(big.NewInt(base), odd, n), n, twos)
		if !exact {
			return nil, nil, false
		}
		if x != nil {
			p = new(big.Int).GCD(nil, nil, new(big.Int).Sub(x, one), n)
			return p, new(big.Int).Div(n, p), true
		}
	}
	return nil, nil, false
}

// root squares x until it is 1 and returns the number before, unless that is 1 or -1. It is not exact if x never becomes 1.
func root(x, n *big.Int, twos uint) (found *big.Int, exact bool) {
	one := big.NewInt(1)
	minus := new(big.Int).Sub(n, one)
	if x.Cmp(one) == 0 {
		return nil, true
	}
	for range twos {
		next := new(big.Int).Mul(x, x)
		next.Mod(next, n)
		if next.Cmp(one) == 0 {
			if x.Cmp(minus) == 0 {
				return nil, true
			}
			return x, true
		}
		x = next
	}
	return nil, false
}

// fit reports whether the numbers for the Chinese remainder theorem that are there are the key's.
func (f *Fields) fit(k *rsa.PrivateKey) bool {
	c := &k.Precomputed
	for _, pair := range []struct {
		given []byte
		want  *big.Int
	}{{f.PrimeExponentP, c.Dp}, {f.PrimeExponentQ, c.Dq}, {f.CRTCoefficient, c.Qinv}} {
		if len(pair.given) == 0 {
			continue
		}
		v, ok := positive(pair.given, maxRSA)
		if !ok || pair.want == nil || !bytes.Equal(v.Bytes(), pair.want.Bytes()) {
			return false
		}
	}
	return true
}
