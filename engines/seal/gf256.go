package seal

import (
	"crypto/rand"
	"errors"
)

// Shamir's secret sharing over GF(2^8) with the polynomial of AES, x^8+x^4+x^3+x+1 (FIPS 197, section 4.2): each byte of the secret is
// the value at 0 of a polynomial of its own, of degree threshold-1 and with random coefficients; a share is its value at x. Nothing here
// branches or looks up memory by a secret.

// gfMul multiplies without branches.
func gfMul(a, b byte) (p byte) {
	for range 8 {
		p ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return p
}

// gfInverse is a^254; 0 for 0.
func gfInverse(a byte) byte {
	square, out := a, byte(1)
	for range 7 { // 254 = 2+4+8+16+32+64+128
		square = gfMul(square, square)
		out = gfMul(out, square)
	}
	return out
}

// split makes n points, at x = 1..n, of which any k give secret back.
func split(secret []byte, n, k int) ([][]byte, error) {
	if k < 1 || k > n || n > 255 {
		return nil, errors.New("split a secret: 1 <= threshold <= shares <= 255")
	}
	shares := make([][]byte, n)
	for i := range shares {
		shares[i] = make([]byte, len(secret))
	}
	coefficients := make([]byte, k)
	defer clear(coefficients)
	for at, s := range secret {
		coefficients[0] = s
		rand.Read(coefficients[1:])
		for i := range shares {
			shares[i][at] = evaluate(coefficients, byte(i+1))
		}
	}
	return shares, nil
}

// evaluate is Horner's scheme.
func evaluate(coefficients []byte, x byte) (y byte) {
	for i := len(coefficients) - 1; i >= 0; i-- {
		y = gfMul(y, x) ^ coefficients[i]
	}
	return y
}

// combine interpolates at 0. The points' x differ and are not 0; all have the same length.
func combine(xs []byte, ys [][]byte) []byte {
	out := make([]byte, len(ys[0]))
	for i, y := range ys {
		weight := byte(1) // of this point: the product of x_j / (x_j - x_i)
		for j, x := range xs {
			if j != i {
				weight = gfMul(weight, gfMul(x, gfInverse(x^xs[i])))
			}
		}
		for at := range out {
			out[at] ^= gfMul(weight, y[at])
		}
	}
	return out
}
