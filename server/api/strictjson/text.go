package strictjson

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// span is the inside of a JSON string as it stands in the body.
type span struct {
	raw     []byte
	escaped bool
}

// str passes a string: escapes are checked, and that it is UTF-8 with whole surrogate pairs.
func (s *scanner) str() (span, error) {
	if err := s.take('"'); err != nil {
		return span{}, err
	}
	start, escaped, wide := s.pos, false, false
	for s.skipPlain(); s.pos < len(s.in); s.skipPlain() {
		switch c := s.in[s.pos]; {
		case c == '"':
			raw := s.in[start:s.pos]
			if wide && !utf8.Valid(raw) {
				return span{}, s.bad("a string is not UTF-8: send bytes as base64")
			}
			s.pos++
			return span{raw, escaped}, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return span{}, err
			}
		case c < ' ':
			return span{}, s.bad("a control character in a string is not escaped")
		default:
			wide = wide || c >= utf8.RuneSelf
			s.pos++
		}
	}
	return span{}, s.bad("a string does not end")
}

// skipPlain passes bytes of ASCII that need no look one by one, eight at a time: most of a large body are such.
func (s *scanner) skipPlain() {
	for s.pos+8 <= len(s.in) && !special(binary.LittleEndian.Uint64(s.in[s.pos:])) {
		s.pos += 8
	}
}

// special reports whether one of eight bytes is a quote, a backslash, a control character, or beyond ASCII. It may say so of eight that follow such a byte's
// borrow, never the other way round.
func special(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^ones*'"', x^ones*'\\'
	return (x|(x-ones*' ')|(quote-ones)&^quote|(backslash-ones)&^backslash)&tops != 0
}

func (s *scanner) escape() error {
	rest := s.in[s.pos:]
	if len(rest) < 2 {
		return s.bad("a string does not end")
	}
	if simple(rest[1]) != 0 {
		s.pos += 2
		return nil
	}
	_, n := unicodeEscape(rest)
	if n == 0 {
		return s.bad("an escape in a string is none of JSON's, or half a surrogate pair")
	}
	s.pos += n
	return nil
}

// simple returns what a one-letter escape stands for, 0 if c is none.
func simple(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unicodeEscape reads \uXXXX, or two of them that make a pair, and returns how long it was; 0 if it is damaged.
func unicodeEscape(b []byte) (rune, int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hex4(b[6:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// bytes returns the string's meaning: the body's own bytes when nothing is escaped.
func (p span) bytes() []byte {
	if !p.escaped {
		return p.raw
	}
	return p.appendTo(make([]byte, 0, len(p.raw)))
}

// appendTo writes the string's meaning, which is never longer than its raw form.
func (p span) appendTo(out []byte) []byte {
	for b := p.raw; len(b) > 0; {
		if b[0] != '\\' {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		if c := simple(b[1]); c != 0 {
			out, b = append(out, c), b[2:]
			continue
		}
		r, n := unicodeEscape(b)
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	return out
}

// AppendString writes text, which must be UTF-8, as a JSON string.
func AppendString[T ~string | ~[]byte](out []byte, text T) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c < ' ' || c == 0x7f:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
