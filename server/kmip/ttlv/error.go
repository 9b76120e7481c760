package ttlv

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what went wrong, so that a server can answer with the right KMIP result reason.
type Kind uint8

// The kinds. Their order has no meaning.
const (
	Closed     Kind = iota + 1 // the peer closed before the first byte of a message: nothing is wrong
	Broken                     // the connection failed or ended inside a message; the cause says how
	TooLarge                   // more bytes than Limits.Size; a reader has not read them
	TooComplex                 // nested deeper than Limits.Depth, or more items than Limits.Items
	Malformed                  // no TTLV, XML or JSON of KMIP
	Missing                    // an item that was asked for is not there
	Mismatch                   // an item is there and has another type than was asked for
)

var kindNames = [...]string{
	Closed: "closed", Broken: "broken", TooLarge: "too large", TooComplex: "too complex", Malformed: "malformed",
	Missing: "missing", Mismatch: "mismatch",
}

// String returns the kind in words.
func (k Kind) String() string {
	if k >= Closed && k <= Mismatch {
		return kindNames[k]
	}
	return "unclassified"
}

// Error is why a message could not be read, written or used. It holds tags, types, lengths and places, never a value.
type Error struct {
	Kind   Kind
	Offset int64 // of the item at fault, in bytes from the start of the message; -1 where there are no bytes
	Path   []Tag // the items around it and, where its tag is known, itself, outermost first
	Reason string

	cause error
}

// Error returns all of it on one line.
func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if len(e.Path) > 0 {
		s += " in " + pathString(e.Path)
	}
	if s += ": " + e.Reason; e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the connection's error of a Broken or Closed one.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the first Error in err's chain, 0 if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func pathString(path []Tag) string {
	names := make([]string, len(path))
	for i, t := range path {
		names[i] = t.String()
	}
	return strings.Join(names, "/")
}
