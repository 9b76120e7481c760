package ttlv

import (
	"encoding/binary"
	"unicode/utf8"
)

// headerSize is the bytes before a value: three of tag, one of type, four of length (KMIP 1.4 section 9.1.1).
const headerSize = 8

// Parse reads one item that takes up all of b. The tree points into b, which the caller must leave alone from then on.
// The error is a TooLarge, TooComplex or Malformed *Error.
//
// Padding has to be zero, a Boolean 0 or 1, and a structure exactly as long as its items: no client is known to need less.
func Parse(b []byte, l Limits) (*Item, error) {
	if len(b) > l.size() {
		return nil, &Error{Kind: TooLarge, Reason: "more bytes than are allowed"}
	}
	p := parser{b: b, walk: newWalk(l)}
	end, err := p.check(0, len(b))
	if err != nil {
		return nil, err
	}
	if end != len(b) {
		return nil, p.fail(Malformed, int64(end), "bytes follow the item")
	}
	p.slab = make([]Item, p.items)
	root := p.take(1)
	p.build(&root[0], 0)
	return &root[0], nil
}

// parser goes over the bytes twice: to check everything and count the items, then to build them in one slab.
type parser struct {
	walk
	b    []byte
	slab []Item
}

type header struct {
	tag    Tag
	typ    Type
	length int64
}

// readHeader decodes the first eight bytes of b.
func readHeader(b []byte) header {
	word := binary.BigEndian.Uint64(b)
	return header{Tag(word >> 40), Type(word >> 32), int64(uint32(word))}
}

// bad says what is wrong with h by itself, "" if nothing is.
func (h header) bad() string {
	switch {
	case !h.tag.Valid():
		return "the tag is neither the protocol's nor a vendor's"
	case !h.typ.Valid():
		return "the type " + h.typ.String() + " is not defined"
	case h.typ.size() != 0 && h.length != int64(h.typ.size()):
		return "the length does not fit the type " + h.typ.String()
	case h.typ == TypeStructure && h.length%8 != 0:
		return "the length of a Structure is no multiple of 8"
	case h.typ == TypeBigInteger && (h.length == 0 || h.length%8 != 0):
		return "the length of a BigInteger is no multiple of 8"
	}
	return ""
}

// padded returns the length with the padding behind the value.
func (h header) padded() int64 { return (h.length + 7) &^ 7 }

// next returns where the item behind an item at offset at begins. It is right for a header that check has passed.
func (h header) next(at int) int { return at + headerSize + int(h.padded()) }

// check checks the item at offset at, which has to end at or before end, and returns where it ends.
func (p *parser) check(at, end int) (int, error) {
	if err := p.enter(int64(at)); err != nil {
		return 0, err
	}
	if end-at < headerSize {
		return 0, p.fail(Malformed, int64(at), "the bytes end inside a header")
	}
	h := readHeader(p.b[at:])
	if h.tag.Valid() {
		p.push(h.tag)
		defer p.pop()
	}
	if reason := h.bad(); reason != "" {
		return 0, p.fail(Malformed, int64(at), reason)
	}
	if h.padded() > int64(end-at-headerSize) {
		return 0, p.fail(Malformed, int64(at), "the value is longer than what is around it")
	}
	return h.next(at), p.checkValue(h, at)
}

func (p *parser) checkValue(h header, at int) error {
	value := p.value(h, at)
	if h.typ == TypeStructure {
		return p.checkItems(at+headerSize, h.next(at))
	}
	for _, c := range p.b[at+headerSize+len(value) : h.next(at)] {
		if c != 0 {
			return p.fail(Malformed, int64(at), "the padding is not zero")
		}
	}
	if h.typ == TypeBoolean && binary.BigEndian.Uint64(value) > 1 {
		return p.fail(Malformed, int64(at), "a Boolean is neither 0 nor 1")
	}
	if h.typ == TypeTextString && !utf8.Valid(value) {
		return p.fail(Malformed, int64(at), "the text is not UTF-8")
	}
	return nil
}

func (p *parser) checkItems(at, end int) (err error) {
	for at < end && err == nil {
		at, err = p.check(at, end)
	}
	return err
}

// value returns the bytes of a value, without its padding.
func (p *parser) value(h header, at int) []byte {
	from, end := at+headerSize, at+headerSize+int(h.length)
	return p.b[from:end:end]
}

// take returns the next n items of the slab. Appending to them moves them, instead of overwriting what is behind.
func (p *parser) take(n int) []Item {
	taken := p.slab[:n:n]
	p.slab = p.slab[n:]
	return taken
}

// build fills it from the bytes at offset at, which check has passed.
func (p *parser) build(it *Item, at int) {
	h := readHeader(p.b[at:])
	it.Tag, it.typ = h.tag, h.typ
	switch value := p.value(h, at); {
	case h.typ == TypeStructure:
		p.buildItems(it, at+headerSize, h.next(at))
	case h.typ.bytes():
		it.raw = value
	case len(value) == 4:
		it.num = uint64(binary.BigEndian.Uint32(value))
	default:
		it.num = binary.BigEndian.Uint64(value)
	}
}

// buildItems takes the structure's items from the slab in one piece, then fills them.
func (p *parser) buildItems(it *Item, from, end int) {
	n := 0
	for at := from; at < end; at = readHeader(p.b[at:]).next(at) {
		n++
	}
	it.items = p.take(n)
	for i := range it.items {
		p.build(&it.items[i], from)
		from = readHeader(p.b[from:]).next(from)
	}
}
