package ttlv

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// Marshal returns the TTLV encoding of it, in a slice of exactly its size. See Append.
func Marshal(it *Item, l Limits) ([]byte, error) {
	size, err := Size(it, l)
	if err != nil {
		return nil, err
	}
	return appendItem(make([]byte, 0, size), it), nil
}

// Append appends the TTLV encoding of it to b, which grows at most once. Parse under the same limits reads the same tree.
// The error is an *Error: TooLarge or TooComplex where it is above a limit, Malformed where an item has no type, a tag outside of
// the ranges, or a text that is not UTF-8. After an error nothing was appended.
func Append(b []byte, it *Item, l Limits) ([]byte, error) {
	size, err := Size(it, l)
	if err != nil {
		return b, err
	}
	return appendItem(slices.Grow(b, size), it), nil
}

// Size returns the number of bytes that Append would append, or its error.
func Size(it *Item, l Limits) (int, error) {
	w := newWalk(l)
	size, err := w.measure(it)
	if err == nil && size > l.size() {
		err = &Error{Kind: TooLarge, Offset: -1, Reason: "the message is larger than is allowed"}
	}
	return size, err
}

// measure checks a tree before it is written in any encoding, and returns its size in TTLV.
func (w *walk) measure(it *Item) (int, error) {
	if it == nil {
		return 0, w.fail(Missing, -1, "there is no such item")
	}
	if err := w.enter(-1); err != nil {
		return 0, err
	}
	w.push(it.Tag)
	defer w.pop()
	if reason := it.bad(); reason != "" {
		return 0, w.fail(Malformed, -1, reason)
	}
	size := headerSize + (max(len(it.raw), it.typ.size())+7)&^7
	for i := range it.Items() {
		n, err := w.measure(&it.items[i])
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// bad says why it cannot be written, "" if it can.
func (it *Item) bad() string {
	switch {
	case !it.Tag.Valid():
		return "the tag is neither the protocol's nor a vendor's"
	case !it.typ.Valid():
		return "the item has no type, or was wiped"
	case it.typ == TypeTextString && !utf8.Valid(it.raw):
		return "the text is not UTF-8"
	case it.typ == TypeBigInteger && (len(it.raw) == 0 || len(it.raw)%8 != 0):
		return "a big integer has a multiple of 8 bytes"
	}
	return ""
}

// appendItem writes an item that measure has passed.
func appendItem(b []byte, it *Item) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(it.Tag)<<8|uint32(it.typ))
	b = binary.BigEndian.AppendUint32(b, uint32(max(len(it.raw), it.typ.size())))
	switch {
	case it.typ == TypeStructure:
		for i := range it.items {
			b = appendItem(b, &it.items[i])
		}
		binary.BigEndian.PutUint32(b[start+4:], uint32(len(b)-start-headerSize))
	case it.typ.bytes():
		b = append(b, it.raw...)
	case it.typ.size() == 4:
		b = binary.BigEndian.AppendUint32(b, uint32(it.num))
	default:
		b = binary.BigEndian.AppendUint64(b, it.num)
	}
	for (len(b)-start)%8 != 0 {
		b = append(b, 0)
	}
	return b
}
