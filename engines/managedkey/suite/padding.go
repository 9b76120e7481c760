package suite

import (
	"crypto/subtle"

	"github.com/trstctl/trstctl/fsm/fault"
)

// pad copies data and pads it to whole blocks:
//
//	None       nothing: data must have whole blocks
//	PKCS5      1 to a block of bytes, each their number (RFC 5652, section 6.3)
//	ANSI X9.23 zeros, then the number of bytes
//	ISO 10126  random bytes, then the number of bytes
//	Zeros      zeros up to the next whole block, none if there is one
func pad(p Padding, data []byte, size int) ([]byte, error) {
	n := size - len(data)%size
	switch {
	case size == 1:
		n = 0
	case p == NoPadding && n != size:
		return nil, fault.Bad("data", "without padding the data has a multiple of %d bytes", size)
	case p == NoPadding || p == Zeros && n == size:
		n = 0
	}
	out := make([]byte, len(data)+n)
	end := out[copy(out, data):]
	switch {
	case n == 0 || p == Zeros:
	case p == PKCS5:
		for i := range end {
			end[i] = byte(n)
		}
	case p == ISO10126:
		copy(end, random(n))
		end[n-1] = byte(n)
	default:
		end[n-1] = byte(n)
	}
	return out, nil
}

// unpad cuts the padding off data, which has whole blocks; what is wrong is ErrFailed, and looking for it takes as long wherever it is. Zeros are cut off
// too many if the data ended in zeros: that padding cannot tell (ISO/IEC 9797-1, method 1).
func unpad(p Padding, data []byte, size int) ([]byte, error) {
	if size == 1 || p == NoPadding {
		return data, nil
	}
	if p == Zeros {
		return data[:len(data)-zerosAtEnd(data, size-1)], nil
	}
	if len(data) < size {
		clear(data)
		return nil, ErrFailed
	}
	last := data[len(data)-size:]
	n := int(last[size-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i, b := range last[:size-1] {
		inside := subtle.ConstantTimeLessOrEq(size, i+n)
		good &= 1 ^ inside&^agrees(p, b, byte(n))
	}
	if good != 1 {
		clear(data)
		return nil, ErrFailed
	}
	return data[:len(data)-n], nil
}

// agrees reports whether b may stand in padding of n bytes.
func agrees(p Padding, b, n byte) int {
	switch p {
	case PKCS5:
		return subtle.ConstantTimeByteEq(b, n)
	case ANSIX923:
		return subtle.ConstantTimeByteEq(b, 0)
	}
	return 1
}

// zerosAtEnd counts the zeros at the end, at most so many. It looks at all of them.
func zerosAtEnd(data []byte, most int) (n int) {
	more := 1
	for i := range min(most, len(data)) {
		more &= subtle.ConstantTimeByteEq(data[len(data)-1-i], 0)
		n += more
	}
	return n
}
