package ttlv

import (
	"fmt"
	"strconv"
	"strings"
)

// EnumName returns the name of a value of the enumeration that tag's items have, such as "SymmetricKey" for 2 and
// TagObjectType. It is false for a value that the tables do not hold.
func EnumName(tag Tag, value uint32) (string, bool) {
	e, ok := registry().enums[tag]
	if !ok {
		return "", false
	}
	k, ok := e.entries[value]
	return k.name, ok
}

// ParseEnum returns the value that name, or a number as "0x80000001" or "5", means for tag's items.
func ParseEnum(tag Tag, name string) (uint32, bool) {
	if e, ok := registry().enums[tag]; ok {
		if v, ok := e.names[name]; ok {
			return v, true
		}
	}
	return number32(name)
}

// EnumSpan returns the versions in which a value is defined: for TagOperation, those that know an operation; for TagObjectType,
// those that know a kind of object. It is false for a value that the tables do not hold.
func EnumSpan(tag Tag, value uint32) (Span, bool) {
	e, ok := registry().enums[tag]
	if !ok {
		return Span{}, false
	}
	k, ok := e.entries[value]
	return k.span, ok
}

// EnumValues returns the values that version v defines for tag's items, in the specification's order.
func EnumValues(tag Tag, v Version) []uint32 {
	e, ok := registry().enums[tag]
	if !ok {
		return nil
	}
	var defined []uint32
	for _, n := range e.order {
		if e.entries[n].span.Has(v) {
			defined = append(defined, n)
		}
	}
	return defined
}

// MaskBits returns the bits that version v defines for tag's items, 0 if they are no mask.
func MaskBits(tag Tag, v Version) int32 {
	var bits uint32
	if m, ok := registry().masks[tag]; ok {
		for bit, k := range m.entries {
			if k.span.Has(v) {
				bits |= bit
			}
		}
	}
	return int32(bits)
}

// MaskNames returns the names of the bits of mask, lowest first, with separator between them; what has no name stands at the end
// as one hexadecimal number. It is false where tag's items are no mask, and for 0.
func MaskNames(tag Tag, mask int32, separator string) (string, bool) {
	m, ok := registry().masks[tag]
	if !ok || mask == 0 {
		return "", false
	}
	var names []string
	rest := uint32(mask)
	for _, bit := range m.order {
		if rest&bit != 0 {
			names, rest = append(names, m.entries[bit].name), rest&^bit
		}
	}
	if rest != 0 {
		names = append(names, fmt.Sprintf("0x%08x", rest))
	}
	return strings.Join(names, separator), true
}

// ParseMask returns the mask that names of bits, or numbers, mean together for tag's items. Spaces or "|" stand between them.
func ParseMask(tag Tag, names string) (int32, bool) {
	var mask uint32
	words := strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == '|' || r == '\t' || r == '\n' })
	for _, w := range words {
		bit, ok := maskWord(tag, w)
		if !ok {
			return 0, false
		}
		mask |= bit
	}
	return int32(mask), len(words) > 0
}

func maskWord(tag Tag, word string) (uint32, bool) {
	if m, ok := registry().masks[tag]; ok {
		if bit, ok := m.names[word]; ok {
			return bit, true
		}
	}
	n, ok := hexNumber(word, 4)
	return uint32(n), ok
}

// number32 reads a hexadecimal or decimal number of 32 bits.
func number32(s string) (uint32, bool) {
	if n, ok := hexNumber(s, 4); ok {
		return uint32(n), true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}
