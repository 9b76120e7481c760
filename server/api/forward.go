package api

import (
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// maxAnswer bounds what a leader may answer to a forwarded request, in bytes.
const maxAnswer = 4 << 20

// passed are the headers of the leader's answer that reach the caller; the others are this node's own.
var passed = []string{"Content-Type", "Allow", "Retry-After", "Www-Authenticate", indexHeader, replayedHeader}

// forward passes the whole mutation to the leader and its answer to the caller, once.
func (c *call) forward() error {
	c.forwarded = true
	if err := c.chargeKnown(); err != nil {
		return err
	}
	out := c.r.Clone(c.ctx)
	stripForwarded(out.Header)
	stripHop(out.Header)
	out.Header.Set(forwardedFor, c.address)
	out.Header.Set(requestID, c.id)
	answer, err := c.api.opt.Leader.Forward(c.ctx, out, c.raw)
	if mutant.ForwarderRetries && isUnknown(answer, err) {
		answer, err = c.again(out, answer, err)
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := readAll(io.LimitReader(answer.Body, maxAnswer+1), -1, func(int) error { return nil })
	if err != nil || len(b) > maxAnswer {
		clear(b)
		return fault.New(fault.Unknown, "the leader's answer did not arrive whole: repeat the request with the same Idempotency-Key").Because(err)
	}
	for _, name := range passed {
		if v := answer.Header[name]; len(v) > 0 {
			c.w.Header()[name] = v
		}
	}
	c.send(answer.StatusCode, b)
	return nil
}

// isUnknown reports that nobody can say what became of a forwarded request.
func isUnknown(answer *http.Response, err error) bool {
	return fault.Is(err, fault.Unknown) || err == nil && answer.StatusCode == http.StatusGatewayTimeout
}

// again is what mutant.ForwarderRetries does, and nobody else: it sends a request of unknown outcome under another Idempotency-Key until
// somebody carries it out.
func (c *call) again(r *http.Request, answer *http.Response, err error) (*http.Response, error) {
	r.Header.Set(idempotencyKey, rand.Text())
	for c.ctx.Err() == nil {
		next, failed := c.api.opt.Leader.Forward(c.ctx, r, c.raw)
		if failed == nil && next.StatusCode != http.StatusServiceUnavailable && !isUnknown(next, failed) {
			return next, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-c.ctx.Done():
		}
	}
	return answer, err
}

// chargeKnown counts the place as the tenant's if this node knows the token: the leader may know better, and decides.
func (c *call) chargeKnown() error {
	return c.inView(func(v *fsm.View) error {
		c.now = c.api.now(v)
		s, err := c.authenticate(v)
		if err != nil {
			return nil
		}
		c.session = s
		return c.charge(s)
	})
}

// stripHop takes off what concerns one connection only (RFC 9110, 7.6.1).
func stripHop(h http.Header) {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Content-Length"} {
		delete(h, name)
	}
}
