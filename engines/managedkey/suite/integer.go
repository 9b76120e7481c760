package suite

import "math/big"

// integer writes a number that is not negative as a big integer of KMIP (KMIP 1.4, section 9.1.1.4): two's complement in the fewest bytes that are a
// multiple of 8.
func integer(v *big.Int) []byte {
	return v.FillBytes(make([]byte, (v.BitLen()/64+1)*8))
}

// positive reads a big integer of at most so many bits. What is negative, zero, absent or longer is none.
func positive(b []byte, most int) (*big.Int, bool) {
	if len(b) == 0 || len(b) > MaxMaterial || b[0] >= 0x80 {
		return nil, false
	}
	v := new(big.Int).SetBytes(b)
	return v, v.Sign() > 0 && v.BitLen() <= most
}
