package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Sources of the audit.
const (
	SourceLog     = "log"     // the event log: what was changed
	SourceReads   = "reads"   // a node's journal of what was read, and refused to known callers
	SourceRefused = "refused" // a node's counts of what it refused to unknown callers
)

// Record is what one request did, read or was refused, and who asked for it.
type Record struct {
	Source string          `json:"source"`
	Node   string          `json:"node,omitempty"` // whose journal it stands in; "" for the log
	Seq    uint64          `json:"seq"`            // within its log or journal
	Hash   string          `json:"hash"`
	Index  uint64          `json:"index"`
	At     time.Time       `json:"at"`
	ID     string          `json:"id,omitempty"`
	Actor  Actor           `json:"actor"`
	Origin json.RawMessage `json:"origin,omitempty"`
	Tenant string          `json:"tenant"`
	Events []Event         `json:"events"`         // of a change
	Read   *Access         `json:"read,omitempty"` // of a journal
}

// Access is what a caller asked for, and was given or refused.
type Access struct {
	Operation string `json:"operation"`
	Path      string `json:"path,omitempty"`
	Version   uint64 `json:"version,omitempty"`
	Outcome   string `json:"outcome,omitempty"` // "allowed", or the kind of the refusal
	Count     uint64 `json:"count,omitempty"`   // of requests, when it stands for more than one
}

// AuditPage is a page of records, in order of time. Missing names the nodes whose journals are not in it.
type AuditPage struct {
	Page[Record]
	Missing []MissingJournal `json:"missing"`
}

// MissingJournal is a node that did not answer. A later page with the cursor of this one shows what it has when it is back.
type MissingJournal struct {
	Node   string `json:"node"`
	Source string `json:"source"`
	Reason string `json:"reason"`
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
	After  string // a cursor; or the sequence number in the log after which to start, and then it is about the log alone
	Limit  int    // 0 leaves it to the node
	Order  string // asc or desc; "" leaves it to the node
	Type   string // records with an event of this type, or reads by this operation
	Stream string // changes with an event of this stream
	Source string // one of the sources; "" is all
	Path   string // this path or beneath it
	Actor  string // an identity or accessor
	Since  time.Time
	Until  time.Time
}

func (q EventQuery) params() params {
	return params{}.text("after", q.After).number("limit", uint64(max(q.Limit, 0))).
		text("order", q.Order).text("type", q.Type).text("stream", q.Stream).text("source", q.Source).text("path", q.Path).
		text("actor", q.Actor).text("since", moment(q.Since)).text("until", moment(q.Until))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Events returns a page of the audit: the event log and the journals of all nodes.
func (c *Client) Events(ctx context.Context, q EventQuery) (p AuditPage, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/audit/events", query: url.Values(q.params())}, &p)
	return p, err
}

// Verification is what a node found when it walked its own chains.
type Verification struct {
	Node     string              `json:"node"`
	Index    uint64              `json:"index"`
	Records  uint64              `json:"records"`
	Payloads uint64              `json:"payloads"`
	Head     string              `json:"head"`
	Reads    JournalVerification `json:"reads"`
	Refused  JournalVerification `json:"refused"`
}

// JournalVerification is what a node found of one of its journals.
type JournalVerification struct {
	Records uint64 `json:"records"`
	First   uint64 `json:"first"` // sequence of the oldest that retention has left
	Last    uint64 `json:"last"`
	Head    string `json:"head"`
	Anchors int    `json:"anchors"`   // of the event log's that it agrees with
	Cut     uint64 `json:"cut_bytes"` // of torn tails that starts have cut off
}

// AuditKey is the public half of the key that signs exports.
type AuditKey struct {
	Version     uint64 `json:"version"`
	Fingerprint string `json:"fingerprint"`
	Public      string `json:"public_key"`
}

// AuditKey returns the key that exports are signed with.
func (c *Client) AuditKey(ctx context.Context) (k AuditKey, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/audit/key"}, &k)
	return k, err
}

// VerifyAudit makes the first node walk its whole event log, every sealed payload and its journals. It is about one node and asked once, so there is no
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

// ExportAudit writes the event log and the journals to w, JSON lines that can be verified without a server, and returns the number of bytes. It is asked of one node once and
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
