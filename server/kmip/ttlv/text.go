package ttlv

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Options are what the text encodings need beside the bytes.
type Options struct {
	Limits

	// Value, if set, is called with the text of every value before it is decoded, and says what to decode instead. A replayer
	// of published test cases puts values in the place of "$UNIQUE_IDENTIFIER_0" with it. Its error ends the decoding.
	Value func(tag Tag, typ Type, raw string) (string, error)
}

// Times are ISO 8601 with an offset, as in the published test cases. A year above 9999 has no such form and is a number.
const (
	dateLayout     = "2006-01-02T15:04:05-07:00"
	dateLayoutFine = "2006-01-02T15:04:05.000000-07:00"
	minSecond      = -62135596800 // the year 1
	maxSecond      = 253402300799 // the last of 9999
)

// scalar is the text of a value. Names of values are those of the items of names: the item's own tag or, for the Attribute Value
// of an attribute before KMIP 2.0, that of the attribute. Bare is text that JSON has outside of quotes.
type scalar struct {
	names Tag
	text  []byte
	bare  bool
}

// decode sets the value of it, whose type is set, from s. It returns what is wrong, "" if nothing is. It may keep s.text.
func (s scalar) decode(it *Item) string {
	ok := false
	switch it.typ {
	case TypeInteger:
		it.num, ok = s.integer()
	case TypeLongInteger:
		it.num, ok = s.longInteger()
	case TypeBigInteger:
		it.raw, ok = s.bigInteger()
	case TypeEnumeration:
		it.num, ok = s.enumeration()
	case TypeBoolean:
		it.num, ok = s.boolean()
	case TypeTextString:
		it.raw, ok = s.text, !s.bare && utf8.Valid(s.text)
	case TypeByteString:
		it.raw, ok = s.bytes()
	case TypeDateTime, TypeDateTimeExtended:
		it.num, ok = s.date(it.typ)
	case TypeInterval:
		it.num, ok = s.interval()
	}
	if !ok {
		return "the value is no " + it.typ.String()
	}
	return ""
}

func (s scalar) integer() (uint64, bool) {
	if n, err := strconv.ParseInt(string(s.text), 10, 32); err == nil {
		return uint64(uint32(n)), true
	}
	mask, ok := ParseMask(s.names, string(s.text))
	return uint64(uint32(mask)), ok && !s.bare
}

func (s scalar) longInteger() (uint64, bool) {
	if n, ok := hexNumber(string(s.text), 8); ok {
		return n, !s.bare
	}
	n, err := strconv.ParseInt(string(s.text), 10, 64)
	return uint64(n), err == nil
}

// bigInteger reads hexadecimal digits, with or without "0x", in groups of 16. JSON may also have a number.
func (s scalar) bigInteger() ([]byte, bool) {
	if s.bare {
		n, err := strconv.ParseInt(string(s.text), 10, 64)
		return binary.BigEndian.AppendUint64(nil, uint64(n)), err == nil
	}
	digits := s.text
	if len(digits) > 2 && digits[0] == '0' && digits[1] == 'x' {
		digits = digits[2:]
	}
	b := make([]byte, hex.DecodedLen(len(digits)))
	_, err := hex.Decode(b, digits)
	return b, err == nil && len(b) > 0 && len(b)%8 == 0
}

func (s scalar) enumeration() (uint64, bool) {
	if s.bare {
		n, err := strconv.ParseUint(string(s.text), 10, 32)
		return n, err == nil
	}
	n, ok := ParseEnum(s.names, string(s.text))
	return uint64(n), ok
}

func (s scalar) boolean() (uint64, bool) {
	switch string(s.text) {
	case "true":
		return 1, true
	case "false":
		return 0, true
	}
	n, ok := hexNumber(string(s.text), 8)
	return n, ok && n <= 1 && !s.bare
}

func (s scalar) bytes() ([]byte, bool) {
	b := make([]byte, hex.DecodedLen(len(s.text)))
	_, err := hex.Decode(b, s.text)
	return b, err == nil && !s.bare
}

func (s scalar) interval() (uint64, bool) {
	if s.bare {
		n, err := strconv.ParseUint(string(s.text), 10, 32)
		return n, err == nil
	}
	n, ok := number32(string(s.text))
	return uint64(n), ok
}

// date reads ISO 8601 or 0x and the number. What is finer than the type is refused, not cut off.
func (s scalar) date(t Type) (uint64, bool) {
	if n, ok := hexNumber(string(s.text), 8); ok {
		return n, !s.bare
	}
	at, err := time.Parse(time.RFC3339Nano, string(s.text))
	if err != nil || s.bare {
		return 0, false
	}
	if t == TypeDateTime {
		return uint64(at.Unix()), at.Nanosecond() == 0
	}
	return uint64(at.UnixMicro()), at.Nanosecond()%1000 == 0
}

// dateText is the inverse of date.
func (it *Item) dateText() string {
	seconds, fine := int64(it.num), int64(0)
	if it.typ == TypeDateTimeExtended {
		seconds, fine = floor(int64(it.num), 1e6)
	}
	if seconds < minSecond || seconds > maxSecond {
		return fmt.Sprintf("0x%016x", it.num)
	}
	if it.typ == TypeDateTime {
		return time.Unix(seconds, 0).UTC().Format(dateLayout)
	}
	return time.Unix(seconds, fine*1000).UTC().Format(dateLayoutFine)
}

// floor divides, with a rest that is never negative.
func floor(n, by int64) (int64, int64) {
	q, r := n/by, n%by
	if r < 0 {
		return q - 1, r + by
	}
	return q, r
}

// word returns the name of an enumeration's value or of a mask's bits, or its number; quoted says that it is no decimal number.
func (it *Item) word(names Tag, separator string) (word string, quoted bool) {
	if it.typ == TypeEnumeration {
		if name, ok := EnumName(names, uint32(it.num)); ok {
			return name, true
		}
		return fmt.Sprintf("0x%08x", uint32(it.num)), true
	}
	if words, ok := MaskNames(names, int32(uint32(it.num)), separator); ok {
		return words, true
	}
	return strconv.FormatInt(int64(int32(uint32(it.num))), 10), false
}

// naming follows the items of one structure, to know whose names an Attribute Value has.
type naming struct{ attribute Tag }

// of returns the tag whose values name those of an item.
func (n *naming) of(t Tag) Tag {
	if t == TagAttributeValue && n.attribute != 0 {
		return n.attribute
	}
	return t
}

// note remembers the name of an attribute.
func (n *naming) note(it *Item) {
	if it.Tag == TagAttributeName && it.typ == TypeTextString {
		n.attribute, _ = AttributeTag(string(it.raw))
	}
}
