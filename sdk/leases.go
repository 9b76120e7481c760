package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Lease says what was given to whom, and until when.
type Lease struct {
	ID           string    `json:"lease_id"` // connection, role and something random, with slashes between
	Engine       string    `json:"engine"`
	Connection   string    `json:"connection"`
	Role         string    `json:"role"`
	Account      string    `json:"account,omitempty"` // by which the backend knows it
	Holder       string    `json:"holder"`            // accessor of the token
	Identity     string    `json:"identity"`          // the holder's
	State        string    `json:"state"`             // active; ending: the backend is to end the account; irrevocable: the backend was given up
	EndedBecause string    `json:"ended_because,omitempty"`
	IssuedAt     time.Time `json:"issued_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	MaxExpires   time.Time `json:"max_expires_at"` // no renewal goes beyond it
	EndedAt      time.Time `json:"ended_at,omitzero"`
	Renewable    bool      `json:"renewable"`
	Message      string    `json:"message,omitempty"`       // of the outbox, by which the backend is told
	BackendError string    `json:"backend_error,omitempty"` // why that message is a dead letter
}

// Leases lists the leases that have not come to their end at their backends and that the token may see; prefix is the beginning of their ids, "" all.
func (c *Client) Leases(ctx context.Context, prefix string, s Slice) (p Page[Lease], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/leases", query: url.Values(s.params().text("prefix", prefix))}, &p)
	return p, err
}

// Lease describes one; NotFound when it has ended. A token may always do so with those that it holds, and renew and revoke them.
func (c *Client) Lease(ctx context.Context, id string) (l Lease, err error) {
	err = c.onLease(ctx, request{method: http.MethodGet}, "lookup", id, &l)
	return l, err
}

// RenewLease extends a lease by d from now on, within its maximum and the life of its token; 0 is as long as it was given for at first. Conflict when it has ended.
func (c *Client) RenewLease(ctx context.Context, id string, d time.Duration) (l Lease, err error) {
	body := struct {
		Increment string `json:"increment,omitempty"`
	}{span(d)}
	err = c.onLease(ctx, request{method: http.MethodPost, body: body, kind: mutates}, "renew", id, &l)
	return l, err
}

// RevokeLease ends a lease. Its backend is told from then on, until it has ended the account.
func (c *Client) RevokeLease(ctx context.Context, id string) (Lease, error) {
	return c.changeLease(ctx, "revoke", id)
}

// ForceLease gives up the backend of a lease: what it stood for may live on there. It takes sudo.
func (c *Client) ForceLease(ctx context.Context, id string) (Lease, error) {
	return c.changeLease(ctx, "force", id)
}

// ForgetLease takes an irrevocable lease off the list. It takes sudo.
func (c *Client) ForgetLease(ctx context.Context, id string) (Lease, error) {
	return c.changeLease(ctx, "forget", id)
}

// RevokeLeases ends all active leases of a connection, "pg/", or of one of its roles, "pg/readonly/", and returns how many there were.
func (c *Client) RevokeLeases(ctx context.Context, prefix string) (uint64, error) {
	var out struct{ Revoked uint64 }
	err := c.do(ctx, request{method: http.MethodPost, path: api + "/leases/revoke-prefix", body: map[string]string{"prefix": prefix}, kind: mutates}, &out)
	return out.Revoked, err
}

func (c *Client) changeLease(ctx context.Context, verb, id string) (l Lease, err error) {
	err = c.onLease(ctx, request{method: http.MethodPost, body: struct{}{}, kind: mutates}, verb, id, &l)
	return l, err
}

func (c *Client) onLease(ctx context.Context, r request, verb, id string, out any) error {
	target, err := join(api+"/leases/"+verb, "lease_id", id)
	if err != nil {
		return err
	}
	r.path = target
	return c.do(ctx, r, out)
}
