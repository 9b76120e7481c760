package suite

import (
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm/fault"
)

// derive108 is SP 800-108r1, section 4, with [i] a counter from 1:
//
//	counter   K(i) = PRF(base, [i] ‖ data)
//	feedback  K(i) = PRF(base, K(i-1) ‖ [i] ‖ data), K(0) = IV
//	pipeline  K(i) = PRF(base, A(i) ‖ [i] ‖ data), A(i) = PRF(base, A(i-1)), A(0) = data
func derive108(base []byte, d *Derivation, size int) ([]byte, error) {
	if err := d.takes(true, false, d.Method == Feedback108); err != nil {
		return nil, err
	}
	f, err := d.prf(base)
	if err != nil {
		return nil, err
	}
	width, err := d.counterWidth()
	if err != nil {
		return nil, err
	}
	out, before := make([]byte, 0, size+64), d.IV // 64 bytes are the longest block: it is never moved
	if d.Method == Pipeline108 {
		before = d.Data
	}
	for i := uint64(1); len(out) < size; i++ {
		if i>>(8*width) != 0 {
			clear(out)
			return nil, fault.Bad("counter_length", "the counter is too short for the length that is asked for")
		}
		if d.Method == Pipeline108 {
			before = f(before)
		}
		block := f(before, binary.BigEndian.AppendUint64(nil, i)[8-width:], d.Data)
		out = append(out, block...)
		if d.Method == Feedback108 {
			before = block
		}
	}
	return cut(out, size)
}

// prf is AES-CMAC if the mode says so, an HMAC otherwise.
func (d *Derivation) prf(base []byte) (prf, error) {
	if d.Params.Mode == CMAC {
		if !fits(AES, len(base)) || d.Params.Algorithm != 0 && d.Params.Algorithm != AES {
			return nil, fault.Bad("block_cipher_mode", "CMAC takes an AES key")
		}
		return cmacOf(base)
	}
	h, err := d.hash()
	if err != nil {
		return nil, err
	}
	return hmacOf(h.id, base)
}

// counterWidth is in bytes.
func (d *Derivation) counterWidth() (int, error) {
	switch bits := d.Params.CounterLength; bits {
	case 0:
		return 4, nil
	case 8, 16, 24, 32:
		return bits / 8, nil
	}
	return 0, fault.Bad("counter_length", "the counter of a derivation has 8, 16, 24 or 32 bits")
}
