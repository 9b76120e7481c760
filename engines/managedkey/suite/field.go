package suite

import "crypto/subtle"

// field is a binary field whose elements are written in width bytes. Nothing here branches or looks up memory by a secret.
type field struct {
	width int
	mul   func(a, b uint16) uint16
	order int // of the group of elements that are not 0
}

var fields = map[Sharing]field{
	GF256:   {1, mul256, 1<<8 - 1},
	GF65536: {2, mul65536, 1<<16 - 1},
}

// The polynomials that products are reduced by, without their highest term. KMIP has another one for each method: the published cases of GF(2^8) join under
// x^8+x^4+x^3+x^2+1; GF(2^16) is built on the field of FIPS 197, section 4.2, x^8+x^4+x^3+x+1.
const (
	inGF256   = 0x1d
	inGF65536 = 0x1b
)

// mul8 multiplies in a field of 256 elements.
func mul8(a, b, polynomial byte) (p byte) {
	for range 8 {
		p ^= a & -(b & 1)
		a = a<<1 ^ polynomial&-(a>>7)
		b >>= 1
	}
	return p
}

func mul256(a, b uint16) uint16 { return uint16(mul8(byte(a), byte(b), inGF256)) }

// mul65536 multiplies in GF(2^8)[y]/(y^2+y+m), m = {3A}; an element uy+v is the bytes u, v (KMIP 1.4, section 2.2.5).
func mul65536(a, b uint16) uint16 {
	r, s, u, v := byte(a>>8), byte(a), byte(b>>8), byte(b)
	mul := func(a, b byte) byte { return mul8(a, b, inGF65536) }
	sv := mul(s, v)
	return uint16(mul(r^s, u^v)^sv)<<8 | uint16(mul(mul(r, u), 0x3a)^sv)
}

// inverse is a to the order less one; 0 for 0.
func (f field) inverse(a uint16) uint16 {
	out := uint16(1)
	for bit := 15; bit >= 0; bit-- {
		out = f.mul(out, out)
		if (f.order-1)>>bit&1 == 1 { // of the order, which everybody knows
			out = f.mul(out, a)
		}
	}
	return out
}

func (f field) get(b []byte, at int) uint16 {
	if f.width == 1 {
		return uint16(b[at])
	}
	return uint16(b[at])<<8 | uint16(b[at+1])
}

func (f field) put(b []byte, at int, v uint16) {
	if f.width == 2 {
		b[at], at = byte(v>>8), at+1
	}
	b[at] = byte(v)
}

// split makes the parts with the identifiers 1 to s.Parts.
func (f field) split(key []byte, s Split) []Part {
	parts := make([]Part, s.Parts)
	for i := range parts {
		parts[i] = Part{i + 1, make([]byte, len(key))}
	}
	chance := make([]byte, (s.Threshold-1)*f.width)
	defer clear(chance)
	for at := 0; at < len(key); at += f.width {
		copy(chance, random(len(chance)))
		for i := range parts {
			f.put(parts[i].Data, at, f.evaluate(f.get(key, at), chance, uint16(i+1)))
		}
	}
	return parts
}

// evaluate is Horner's scheme; higher are the coefficients above the first.
func (f field) evaluate(first uint16, higher []byte, x uint16) (y uint16) {
	for at := len(higher) - f.width; at >= 0; at -= f.width {
		y = f.mul(y^f.get(higher, at), x)
	}
	return y ^ first
}

// join interpolates at 0 by the first parts, and checks the others by what they should be.
func (f field) join(parts []Part, threshold int) ([]byte, error) {
	basis := parts[:threshold]
	for _, p := range parts[threshold:] {
		want := f.interpolate(basis, uint16(p.Identifier))
		good := subtle.ConstantTimeCompare(want, p.Data)
		clear(want)
		if good != 1 {
			return nil, ErrFailed
		}
	}
	return f.interpolate(basis, 0), nil
}

// interpolate is Lagrange's formula: the values at x of the polynomials through the parts.
func (f field) interpolate(parts []Part, x uint16) []byte {
	out := make([]byte, len(parts[0].Data))
	for i, p := range parts {
		above, below := uint16(1), uint16(1)
		for j, q := range parts {
			if j != i {
				above = f.mul(above, x^uint16(q.Identifier))
				below = f.mul(below, uint16(p.Identifier)^uint16(q.Identifier))
			}
		}
		weight := f.mul(above, f.inverse(below))
		for at := 0; at < len(out); at += f.width {
			f.put(out, at, f.get(out, at)^f.mul(weight, f.get(p.Data, at)))
		}
	}
	return out
}
