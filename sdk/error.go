package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Kind says what can be done about an error. The set is closed and the same as in the API's problem documents.
type Kind string

// The kinds.
const (
	Internal        Kind = "internal"
	Invalid         Kind = "invalid"
	Unauthenticated Kind = "unauthenticated"
	Denied          Kind = "denied"
	NotFound        Kind = "not-found"
	Conflict        Kind = "conflict"
	KeyReused       Kind = "key-reused"
	TooLarge        Kind = "too-large"
	Limit           Kind = "limit"
	RateLimited     Kind = "rate-limited"
	NotDone         Kind = "not-done"        // definitely not done
	OutcomeUnknown  Kind = "outcome-unknown" // may have been done: repeat with the same key
	Sealed          Kind = "sealed"
	NoSpace         Kind = "no-space"
	Corrupt         Kind = "corrupt"
)

// Error is every failure of a call, whether a node answered it or none could be asked.
type Error struct {
	Status    int // HTTP status; 0 if no node answered
	Kind      Kind
	Detail    string // for people; holds no secret
	Field     string // the request's field at fault, if one is
	RequestID string // to be found again in the node's log
	Address   string // the node that was asked last
	Key       string // the call's idempotency key, when Kind is OutcomeUnknown

	retryAfter time.Duration
	hopeless   bool // this address will answer the same until somebody acts
	cause      error
}

func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = string(e.Kind)
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Unwrap returns the network's or the context's error, if one is the cause.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the *Error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

func invalid(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Detail: fmt.Sprintf(format, args...)}
}

type problem struct {
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Kind      Kind   `json:"kind"`
	Field     string `json:"field"`
	RequestID string `json:"request_id"`
}

// refusal makes the error of an answer that is not 2xx. A body that is no problem document counts for nothing.
func refusal(address string, status int, h http.Header, body []byte) *Error {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		p = problem{}
	}
	e := &Error{Status: status, Kind: p.Kind, Detail: p.Detail, Field: p.Field, RequestID: p.RequestID, Address: address}
	if e.Kind == "" {
		e.Kind = kindOfStatus(status)
	}
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("%s answered %d %s", address, status, orDefault(p.Title, http.StatusText(status)))
	}
	if e.RequestID == "" {
		e.RequestID = h.Get("X-Request-Id")
	}
	e.hopeless = e.Kind == Sealed
	e.retryAfter = parseRetryAfter(h.Get("Retry-After"))
	return e
}

// kindOfStatus is for answers of something in between, such as a load balancer, that knows no kinds.
func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusBadRequest:
		return Invalid
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusServiceUnavailable:
		return NotDone
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return OutcomeUnknown
	case http.StatusInsufficientStorage:
		return NoSpace
	}
	return Internal
}

// parseRetryAfter reads whole seconds; what is absent or in another form counts as 0.
func parseRetryAfter(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
