package sdk

import (
	"context"
	"net/http"
	"time"
)

// UnsealProgress is how far an attempt to unseal a node with shares is.
type UnsealProgress struct {
	Attempt string `json:"attempt,omitempty"` // goes with the next share
	Have    int    `json:"have"`
	Need    int    `json:"need"`
	Sealed  bool   `json:"sealed"`
}

// Unseal gives the preferred node one share, once. attempt is that of the answer before, "" for the first share. Use Node to ask a
// certain one. It needs no token.
func (c *Client) Unseal(ctx context.Context, share Secret, attempt string) (p UnsealProgress, err error) {
	body := struct {
		Share   Text   `json:"share"`
		Attempt string `json:"attempt,omitempty"`
	}{Text(share), attempt}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/sys/unseal", body: body, kind: observes}, &p)
	return p, err
}

// Seal wipes the keys of a node ("": the one that is asked) until an operator unseals it.
func (c *Client) Seal(ctx context.Context, node string) (sealed string, err error) {
	body := struct {
		Node string `json:"node,omitempty"`
	}{node}
	var out struct {
		Node string `json:"node"`
	}
	kind := reads // any node can do it, and twice is as good as once
	if node == "" {
		kind = observes
	}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/sys/seal", body: body, kind: kind}, &out)
	return out.Node, err
}

// SealStatus is a seal as one node sees it; without a node it is one that people hold.
type SealStatus struct {
	Node      string `json:"node,omitempty"`
	Seal      string `json:"seal,omitempty"`
	Kind      string `json:"kind,omitempty"`
	InUse     bool   `json:"in_use"` // it wraps the cluster's root key
	OK        bool   `json:"ok"`
	LatencyUS int64  `json:"latency_us,omitempty"` // of a wrap and an unwrap
	Error     string `json:"error,omitempty"`
	Shares    int    `json:"shares,omitempty"`
	Threshold int    `json:"threshold,omitempty"`
}

// Seals asks every configured seal on every node.
func (c *Client) Seals(ctx context.Context) ([]SealStatus, error) {
	var p Page[SealStatus]
	err := c.do(ctx, request{method: http.MethodGet, path: api + "/sys/seals"}, &p)
	return p.Items, err
}

// Rotation is how far the rotation of a key is; EndedAt is zero while it is under way.
type Rotation struct {
	Key       string    `json:"key"` // root, or tenant/NAME
	From      uint32    `json:"from_version"`
	To        uint32    `json:"to_version"`
	Tenants   bool      `json:"tenants,omitempty"`
	Values    uint64    `json:"values"`
	Remaining uint64    `json:"remaining"`
	BeganAt   time.Time `json:"began_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	WaitsFor  string    `json:"waits_for,omitempty"`
}

type quorumBody struct {
	Quorum []Text `json:"quorum,omitempty"`
}

func quorumOf(shares []Secret) quorumBody {
	out := quorumBody{}
	for _, s := range shares {
		out.Quorum = append(out.Quorum, Text(s))
	}
	return out
}

// AddSeal has another seal, which an unsealed node has in its configuration, wrap the root key. The shares are as many as open the
// cluster, if it has any.
func (c *Client) AddSeal(ctx context.Context, seal string, quorum []Secret) error {
	target, err := joinName(api+"/sys/seals", "seal", seal)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodPost, path: target, body: quorumOf(quorum), kind: mutates}, nil)
}

// RemoveSeal ends a seal and begins a rotation of everything.
func (c *Client) RemoveSeal(ctx context.Context, seal string, quorum []Secret) (r Rotation, err error) {
	target, err := joinName(api+"/sys/seals", "seal", seal)
	if err != nil {
		return r, err
	}
	err = c.do(ctx, request{method: http.MethodPost, path: target + "/remove", body: quorumOf(quorum), kind: mutates}, &r)
	return r, err
}

// RekeyShares makes new shares, each for one holder, and begins a rotation of everything, after which the old ones open nothing.
func (c *Client) RekeyShares(ctx context.Context, shares, threshold int, quorum []Secret) (fresh []Secret, r Rotation, err error) {
	body := struct {
		quorumBody
		Shares    int `json:"shares"`
		Threshold int `json:"threshold"`
	}{quorumOf(quorum), shares, threshold}
	var out struct {
		Shares   []Secret `json:"shares"`
		Rotation Rotation `json:"rotation"`
	}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/sys/shares/rekey", body: body, kind: mutates}, &out)
	return out.Shares, out.Rotation, err
}

// VerifyShares tries whether shares would open the cluster, and changes nothing.
func (c *Client) VerifyShares(ctx context.Context, shares []Secret) error {
	return c.do(ctx, request{method: http.MethodPost, path: api + "/sys/shares/verify", body: quorumOf(shares)}, nil)
}

// RotateRoot begins a rotation of the root key, and with tenants of every tenant's.
func (c *Client) RotateRoot(ctx context.Context, tenants bool) (r Rotation, err error) {
	body := struct {
		Tenants bool `json:"tenants,omitempty"`
	}{tenants}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/sys/rotate/root", body: body, kind: mutates}, &r)
	return r, err
}

// RotateTenant begins a rotation of a tenant's key.
func (c *Client) RotateTenant(ctx context.Context, tenant string) (r Rotation, err error) {
	target, err := joinName(api+"/sys/rotate/tenants", "tenant", tenant)
	if err != nil {
		return r, err
	}
	err = c.do(ctx, request{method: http.MethodPost, path: target, kind: mutates}, &r)
	return r, err
}

// Rotations lists the last rotation of each key that was ever rotated.
func (c *Client) Rotations(ctx context.Context) ([]Rotation, error) {
	var p Page[Rotation]
	err := c.do(ctx, request{method: http.MethodGet, path: api + "/sys/rotate"}, &p)
	return p.Items, err
}
