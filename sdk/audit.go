package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Record is one entry of the event log: what one mutation did, and who asked for it.
type Record struct {
	Seq    uint64          `json:"seq"`
	Hash   string          `json:"hash"`
	Index  uint64          `json:"index"`
	At     time.Time       `json:"at"`
	ID     string          `json:"id"`
	Actor  Actor           `json:"actor"`
	Origin json.RawMessage `json:"origin,omitempty"`
	Tenant string          `json:"tenant"`
	Events []Event         `json:"events"`
}

// Actor is the holder of the token that was used.
type Actor struct {
	Identity string `json:"identity"`
	Accessor string `json:"accessor,omitempty"`
}

// Event is a fact. Data holds digests of secrets, never secrets.
type Event struct {
	Type   string          `json:"type"`
	Stream string          `json:"stream"`
	Tenant string          `json:"tenant,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// EventQuery selects records.
type EventQuery struct {
	After  string // a cursor, or the sequence number after which to start
	Limit  int    // 0 leaves it to the node
	Order  string // asc or desc; "" leaves it to the node
	Type   string // records with an event of this type
	Stream string // records with an event of this stream
}

func (q EventQuery) params() params {
	return params{}.text("after", q.After).number("limit", uint64(max(q.Limit, 0))).
		text("order", q.Order).text("type", q.Type).text("stream", q.Stream)
}

// Events returns a page of the event log.
func (c *Client) Events(ctx context.Context, q EventQuery) (p Page[Record], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/audit/events", query: url.Values(q.params())}, &p)
	return p, err
}

// Verification is what a node found when it walked its own chain.
type Verification struct {
	Node     string `json:"node"`
	Index    uint64 `json:"index"`
	Records  uint64 `json:"records"`
	Payloads uint64 `json:"payloads"`
	Head     string `json:"head"`
}

// VerifyAudit makes the first node walk its whole chain and every sealed payload. It is about one node and asked once, so there is no
// other deadline than ctx's: give it time.
func (c *Client) VerifyAudit(ctx context.Context) (v Verification, err error) {
	long := *c
	if end, ok := ctx.Deadline(); ok {
		long.attempt = time.Until(end)
	} else {
		long.attempt, long.timeout = day, day
	}
	err = long.do(ctx, request{method: http.MethodGet, path: api + "/audit/verify", kind: observes}, &v)
	return v, err
}

const day = 24 * time.Hour

// ExportAudit writes the event log to w, one JSON record a line, and returns the number of bytes. It is asked of one node once and
// ends when the log does or ctx; an error after some bytes means that what was written is not all.
func (c *Client) ExportAudit(ctx context.Context, q EventQuery, w io.Writer) (int64, error) {
	return c.stream(ctx, request{method: http.MethodGet, path: api + "/audit/export", query: url.Values(q.params())}, "export", w)
}

// stream copies an answer of any length. Only the beginning is tried at other nodes.
func (c *Client) stream(ctx context.Context, r request, what string, w io.Writer) (int64, error) {
	p, err := c.prepare(ctx, r)
	if err != nil {
		return 0, err
	}
	route := c.nodes.route()
	resp, e := c.send(ctx, route.address(), p)
	for attempts := 1; e != nil && repeatable(e.Kind) && attempts < len(c.nodes.addresses) && wait(ctx, hop); attempts++ {
		route.failed(time.Now(), e)
		resp, e = c.send(ctx, route.address(), p)
	}
	if e != nil {
		return 0, verdict(p, e, nil)
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	if err != nil {
		return n, &Error{Kind: NotDone, Address: route.address(), Detail: "the " + what + " ended early: " + innermost(err).Error(), cause: err}
	}
	return n, nil
}
