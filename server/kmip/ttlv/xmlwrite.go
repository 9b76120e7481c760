package ttlv

import (
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"
)

// MarshalXML returns the XML encoding of it, indented by two spaces. See AppendXML.
func MarshalXML(it *Item, l Limits) ([]byte, error) { return AppendXML(nil, it, l) }

// AppendXML appends the XML encoding of it (KMIP Profiles 1.4, "XML Encoding") to b, which grows at most once. ParseXML under the
// same limits reads the same tree. The error is as for Append, and Malformed also for a text with a control character, which XML
// cannot hold.
func AppendXML(b []byte, it *Item, l Limits) ([]byte, error) {
	w := newWalk(l)
	if _, err := w.measure(it); err != nil {
		return b, err
	}
	if err := w.checkXML(it); err != nil {
		return b, err
	}
	from := len(b)
	b = appendXMLItem(slices.Grow(b, xmlBound(it, 0)), it, it.Tag, 0)
	if len(b)-from > l.size() {
		clear(b[from:])
		return b[:from], &Error{Kind: TooLarge, Offset: -1, Reason: "the message is larger than is allowed"}
	}
	return b, nil
}

// checkXML looks for text that XML 1.0 has no form for.
func (w *walk) checkXML(it *Item) error {
	w.push(it.Tag)
	defer w.pop()
	for rest := it.raw; it.typ == TypeTextString && len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return w.fail(Malformed, -1, "the text has a character that XML does not allow")
		}
		rest = rest[n:]
	}
	for i := range it.Items() {
		if err := w.checkXML(&it.items[i]); err != nil {
			return err
		}
	}
	return nil
}

// xmlBound is no less than the bytes that appendXMLItem writes, so that no copy of a value stays behind in a buffer that was too
// small: names and masks are below 700 bytes, a byte takes at most six.
func xmlBound(it *Item, depth int) int {
	n := 2*2*depth + 2*len(it.Tag.String()) + 96 + 6*len(it.raw)
	if it.typ == TypeInteger || it.typ == TypeEnumeration {
		n += 700
	}
	for i := range it.Items() {
		n += xmlBound(&it.items[i], depth+1)
	}
	return n
}

func appendXMLItem(b []byte, it *Item, names Tag, depth int) []byte {
	b = appendXMLName(appendIndent(b, depth), it)
	if it.typ != TypeStructure {
		b = append(append(append(b, ` type="`...), it.typ.String()...), `" value="`...)
		return append(appendXMLValue(b, it, names), "\"/>\n"...)
	}
	if len(it.items) == 0 {
		return append(b, "/>\n"...)
	}
	b = append(b, ">\n"...)
	var n naming
	for i := range it.items {
		n.note(&it.items[i])
		b = appendXMLItem(b, &it.items[i], n.of(it.items[i].Tag), depth+1)
	}
	return appendXMLEnd(appendIndent(b, depth), it)
}

func appendXMLName(b []byte, it *Item) []byte {
	if it.Tag.Title() == "" {
		return append(append(append(b, `<TTLV tag="`...), it.Tag.String()...), '"')
	}
	return append(append(b, '<'), it.Tag.String()...)
}

func appendXMLEnd(b []byte, it *Item) []byte {
	if it.Tag.Title() == "" {
		return append(b, "</TTLV>\n"...)
	}
	return append(append(append(b, "</"...), it.Tag.String()...), ">\n"...)
}

func appendXMLValue(b []byte, it *Item, names Tag) []byte {
	switch it.typ {
	case TypeInteger, TypeEnumeration:
		word, _ := it.word(names, " ")
		return append(b, word...)
	case TypeLongInteger:
		return strconv.AppendInt(b, int64(it.num), 10)
	case TypeBoolean:
		return strconv.AppendBool(b, it.num != 0)
	case TypeInterval:
		return strconv.AppendUint(b, it.num, 10)
	case TypeTextString:
		return appendXMLText(b, it.raw)
	case TypeBigInteger, TypeByteString:
		return hex.AppendEncode(b, it.raw)
	}
	return append(b, it.dateText()...)
}

// appendXMLText escapes what would end an attribute's value or be changed in it.
func appendXMLText(b, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '<', '>', '&', '"', '\'', '\t', '\n', '\r':
			b = append(strconv.AppendUint(append(b, "&#"...), uint64(c), 10), ';')
		default:
			b = append(b, c)
		}
	}
	return b
}

func appendIndent(b []byte, depth int) []byte {
	for range depth {
		b = append(b, ' ', ' ')
	}
	return b
}
