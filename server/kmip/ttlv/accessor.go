package ttlv

import (
	"bytes"
	"math/big"
)

// as is nil if it has type t, else an error that says what it is instead.
func (it *Item) as(t Type) error {
	switch {
	case it == nil:
		return &Error{Kind: Missing, Offset: -1, Reason: "there is no such item"}
	case it.typ != t:
		return &Error{Kind: Mismatch, Offset: -1, Path: []Tag{it.Tag}, Reason: "the type is " + it.typ.String() + ", not " + t.String()}
	}
	return nil
}

// Structure returns the items of a structure, and not a copy of them.
func (it *Item) Structure() ([]Item, error) {
	if err := it.as(TypeStructure); err != nil {
		return nil, err
	}
	return it.items, nil
}

// Need returns the first item of a structure with tag t, or a Missing or Mismatch error that names it.
func (it *Item) Need(t Tag) (*Item, error) {
	if err := it.as(TypeStructure); err != nil {
		return nil, err
	}
	if found := it.Find(t); found != nil {
		return found, nil
	}
	return nil, &Error{Kind: Missing, Offset: -1, Path: []Tag{it.Tag, t}, Reason: "there is no such item"}
}

// Integer returns a number of type Integer.
func (it *Item) Integer() (int32, error) {
	if err := it.as(TypeInteger); err != nil {
		return 0, err
	}
	return int32(uint32(it.num)), nil
}

// LongInteger returns a number of type LongInteger.
func (it *Item) LongInteger() (int64, error) {
	if err := it.as(TypeLongInteger); err != nil {
		return 0, err
	}
	return int64(it.num), nil
}

// BigInteger returns a copy of a number of type BigInteger, which Wipe does not reach.
func (it *Item) BigInteger() (*big.Int, error) {
	if err := it.as(TypeBigInteger); err != nil {
		return nil, err
	}
	return fromTwosComplement(it.raw), nil
}

// BigIntegerBytes returns a copy of a number of type BigInteger as it stands: two's complement, big endian, a multiple of 8 bytes. It is the caller's to wipe.
func (it *Item) BigIntegerBytes() ([]byte, error) {
	if err := it.as(TypeBigInteger); err != nil {
		return nil, err
	}
	return append([]byte(nil), it.raw...), nil
}

// Enumeration returns a value of type Enumeration.
func (it *Item) Enumeration() (uint32, error) {
	if err := it.as(TypeEnumeration); err != nil {
		return 0, err
	}
	return uint32(it.num), nil
}

// Boolean returns a truth value.
func (it *Item) Boolean() (bool, error) {
	if err := it.as(TypeBoolean); err != nil {
		return false, err
	}
	return it.num != 0, nil
}

// TextString returns a copy of a text, which Wipe does not reach: it is for names and identifiers, TextBytes for passwords.
func (it *Item) TextString() (string, error) {
	b, err := it.TextBytes()
	return string(b), err
}

// TextBytes returns the bytes of a text, and not a copy of them: Wipe zeroes them.
func (it *Item) TextBytes() ([]byte, error) {
	if err := it.as(TypeTextString); err != nil {
		return nil, err
	}
	return it.raw, nil
}

// ByteString returns the bytes of a byte string, and not a copy of them: Wipe zeroes them.
func (it *Item) ByteString() ([]byte, error) {
	if err := it.as(TypeByteString); err != nil {
		return nil, err
	}
	return it.raw, nil
}

// DateTime returns the seconds of a time since the beginning of 1970.
func (it *Item) DateTime() (int64, error) {
	if err := it.as(TypeDateTime); err != nil {
		return 0, err
	}
	return int64(it.num), nil
}

// Interval returns the seconds of a duration.
func (it *Item) Interval() (uint32, error) {
	if err := it.as(TypeInterval); err != nil {
		return 0, err
	}
	return uint32(it.num), nil
}

// DateTimeExtended returns the microseconds of a time since the beginning of 1970.
func (it *Item) DateTimeExtended() (int64, error) {
	if err := it.as(TypeDateTimeExtended); err != nil {
		return 0, err
	}
	return int64(it.num), nil
}

// Equal reports whether two trees have the same tags, types and encoded values. It does not take the same time for all values.
func (it *Item) Equal(other *Item) bool {
	if it == nil || other == nil {
		return it == other
	}
	if it.Tag != other.Tag || it.typ != other.typ || it.num != other.num || len(it.items) != len(other.items) {
		return false
	}
	for i := range it.items {
		if !it.items[i].Equal(&other.items[i]) {
			return false
		}
	}
	return bytes.Equal(it.raw, other.raw)
}
