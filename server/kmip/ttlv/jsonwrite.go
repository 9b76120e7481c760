package ttlv

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// MarshalJSON returns the JSON encoding of it, without white space. See AppendJSON.
func MarshalJSON(it *Item, l Limits) ([]byte, error) { return AppendJSON(nil, it, l) }

// AppendJSON appends the JSON encoding of it (KMIP Profiles 1.4, "JSON Encoding") to b, which grows at most once. ParseJSON under the
// same limits reads the same tree. The error is as for Append.
func AppendJSON(b []byte, it *Item, l Limits) ([]byte, error) {
	w := newWalk(l)
	if _, err := w.measure(it); err != nil {
		return b, err
	}
	from := len(b)
	b = appendJSONItem(slices.Grow(b, jsonBound(it)), it, it.Tag)
	if len(b)-from > l.size() {
		clear(b[from:])
		return b[:from], &Error{Kind: TooLarge, Offset: -1, Reason: "the message is larger than is allowed"}
	}
	return b, nil
}

// jsonBound is no less than the bytes that appendJSONItem writes, for the reason that xmlBound gives.
func jsonBound(it *Item) int { return xmlBound(it, 0) }

func appendJSONItem(b []byte, it *Item, names Tag) []byte {
	b = append(append(append(b, `{"tag":"`...), it.Tag.String()...), '"')
	if it.typ != TypeStructure {
		b = append(append(append(b, `,"type":"`...), it.typ.String()...), `","value":`...)
		return append(appendJSONValue(b, it, names), '}')
	}
	b = append(b, `,"value":[`...)
	var n naming
	for i := range it.items {
		if i > 0 {
			b = append(b, ',')
		}
		n.note(&it.items[i])
		b = appendJSONItem(b, &it.items[i], n.of(it.items[i].Tag))
	}
	return append(b, "]}"...)
}

func appendJSONValue(b []byte, it *Item, names Tag) []byte {
	switch it.typ {
	case TypeInteger, TypeEnumeration:
		word, quoted := it.word(names, "|")
		if quoted {
			return appendQuoted(b, word)
		}
		return append(b, word...)
	case TypeLongInteger:
		return appendJSONLong(b, int64(it.num))
	case TypeBoolean:
		return strconv.AppendBool(b, it.num != 0)
	case TypeInterval:
		return strconv.AppendUint(b, it.num, 10)
	case TypeTextString:
		return appendJSONText(b, it.raw)
	case TypeBigInteger:
		return append(hex.AppendEncode(append(b, `"0x`...), it.raw), '"')
	case TypeByteString:
		return append(hex.AppendEncode(append(b, '"'), it.raw), '"')
	}
	return appendQuoted(b, it.dateText())
}

func appendQuoted(b []byte, word string) []byte { return append(append(append(b, '"'), word...), '"') }

// appendJSONLong writes what a reader with 64-bit floating point would change as a hexadecimal string.
func appendJSONLong(b []byte, n int64) []byte {
	if n > 1<<53 || n < -1<<53 {
		return fmt.Appendf(b, `"0x%016x"`, uint64(n))
	}
	return strconv.AppendInt(b, n, 10)
}

func appendJSONText(b, text []byte) []byte {
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
