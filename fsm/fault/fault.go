// Package fault is the closed set of failures that a caller can act on.
//
// Every package below the server refuses with one of these kinds; server/api maps them to HTTP in one place and KMIP will
// map them in another. An error that carries no kind is Internal: it is logged in full and shown as "internal error".
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a caller can do about a failure.
type Kind uint8

// The kinds. Their order has no meaning and is not stored anywhere.
const (
	Internal        Kind = iota // nobody classified it: a defect or a broken dependency
	Invalid                     // the request is malformed; the message names the field
	Unauthenticated             // no token, or one that is not alive
	Denied                      // the token is alive and may not do this
	NotFound                    // no such object, or one of another tenant
	Conflict                    // a condition that the caller stated does not hold
	KeyReused                   // the idempotency key was used for another request
	TooLarge                    // a body or value is above its limit
	Limit                       // a quota or count is reached
	RateLimited                 // too many requests; try later
	NotDone                     // definitely not done; the same request may be repeated at once
	Unknown                     // may or may not have been done; repeat with the same idempotency key
	Sealed                      // the node has no keys
	NoSpace                     // the disk reserve is reached; deletes still work
	Corrupt                     // stored bytes do not verify
)

var names = [...]string{"internal", "invalid", "unauthenticated", "denied", "not-found", "conflict", "key-reused", "too-large",
	"limit", "rate-limited", "not-done", "outcome-unknown", "sealed", "no-space", "corrupt"}

// String returns the kind's name as it stands in problem documents.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Parse returns the kind with this name, Internal if there is none.
func Parse(name string) Kind {
	for i, n := range names {
		if n == name {
			return Kind(i)
		}
	}
	return Internal
}

// Error is a classified failure. Its message is lower case, names the thing and holds no secret.
type Error struct {
	Kind       Kind
	Message    string
	Field      string        // the request field at fault, if one is
	RetryAfter time.Duration // when another attempt makes sense; 0 says nothing
	cause      error
}

// New makes a classified error.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Bad makes an Invalid error about one field of the request.
func Bad(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of e that also wraps cause, which is logged and never shown.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e that tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the outermost classified error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
