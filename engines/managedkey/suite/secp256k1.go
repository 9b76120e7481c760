package suite

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// secp256k1 (SEC 2, section 2.4.1), y^2 = x^3 + 7, is here because the published cases of KMIP sign with it and the standard library does not have it.
// Additions are complete (Renes, Costello, Batina 2015, algorithm 7) and multiplications double and add for each bit, so that nothing depends on a
// scalar. ECDSA is FIPS 186-5, section 6.4, with random nonces.
type koblitz struct{}

var (
	coordinates = newModulus("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")
	scalars     = newModulus("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	generator   = uncompressed("0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
	seven       = small(7)
	thrice      = small(21) // three times the 7 of the equation
)

func small(n byte) element {
	e, _ := coordinates.read(append(make([]byte, 31), n))
	return e
}

// projective is x/z, y/z.
type projective struct{ x, y, z element }

func uncompressed(text string) projective {
	b, _ := hex.DecodeString(text)
	p, _ := parsePoint(b)
	return p
}

// parsePoint reads 04 ‖ x ‖ y, a point of the curve.
func parsePoint(b []byte) (p projective, ok bool) {
	if len(b) != 65 || b[0] != 4 {
		return p, false
	}
	f := coordinates
	x, belowX := f.read(b[1:33])
	y, belowY := f.read(b[33:])
	right := f.add(f.mul(f.mul(x, x), x), seven)
	return projective{x, y, f.one}, belowX && belowY && f.sub(f.mul(y, y), right).zero()
}

// add is complete: also for equal points and for the point at infinity.
func (p projective) add(q projective) projective {
	f := coordinates
	xx, yy, zz := f.mul(p.x, q.x), f.mul(p.y, q.y), f.mul(p.z, q.z)
	xy := f.sub(f.mul(f.add(p.x, p.y), f.add(q.x, q.y)), f.add(xx, yy))
	yz := f.sub(f.mul(f.add(p.y, p.z), f.add(q.y, q.z)), f.add(yy, zz))
	xz := f.sub(f.mul(f.add(p.x, p.z), f.add(q.x, q.z)), f.add(xx, zz))
	xx = f.add(f.add(xx, xx), xx)
	zz, xz = f.mul(thrice, zz), f.mul(thrice, xz)
	plus, minus := f.add(yy, zz), f.sub(yy, zz)
	return projective{
		f.sub(f.mul(xy, minus), f.mul(yz, xz)),
		f.add(f.mul(minus, plus), f.mul(xz, xx)),
		f.add(f.mul(plus, yz), f.mul(xx, xy)),
	}
}

// times multiplies by 32 bytes.
func (p projective) times(scalar []byte) projective {
	out := projective{y: coordinates.one}
	for _, b := range scalar {
		for bit := 7; bit >= 0; bit-- {
			out = out.add(out)
			sum, which := out.add(p), uint64(b>>bit&1)
			out = projective{choose(which, sum.x, out.x), choose(which, sum.y, out.y), choose(which, sum.z, out.z)}
		}
	}
	return out
}

// affine returns both coordinates; the point at infinity has none.
func (p projective) affine() (x, y []byte, ok bool) {
	f := coordinates
	z := f.invert(p.z)
	return f.bytes(f.mul(p.x, z)), f.bytes(f.mul(p.y, z)), !p.z.zero()
}

// scalarOf reads 1 to n-1.
func scalarOf(b []byte) (element, bool) {
	if len(b) != 32 {
		return element{}, false
	}
	e, below := scalars.read(b)
	return e, below && !e.zero()
}

func (koblitz) generate() ([]byte, error) {
	for {
		b := random(32)
		if _, ok := scalarOf(b); ok {
			return b, nil
		}
	}
}

func (koblitz) public(scalar []byte) ([]byte, bool) {
	if _, ok := scalarOf(scalar); !ok {
		return nil, false
	}
	x, y, ok := generator.times(scalar).affine()
	return append(append([]byte{4}, x...), y...), ok
}

func (koblitz) valid(public []byte) bool {
	_, ok := parsePoint(public)
	return ok
}

type ecdsaSignature struct{ R, S *big.Int }

// message is the number that a digest stands for: its leftmost 256 bits.
func message(digest []byte) element {
	b := make([]byte, 32)
	if len(digest) < len(b) {
		copy(b[len(b)-len(digest):], digest)
	} else {
		copy(b, digest)
	}
	e, _ := scalars.read(b)
	return e
}

func (c koblitz) sign(scalar, digest []byte) ([]byte, error) {
	d, ok := scalarOf(scalar)
	if !ok {
		return nil, ErrFailed
	}
	for {
		nonce, _ := c.generate()
		x, _, _ := generator.times(nonce).affine()
		r, _ := scalars.read(x)
		k, _ := scalars.read(nonce)
		clear(nonce)
		s := scalars.mul(scalars.invert(k), scalars.add(message(digest), scalars.mul(r, d)))
		if !r.zero() && !s.zero() {
			return asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(scalars.bytes(r)), new(big.Int).SetBytes(scalars.bytes(s))})
		}
	}
}

// parts reads a signature, strict DER of two numbers from 1 to n-1.
func parts(signature []byte) (r, s element, ok bool) {
	var v ecdsaSignature
	rest, err := asn1.Unmarshal(signature, &v)
	if err != nil || len(rest) != 0 || v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 256 || v.S.BitLen() > 256 {
		return r, s, false
	}
	again, err := asn1.Marshal(v)
	r, fine := scalarOf(v.R.FillBytes(make([]byte, 32)))
	s, good := scalarOf(v.S.FillBytes(make([]byte, 32)))
	return r, s, fine && good && err == nil && bytes.Equal(again, signature)
}

func (koblitz) verify(public, digest, signature []byte) bool {
	q, onCurve := parsePoint(public)
	r, s, ok := parts(signature)
	if !onCurve || !ok {
		return false
	}
	w := scalars.invert(s)
	u, v := scalars.bytes(scalars.mul(message(digest), w)), scalars.bytes(scalars.mul(r, w))
	x, _, finite := generator.times(u).add(q.times(v)).affine()
	got, _ := scalars.read(x)
	return finite && scalars.sub(got, r).zero()
}

func (koblitz) shared(scalar, public []byte) ([]byte, error) {
	q, onCurve := parsePoint(public)
	if _, ok := scalarOf(scalar); !ok || !onCurve {
		return nil, fault.New(fault.Invalid, "the keys are not of one curve")
	}
	x, _, ok := q.times(scalar).affine()
	if !ok {
		return nil, ErrFailed
	}
	return x, nil
}
