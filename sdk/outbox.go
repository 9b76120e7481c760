package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// OutboxMessage is one that the cluster owes to the outside.
type OutboxMessage struct {
	ID          string    `json:"id"`   // its place in the outbox, two numbers with a dot between
	UID         string    `json:"uid"`  // by which receivers know it when it comes again
	Kind        string    `json:"kind"` // such as lease.revocation
	Destination string    `json:"destination"`
	Lane        string    `json:"lane,omitempty"` // within which messages keep their order: the id of the lease, or the account
	State       string    `json:"state"`          // waiting, or parked: a dead letter
	OwedSince   time.Time `json:"owed_since"`     // or requeued
	ParkedAt    time.Time `json:"parked_at,omitzero"`
	Reason      string    `json:"reason,omitempty"` // why it was parked last
	Tries       uint64    `json:"tries,omitempty"`  // before it was parked, all in all
}

// OutboxQuery chooses messages; what is empty is not asked for.
type OutboxQuery struct {
	Slice
	Kind        string
	Destination string
	Parked      bool // dead letters alone
}

// Outbox lists the tenant's messages, oldest first. A page may be empty and not the last.
func (c *Client) Outbox(ctx context.Context, q OutboxQuery) (p Page[OutboxMessage], err error) {
	query := q.params().text("kind", q.Kind).text("destination", q.Destination).flag("parked", q.Parked)
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/outbox", query: url.Values(query)}, &p)
	return p, err
}

// OutboxMessage describes one; NotFound when it has arrived or was dropped.
func (c *Client) OutboxMessage(ctx context.Context, id string) (m OutboxMessage, err error) {
	err = c.onMessage(ctx, request{method: http.MethodGet}, id, "", &m)
	return m, err
}

// RequeueMessage has a dead letter delivered after all; Conflict when it is none.
func (c *Client) RequeueMessage(ctx context.Context, id string) (m OutboxMessage, err error) {
	err = c.onMessage(ctx, request{method: http.MethodPost, body: struct{}{}, kind: mutates}, id, "/requeue", &m)
	return m, err
}

// DropMessage gives a message up for good: what it would have done stays undone. It takes sudo.
func (c *Client) DropMessage(ctx context.Context, id string) (m OutboxMessage, err error) {
	err = c.onMessage(ctx, request{method: http.MethodDelete, kind: mutates}, id, "", &m)
	return m, err
}

func (c *Client) onMessage(ctx context.Context, r request, id, verb string, out any) error {
	target, err := joinName(api+"/outbox", "message", id)
	if err != nil {
		return err
	}
	r.path = target + verb
	return c.do(ctx, r, out)
}
