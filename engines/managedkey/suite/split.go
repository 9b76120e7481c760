package suite

import (
	"crypto/subtle"
	"slices"

	"github.com/trstctl/trstctl/fsm/fault"
)

// MaxParts is how many parts a key is split into at most. A large key has fewer: maxWork bounds the bytes that are multiplied, each prime field's counting for
// more.
const (
	MaxParts    = 255
	maxWork     = 1 << 24
	primeWeight = 64
)

// Part is one part of a key: what a Split Key object holds (KMIP 1.4, section 2.2.5).
type Part struct {
	Identifier int // Key Part Identifier, from 1
	Data       []byte
}

// Split says how a key is split.
type Split struct {
	Method    Sharing
	Parts     int
	Threshold int // how many parts join to the key; all of them with XOR

	Prime []byte // PrimeField: Prime Field Size, a big integer; Join only, as SplitKey chooses it
	Size  int    // PrimeField: bytes of the key; Join only, as the parts do not tell
}

// SplitKey makes the parts of a key, of which fewer than the threshold say nothing about it but its size:
//
//	XOR        random parts, and what they have to be XORed with
//	GF(2^8)    for each byte a polynomial over that field, whose value at 0 it is; parts have the values at their identifiers
//	GF(2^16)   the same for each two bytes, over the field of KMIP 1.4, section 2.2.5; keys have an even size
//	PrimeField the same for the whole key as a number, over the integers modulo the prime that is returned; not in constant time
//
// The parts are the caller's to wipe.
func SplitKey(key []byte, s Split) (parts []Part, prime []byte, err error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if len(key) == 0 || len(key) > MaxMaterial {
		return nil, nil, fault.Bad("key_material", "keys of 1 to %d bytes are split", MaxMaterial)
	}
	if err := s.work(s.Parts, len(key)); err != nil {
		return nil, nil, err
	}
	switch s.Method {
	case XOR:
		return splitXOR(key, s.Parts), nil, nil
	case PrimeField:
		return splitPrime(key, s)
	}
	f := fields[s.Method]
	if len(key)%f.width != 0 {
		return nil, nil, fault.Bad("split_key_method", "with this method keys have a multiple of %d bytes", f.width)
	}
	return f.split(key, s), nil, nil
}

// JoinKey joins at least as many parts as the threshold. More than that have to agree. Parts that are too few, disagree or are the wrong size are ErrFailed,
// wrong identifiers are faults of their own. Parts that are as many as the threshold join to a key whatever they hold. The result is the caller's to wipe.
func JoinKey(parts []Part, s Split) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.checkParts(parts); err != nil {
		return nil, err
	}
	size := len(parts[0].Data)
	if len(parts) < s.Threshold || size == 0 || size > MaxMaterial || slices.ContainsFunc(parts, func(p Part) bool { return len(p.Data) != size }) {
		return nil, ErrFailed
	}
	if err := s.work(1+len(parts)-s.Threshold, size); err != nil {
		return nil, err
	}
	switch s.Method {
	case XOR:
		return joinXOR(parts), nil
	case PrimeField:
		return joinPrime(parts, s)
	}
	f := fields[s.Method]
	if size%f.width != 0 {
		return nil, ErrFailed
	}
	return f.join(parts, s.Threshold)
}

func (s *Split) check() error {
	_, polynomial := fields[s.Method]
	switch {
	case !polynomial && s.Method != XOR && s.Method != PrimeField:
		return fault.Bad("split_key_method", "keys are not split with this method here")
	case s.Parts < 2 || s.Parts > MaxParts:
		return fault.Bad("split_key_parts", "a key has 2 to %d parts", MaxParts)
	case s.Threshold < 2 || s.Threshold > s.Parts:
		return fault.Bad("split_key_threshold", "the threshold is 2 to the number of parts: with 1 each part would be the key")
	case s.Method == XOR && s.Threshold != s.Parts:
		return fault.Bad("split_key_threshold", "with XOR the threshold is the number of parts")
	}
	return nil
}

// work refuses to evaluate so many polynomials for a key of this size if that takes too long.
func (s *Split) work(polynomials, size int) error {
	if s.Method == PrimeField {
		size *= primeWeight
	}
	if s.Method != XOR && size > maxWork/polynomials/s.Threshold {
		return fault.New(fault.TooLarge, "the key is too large for so many parts")
	}
	return nil
}

// checkParts wants identifiers from 1 to the number of parts, each once.
func (s *Split) checkParts(parts []Part) error {
	seen := make([]bool, s.Parts+1)
	for _, p := range parts {
		if p.Identifier < 1 || p.Identifier > s.Parts || seen[p.Identifier] {
			return fault.Bad("key_part_identifier", "identifiers are 1 to %d, each part once", s.Parts)
		}
		seen[p.Identifier] = true
	}
	if len(parts) == 0 {
		return ErrFailed
	}
	return nil
}

func splitXOR(key []byte, n int) []Part {
	parts, rest := make([]Part, n), slices.Clone(key)
	for i := range parts[:n-1] {
		parts[i] = Part{i + 1, random(len(key))}
		subtle.XORBytes(rest, rest, parts[i].Data)
	}
	parts[n-1] = Part{n, rest}
	return parts
}

func joinXOR(parts []Part) []byte {
	out := make([]byte, len(parts[0].Data))
	for _, p := range parts {
		subtle.XORBytes(out, out, p.Data)
	}
	return out
}
