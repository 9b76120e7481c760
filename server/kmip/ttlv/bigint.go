package ttlv

import "math/big"

// twosComplement encodes v in the fewest bytes that are a multiple of 8 (KMIP 1.4 section 9.1.1.4).
func twosComplement(v *big.Int) []byte {
	if v == nil {
		v = new(big.Int)
	}
	bits := v.BitLen()
	if v.Sign() < 0 {
		bits = new(big.Int).Not(v).BitLen()
	}
	b := make([]byte, (bits/64+1)*8) // one bit more, for the sign
	if v.Sign() < 0 {
		v = new(big.Int).Add(v, wrap(len(b)))
	}
	return v.FillBytes(b)
}

// fromTwosComplement is the inverse of twosComplement, for any length.
func fromTwosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, wrap(len(b)))
	}
	return v
}

// wrap is the number of values that so many bytes have.
func wrap(bytes int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(8*bytes)) }
