// Package strictjson reads request bodies: JSON (RFC 8259) of one meaning only.
//
// Check runs before anyone is authenticated and costs time and memory in proportion to the body, whatever is in it: at most
// MaxDepth levels, MaxMembers names in an object, no name twice, nothing behind the value, valid UTF-8 without lone
// surrogates. A Decoder then fills a Go struct and refuses what the struct does not name. Values that are secret go from the
// body into a []byte without passing through a string.
//
// Every refusal is a fault.Invalid that names the field, and never its value.
package strictjson

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm/fault"
)

// What a body may hold.
const (
	MaxDepth   = 32  // objects and arrays inside each other
	MaxMembers = 256 // names in one object
)

// Check refuses what is not one strict JSON object. It needs no idea of what the body is for.
func Check(body []byte) error {
	s := scanner{in: body}
	s.space()
	if s.peek() != '{' {
		return fault.New(fault.Invalid, "the body is not a JSON object")
	}
	if err := s.value(1); err != nil {
		return err
	}
	if s.space(); s.pos != len(s.in) {
		return s.bad("something follows the object")
	}
	return nil
}

// scanner walks over a body. It never reads beyond it.
type scanner struct {
	in  []byte
	pos int
}

func (s *scanner) bad(format string, args ...any) error {
	return fault.New(fault.Invalid, "the body is not valid JSON at byte %d: %s", s.pos, fmt.Sprintf(format, args...))
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.in) {
		return s.in[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.in) {
		switch s.in[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take passes c or fails.
func (s *scanner) take(c byte) error {
	if s.peek() != c {
		return s.bad("%q is missing", c)
	}
	s.pos++
	return nil
}

// value passes one value; depth is its own level if it is an object or array.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth, func(int) error { return s.value(depth + 1) })
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	default:
		return s.literal()
	}
}

func (s *scanner) literal() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.in[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.bad("no value is here")
}

func (s *scanner) object(depth int) error {
	var seen names
	return s.members(depth, func(name []byte) error {
		if err := seen.add(s, name); err != nil {
			return err
		}
		return s.value(depth + 1)
	})
}

// members passes an object; visit must pass each value. The name is valid during the call.
func (s *scanner) members(depth int, visit func(name []byte) error) error {
	return s.list(depth, '{', '}', func(int) error {
		span, err := s.str()
		if err != nil {
			return err
		}
		s.space()
		if err := s.take(':'); err != nil {
			return err
		}
		s.space()
		return visit(span.bytes())
	})
}

// array passes an array; visit must pass each value.
func (s *scanner) array(depth int, visit func(i int) error) error {
	return s.list(depth, '[', ']', visit)
}

func (s *scanner) list(depth int, first, last byte, visit func(i int) error) error {
	if depth > MaxDepth {
		return s.bad("objects and arrays are nested deeper than %d", MaxDepth)
	}
	if err := s.take(first); err != nil {
		return err
	}
	if s.space(); s.peek() == last {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := visit(i); err != nil {
			return err
		}
		if s.space(); s.peek() == last {
			s.pos++
			return nil
		}
		if err := s.take(','); err != nil {
			return err
		}
		s.space()
	}
}

// number passes a number and returns its text.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return nil, err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return nil, err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if err := s.digits(); err != nil {
			return nil, err
		}
	}
	return s.in[start:s.pos], nil
}

func (s *scanner) digits() error {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	if s.pos == start {
		return s.bad("a digit is missing")
	}
	return nil
}

// names finds a name that comes twice: a few by comparing, many by a map.
type names struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

func (m *names) add(s *scanner, name []byte) error {
	if m.n == MaxMembers {
		return s.bad("an object has more than %d names", MaxMembers)
	}
	if m.has(name) {
		return fault.Bad(show(name), "the name comes twice in one object")
	}
	if m.n < len(m.few) {
		m.few[m.n] = name
	} else {
		if m.many == nil {
			m.many = make(map[string]struct{}, 2*len(m.few))
		}
		m.many[string(name)] = struct{}{}
	}
	m.n++
	return nil
}

func (m *names) has(name []byte) bool {
	for _, old := range m.few[:min(m.n, len(m.few))] {
		if bytes.Equal(old, name) {
			return true
		}
	}
	_, found := m.many[string(name)]
	return found
}

// show makes a caller's name fit for a message: short and printable.
func show(name []byte) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	out := make([]byte, 0, len(name))
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			r = '?'
		}
		out = utf8.AppendRune(out, r)
		name = name[n:]
	}
	return string(out)
}
