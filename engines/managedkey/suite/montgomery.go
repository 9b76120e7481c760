package suite

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// element is a number below a modulus of 256 bits, four words with the lowest first, times 2^256 (Montgomery's form).
type element [4]uint64

// modulus is an odd prime between 2^255 and 2^256. Nothing that is done with its elements branches or looks up memory by their values.
type modulus struct {
	n       element
	inverse uint64  // -1/n modulo 2^64
	one     element // in Montgomery's form
	square  element // 2^512, which brings numbers into it
	less2   []byte  // n-2, big endian: the exponent that inverts
}

func newModulus(text string) *modulus {
	n, _ := new(big.Int).SetString(text, 16)
	power := func(k uint) element {
		return words(new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), k), n).FillBytes(make([]byte, 32)))
	}
	m := &modulus{n: words(n.FillBytes(make([]byte, 32))), one: power(256), square: power(512)}
	m.less2 = new(big.Int).Sub(n, big.NewInt(2)).FillBytes(make([]byte, 32))
	x := uint64(1)
	for range 6 { // Newton: each doubles the bits that are right
		x *= 2 - m.n[0]*x
	}
	m.inverse = -x
	return m
}

func words(b []byte) (e element) {
	for i := range e {
		e[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return e
}

// read takes 32 bytes. It is not below if they were the modulus or more, once of which is then taken off.
func (m *modulus) read(b []byte) (e element, below bool) {
	raw := words(b)
	_, borrow := subtract(raw, m.n)
	return m.mul(m.reduce(raw, 0), m.square), borrow == 1
}

// bytes is the inverse of read.
func (m *modulus) bytes(e element) []byte {
	plain := m.mul(e, element{1})
	b := make([]byte, 32)
	for i, w := range plain {
		binary.BigEndian.PutUint64(b[24-8*i:], w)
	}
	return b
}

func subtract(a, b element) (out element, borrow uint64) {
	for i := range out {
		out[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	return out, borrow
}

// reduce takes the modulus off a ‖ carry if it goes.
func (m *modulus) reduce(a element, carry uint64) element {
	less, borrow := subtract(a, m.n)
	_, borrow = bits.Sub64(carry, 0, borrow)
	return choose(borrow, a, less)
}

// choose is a if which is 1, b if it is 0.
func choose(which uint64, a, b element) (out element) {
	for i := range out {
		out[i] = b[i] ^ (a[i]^b[i])&-which
	}
	return out
}

func (m *modulus) add(a, b element) element {
	var sum element
	var carry uint64
	for i := range sum {
		sum[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return m.reduce(sum, carry)
}

func (m *modulus) sub(a, b element) element {
	out, borrow := subtract(a, b)
	var carry uint64
	for i := range out {
		out[i], carry = bits.Add64(out[i], m.n[i]&-borrow, carry)
	}
	return out
}

// mul is Montgomery's product a*b/2^256, a word of b at a time.
func (m *modulus) mul(a, b element) element {
	var t element
	var top uint64
	for i := range b {
		var sum [5]uint64
		var high uint64
		sum[0], sum[1], sum[2], sum[3], high = multiply(t, a, b[i])
		var over, carry uint64
		sum[4], over = bits.Add64(top, high, 0)
		low := element{sum[0], sum[1], sum[2], sum[3]}
		_, t[0], t[1], t[2], high = multiply(low, m.n, sum[0]*m.inverse)
		t[3], carry = bits.Add64(sum[4], high, 0)
		top = over + carry
	}
	return m.reduce(t, top)
}

// multiply is t + a*w, five words.
func multiply(t, a element, w uint64) (w0, w1, w2, w3, high uint64) {
	var out element
	for j := range a {
		hi, lo := bits.Mul64(a[j], w)
		var c uint64
		lo, c = bits.Add64(lo, t[j], 0)
		hi += c
		lo, c = bits.Add64(lo, high, 0)
		out[j], high = lo, hi+c
	}
	return out[0], out[1], out[2], out[3], high
}

// invert is a^(n-2); 0 for 0.
func (m *modulus) invert(a element) element {
	out := m.one
	for _, b := range m.less2 {
		for bit := 7; bit >= 0; bit-- {
			out = m.mul(out, out)
			if b>>bit&1 == 1 { // of the exponent, which everybody knows
				out = m.mul(out, a)
			}
		}
	}
	return out
}

func (e element) zero() bool { return e[0]|e[1]|e[2]|e[3] == 0 }
