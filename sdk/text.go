package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const redacted = "[redacted]"

// Secret holds a token. It is read from a JSON string and prints as [redacted] through every formatter, JSON included.
type Secret []byte

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// Format ignores the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue keeps it out of structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes [redacted]; use Text to write the secret itself.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// UnmarshalJSON reads a JSON string without a detour over an immutable string.
func (s *Secret) UnmarshalJSON(b []byte) (err error) {
	*s, err = unquote(b)
	return err
}

// Text is bytes that travel as a JSON string. They should be valid UTF-8; other bytes become U+FFFD.
type Text []byte

// MarshalJSON quotes t.
func (t Text) MarshalJSON() ([]byte, error) { return quote(t), nil }

// UnmarshalJSON reads a JSON string without a detour over an immutable string.
func (t *Text) UnmarshalJSON(b []byte) (err error) {
	*t, err = unquote(b)
	return err
}

func quote(t []byte) []byte {
	const hex = "0123456789abcdef"
	out := append(make([]byte, 0, len(t)+len(t)/8+2), '"')
	for len(t) > 0 {
		r, n := utf8.DecodeRune(t)
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029': // what a terminal or JavaScript acts on
			out = append(out, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
		t = t[n:]
	}
	return append(out, '"')
}

var errNotString = errors.New("not a JSON string")

// unquote decodes a JSON string that encoding/json has already found to be well formed; null gives nil.
func unquote(b []byte) ([]byte, error) {
	if bytes.Equal(b, []byte("null")) {
		return nil, nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return nil, errNotString
	}
	b = b[1 : len(b)-1]
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] != '\\' {
			r, n := utf8.DecodeRune(b)
			out, b = utf8.AppendRune(out, r), b[n:]
			continue
		}
		r, n, err := unescape(b)
		if err != nil {
			return nil, err
		}
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	return out, nil
}

// unescape decodes the escape at the start of b and returns its length. Half a surrogate pair becomes U+FFFD.
func unescape(b []byte) (rune, int, error) {
	if len(b) < 2 {
		return 0, 0, errNotString
	}
	if b[1] != 'u' {
		i := bytes.IndexByte([]byte(`"\/bfnrt`), b[1])
		if i < 0 {
			return 0, 0, errNotString
		}
		return rune("\"\\/\b\f\n\r\t"[i]), 2, nil
	}
	r, err := hex4(b)
	if err != nil || !utf16.IsSurrogate(r) {
		return r, 6, err
	}
	if low, err := hex4(b[6:]); err == nil {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12, nil
		}
	}
	return utf8.RuneError, 6, nil
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, error) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, errNotString
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0, errNotString
	}
	return rune(n), nil
}
