package ttlv

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner goes over JSON text (RFC 8259). It takes only what the KMIP encoding has a use for: objects, arrays, strings, whole
// numbers and truth values. A method that fails returns false and leaves the place of the fault in at.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\t' || s.b[s.at] == '\n' || s.b[s.at] == '\r') {
		s.at++
	}
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	if s.space(); s.at < len(s.b) {
		return s.b[s.at]
	}
	return 0
}

// take passes over c, if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at == len(s.b) {
		return false
	}
	s.at++
	return true
}

// bare passes over a number or a truth value, and returns it.
func (s *scanner) bare() ([]byte, bool) {
	from := s.at
	for s.at < len(s.b) && (alphanumeric(s.b[s.at]) || s.b[s.at] == '-') {
		s.at++
	}
	switch word := s.b[from:s.at:s.at]; string(word) {
	case "true", "false":
		return word, true
	default:
		return word, wholeNumber(word)
	}
}

// wholeNumber reports whether b is a number as JSON writes it, without a fraction or an exponent.
func wholeNumber(b []byte) bool {
	digits := bytes.TrimPrefix(b, []byte("-"))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(digits) > 0 && (digits[0] != '0' || len(digits) == 1)
}

// text passes over a string and returns what it says: bytes of the input, unless something in it is escaped.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	from := s.at
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			return s.b[from : s.at-1 : s.at-1], true
		case c == '\\':
			return s.escapedText(from)
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// escapedText is text for a string that begins at from and has its first escape where the scanner is. The copy is as large as
// the rest of the string at most, and made once.
func (s *scanner) escapedText(from int) ([]byte, bool) {
	end := stringEnd(s.b, s.at)
	if end < 0 {
		return nil, false
	}
	out := append(make([]byte, 0, end-from), s.b[from:s.at]...)
	for s.at < end {
		c := s.b[s.at]
		s.at++
		if c < ' ' {
			return nil, false
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		r, ok := s.escape()
		if !ok {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
	}
	s.at++
	return out, true
}

// stringEnd returns the place of the quote that ends the string, -1 if there is none.
func stringEnd(b []byte, at int) int {
	for ; at < len(b); at++ {
		switch b[at] {
		case '"':
			return at
		case '\\':
			at++
		}
	}
	return -1
}

// escape passes over what follows a backslash. Half of a surrogate pair is refused.
func (s *scanner) escape() (rune, bool) {
	c := s.b[s.at] // there is one: stringEnd has been past it
	s.at++
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	if c != 'u' {
		return 0, false
	}
	r, ok := s.unit()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if !bytes.HasPrefix(s.b[s.at:], []byte(`\u`)) {
		return 0, false
	}
	s.at += 2
	low, ok := s.unit()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

// unit passes over four hexadecimal digits.
func (s *scanner) unit() (rune, bool) {
	if len(s.b)-s.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.b[s.at:s.at+4]), 16, 16)
	s.at += 4
	return rune(n), err == nil
}
