package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// outcome is how a kind of failure looks in HTTP.
type outcome struct {
	status int
	title  string
}

// outcomes is the one map from kinds to HTTP.
var outcomes = map[fault.Kind]outcome{
	fault.Internal:        {http.StatusInternalServerError, "Internal error"},
	fault.Invalid:         {http.StatusBadRequest, "The request is malformed"},
	fault.Unauthenticated: {http.StatusUnauthorized, "The token is missing or not valid"},
	fault.Denied:          {http.StatusForbidden, "Not allowed"},
	fault.NotFound:        {http.StatusNotFound, "Not found"},
	fault.Conflict:        {http.StatusConflict, "A condition of the request does not hold"},
	fault.KeyReused:       {http.StatusUnprocessableEntity, "The idempotency key was used for another request"},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "Too large"},
	fault.Limit:           {http.StatusUnprocessableEntity, "A limit is reached"},
	fault.RateLimited:     {http.StatusTooManyRequests, "Too many requests"},
	fault.NotDone:         {http.StatusServiceUnavailable, "Not done, try again"},
	fault.Unknown:         {http.StatusGatewayTimeout, "It is not known whether it was done"},
	fault.Sealed:          {http.StatusServiceUnavailable, "The node is sealed"},
	fault.NoSpace:         {http.StatusInsufficientStorage, "The disk is full"},
	fault.Corrupt:         {http.StatusInternalServerError, "Stored data is damaged"},
}

// problem is the body of every refusal (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Kind      string `json:"kind"`
	Field     string `json:"field,omitempty"`
	RequestID string `json:"request_id"`
	after     time.Duration
}

// problemOf classifies err. The detail of what nobody classified stays in the log, and so does every cause.
func problemOf(err error, request string) problem {
	if errors.Is(err, mux.ErrMethodMismatch) {
		return problem{Type: "urn:trstctl:problem:method", Title: "The route does not take this method", Status: http.StatusMethodNotAllowed,
			Detail: "see the Allow header", Kind: fault.Invalid.String(), RequestID: request}
	}
	p := problem{Detail: "internal error: the node's log has the details under this request id", RequestID: request}
	kind := fault.KindOf(err)
	if kind == fault.Internal && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		err, kind = errTooLong(), fault.NotDone // what may have been done is fault.Unknown already
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && kind != fault.Internal {
		p.Detail, p.Field, p.after = e.Message, e.Field, e.RetryAfter
	}
	if kind == fault.KeyReused {
		p.Field = idempotencyKey
	}
	o := outcomes[kind]
	p.Kind, p.Type, p.Title, p.Status = kind.String(), "urn:trstctl:problem:"+kind.String(), o.title, o.status
	return p
}

func errTooLong() error {
	return fault.New(fault.NotDone, "the request took longer than it may: nothing was done, try again").After(time.Second)
}

// appendJSON writes p; messages may quote what callers sent.
func (p problem) appendJSON(b []byte) []byte {
	b = appendField(append(b, '{'), "type", p.Type)
	b = appendField(append(b, ','), "title", p.Title)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(p.Status), 10)
	b = appendField(append(b, ','), "detail", toValid(p.Detail))
	b = appendField(append(b, ','), "kind", p.Kind)
	if p.Field != "" {
		b = appendField(append(b, ','), "field", toValid(p.Field))
	}
	b = appendField(append(b, ','), "request_id", p.RequestID)
	return append(b, '}', '\n')
}

// WriteProblem answers with the problem that err is, for handlers beside this API. An empty request id is left empty.
func WriteProblem(w http.ResponseWriter, err error, request string) {
	p := problemOf(err, request)
	w.Header()["Content-Type"] = problemType
	p.retryAfter(w.Header())
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.appendJSON(nil)) // when the caller has gone there is nobody to tell
}

// retryAfter says when another attempt makes sense, in whole seconds.
func (p problem) retryAfter(h http.Header) {
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(max(1, int((p.after+time.Second-1)/time.Second))))
	}
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), '"', ':')
	return strictjson.AppendString(b, value)
}

func appendNumber(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(append(append(append(b, '"'), name...), '"', ':'), n, 10)
}

// appendSecret writes bytes in base64, through no string.
func appendSecret(b []byte, name string, value []byte) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	return append(base64.StdEncoding.AppendEncode(b, value), '"')
}

// refuse answers with the problem that err is.
func (c *call) refuse(err error) {
	p := problemOf(err, c.id)
	h := c.w.Header()
	h["Content-Type"] = problemType
	if p.Status == http.StatusMethodNotAllowed {
		h["Allow"] = c.api.methods(c.r)
	}
	if p.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = bearerChallenge
	}
	p.retryAfter(h)
	c.err = err
	c.send(p.Status, p.appendJSON(nil))
}
