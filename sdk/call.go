package sdk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// request is one logical call, whatever the number of attempts.
type request struct {
	method string
	path   string // escaped, from the root
	query  url.Values
	body   any // marshalled to JSON; nil for none
	kind   effect
}

// effect says what a call may change, and so how it is repeated.
type effect uint8

const (
	reads    effect = iota // repeated freely; has a consistency level
	mutates                // has an idempotency key
	observes               // about one node at this moment: asked once, never repeated
	ofNow                  // changes nothing and is repeated freely; answered from the present alone, it takes no level
)

const api = "/api/v1"

type keyOfCall struct{}

// WithKey gives the one mutation made under the returned context this idempotency key (1 to 128 printable ASCII characters)
// instead of a random one: to repeat a call whose outcome is unknown.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOfCall{}, key)
}

func newKey(ctx context.Context) string {
	if k, ok := ctx.Value(keyOfCall{}).(string); ok && k != "" {
		return k
	}
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// do runs the call and decodes its answer into out, unless out is nil.
func (c *Client) do(ctx context.Context, r request, out any) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	p, err := c.prepare(ctx, r)
	if err != nil {
		return err
	}
	answer, err := c.settle(ctx, p)
	if err != nil || out == nil {
		clear(answer)
		return err
	}
	defer clear(answer) // it may have held a secret
	if err := json.Unmarshal(answer, out); err != nil {
		return &Error{Status: http.StatusOK, Kind: Internal, Detail: "the node's answer is not understood: is something between it and you?", cause: err}
	}
	return nil
}

func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// prepared is a call with everything fixed that its attempts have in common.
type prepared struct {
	request
	payload []byte
	key     string
	index   string
	target  string // path and query
}

func (c *Client) prepare(ctx context.Context, r request) (prepared, error) {
	p := prepared{request: r}
	if r.body != nil {
		var err error
		if p.payload, err = json.Marshal(r.body); err != nil {
			return p, invalid("body", "the request cannot be written as JSON: %v", err)
		}
	}
	query := url.Values{}
	for k, v := range r.query {
		query[k] = v
	}
	switch r.kind {
	case mutates:
		p.key = newKey(ctx)
	case reads:
		p.index = c.consistency(query)
	}
	p.target = r.path
	if len(query) > 0 {
		p.target += "?" + query.Encode()
	}
	return p, nil
}

// settle asks one node after the other until one answers for good.
func (c *Client) settle(ctx context.Context, p prepared) ([]byte, error) {
	route, doubt, told := c.nodes.route(), (*Error)(nil), (*Error)(nil)
	for {
		answer, e := c.try(ctx, route.address(), p)
		if e == nil {
			route.answered()
			return answer, nil
		}
		if e.Kind == OutcomeUnknown && p.kind != mutates {
			e.Kind = NotDone // it has no effect that could be in doubt
		}
		if e.Kind == OutcomeUnknown {
			doubt = e
		}
		if e.Status > 0 {
			told = e
		}
		if p.kind == observes || !repeatable(e.Kind) || ctx.Err() != nil {
			return nil, verdict(p, e.or(told), doubt)
		}
		pause := route.failed(time.Now(), e)
		if route.lost() || !wait(ctx, pause) {
			return nil, verdict(p, e.or(told), doubt)
		}
	}
}

// or prefers what a node has told to what was never answered: it says more about why nothing could be done.
func (e *Error) or(told *Error) *Error {
	if told == nil || e.Status > 0 || e.Kind != NotDone || e.hopeless {
		return e
	}
	out := *told
	out.Detail += " (and " + e.Detail + ")"
	return &out
}

// repeatable reports whether the same request may succeed later or elsewhere.
func repeatable(k Kind) bool {
	switch k {
	case NotDone, OutcomeUnknown, Sealed, RateLimited:
		return true
	}
	return false
}

// wait pauses for d; false means that the deadline comes first, or that the context has ended.
func wait(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// verdict is what the caller learns when last was the final attempt and doubt the last one with an unknown outcome.
func verdict(p prepared, last, doubt *Error) error {
	if doubt == nil || settles(last.Kind) {
		return last
	}
	doubt.Key = p.key
	doubt.Detail = strings.TrimSuffix(doubt.Detail, ".") + "; it may have been done: repeat it with the idempotency key " + p.key
	if last != doubt {
		doubt.Detail += " (the last attempt: " + last.Error() + ")"
	}
	return doubt
}

// settles reports whether a refusal of this kind, given after the leader looked for the key's receipt, proves that no earlier attempt took effect or ever
// will: it is about the request or its key. NotFound and Conflict are about the state, and an attempt that still lies in the socket of a node that stood
// still may meet another. Others may be given before that look: a token that the first attempt has revoked, say.
func settles(k Kind) bool {
	switch k {
	case KeyReused, Invalid, TooLarge:
		return true
	}
	return false
}
