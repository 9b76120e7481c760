// Package ttlv reads and writes KMIP messages: the binary TTLV encoding, XML and JSON, for versions 1.0 to 1.4, 2.0 and 2.1 of
// the protocol.
//
// It knows how items are encoded and what tags and values are called, not which items make a request. What it promises:
//
//   - Nothing that a peer sends makes it panic, and what it allocates stays a small multiple of the bytes that have arrived.
//   - An Error says what is wrong and where, in tags and offsets; no error, and no way of printing an Item, holds a value.
//   - What it writes reads back as the same tree.
//
// A tree that was read from bytes points into them, so that key material is in memory once and Wipe ends it.
package ttlv

import (
	"fmt"
	"iter"
	"log/slog"
	"math/big"
)

// Item is one tag, type and value. The value of a structure is items; that of BigInteger, TextString and ByteString is kept as
// bytes, so that it can be wiped; any other is a number. The zero Item has no type and is not written.
type Item struct {
	Tag   Tag
	typ   Type
	num   uint64
	raw   []byte
	items []Item
}

// Structure makes a structure of items, in this order.
func Structure(t Tag, items ...Item) Item { return Item{Tag: t, typ: TypeStructure, items: items} }

// Integer makes a signed number of 32 bits, or a mask.
func Integer(t Tag, v int32) Item { return number(t, TypeInteger, uint64(uint32(v))) }

// LongInteger makes a signed number of 64 bits.
func LongInteger(t Tag, v int64) Item { return number(t, TypeLongInteger, uint64(v)) }

// BigInteger makes a signed number of any size; nil is 0.
func BigInteger(t Tag, v *big.Int) Item {
	return Item{Tag: t, typ: TypeBigInteger, raw: twosComplement(v)}
}

// BigIntegerOf makes a signed number of its two's complement, big endian, which it keeps and does not copy. Writing one whose bytes are no multiple of 8, or none, fails.
func BigIntegerOf(t Tag, b []byte) Item { return Item{Tag: t, typ: TypeBigInteger, raw: b} }

// Enumeration makes one of the values that the specification, or a vendor, lists for t.
func Enumeration(t Tag, v uint32) Item { return number(t, TypeEnumeration, uint64(v)) }

// Boolean makes a truth value.
func Boolean(t Tag, v bool) Item {
	if v {
		return number(t, TypeBoolean, 1)
	}
	return number(t, TypeBoolean, 0)
}

// TextString makes a text. Writing one that is not UTF-8 fails.
func TextString(t Tag, v string) Item { return TextBytes(t, []byte(v)) }

// TextBytes makes a text of v, which it keeps and does not copy.
func TextBytes(t Tag, v []byte) Item { return Item{Tag: t, typ: TypeTextString, raw: v} }

// ByteString makes a byte string of v, which it keeps and does not copy.
func ByteString(t Tag, v []byte) Item { return Item{Tag: t, typ: TypeByteString, raw: v} }

// DateTime makes a time of so many seconds since the beginning of 1970.
func DateTime(t Tag, seconds int64) Item { return number(t, TypeDateTime, uint64(seconds)) }

// Interval makes a duration.
func Interval(t Tag, seconds uint32) Item { return number(t, TypeInterval, uint64(seconds)) }

// DateTimeExtended makes a time of so many microseconds since the beginning of 1970. It exists since KMIP 2.0.
func DateTimeExtended(t Tag, microseconds int64) Item {
	return number(t, TypeDateTimeExtended, uint64(microseconds))
}

func number(t Tag, typ Type, n uint64) Item { return Item{Tag: t, typ: typ, num: n} }

// Add puts items at the end of a structure. On any other item it does nothing that is written.
func (it *Item) Add(items ...Item) { it.items = append(it.items, items...) }

// Type returns the type, 0 for the zero Item and after Wipe.
func (it *Item) Type() Type {
	if it == nil {
		return 0
	}
	return it.typ
}

// Items returns the items of a structure, and not a copy of them.
func (it *Item) Items() []Item {
	if it.Type() != TypeStructure {
		return nil
	}
	return it.items
}

// Find returns the first item of a structure with tag t, nil if there is none. The accessors of a nil item return a Missing error.
func (it *Item) Find(t Tag) *Item {
	for i := range it.Items() {
		if it.items[i].Tag == t {
			return &it.items[i]
		}
	}
	return nil
}

// All yields the items of a structure with tag t, in order.
func (it *Item) All(t Tag) iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		for i := range it.Items() {
			if it.items[i].Tag == t && !yield(&it.items[i]) {
				return
			}
		}
	}
}

// Wipe zeroes every text, byte string and BigInteger of the tree, in the message that it was read from too, and forgets the rest.
// What was wiped has no type any more: it cannot be taken for a value, and writing it fails.
func (it *Item) Wipe() {
	if it == nil {
		return
	}
	for i := range it.items {
		it.items[i].Wipe()
	}
	clear(it.raw)
	*it = Item{Tag: it.Tag}
}

// Format prints tag, type and how much is inside, under every verb, and never a value.
func (it Item) Format(f fmt.State, _ rune) { fmt.Fprint(f, it.summary()) }

// LogValue does as Format.
func (it Item) LogValue() slog.Value { return slog.StringValue(it.summary()) }

func (it Item) summary() string {
	switch {
	case it.typ == TypeStructure:
		return fmt.Sprintf("%s Structure of %d", it.Tag, len(it.items))
	case it.typ.bytes():
		return fmt.Sprintf("%s %s of %d bytes", it.Tag, it.typ, len(it.raw))
	}
	return fmt.Sprintf("%s %s", it.Tag, it.typ)
}
