package api

import (
	"context"
	"encoding/json"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// Gate opens and closes this node and asks the seals of all.
type Gate interface {
	// Unseal takes a share for an attempt of this node's, a new one with id "". fault.Denied: the shares that have come do not open it.
	Unseal(ctx context.Context, id string, share []byte) (UnsealProgress, error)
	// Seal wipes the keys of a node, this one with "", until an operator unseals it.
	SealNode(ctx context.Context, node string) error
	Seals(ctx context.Context) ([]SealStatus, error)
	// Quorum passes when as many shares are given as open the cluster, or when it has no shares.
	Quorum(shares [][]byte) error
	// Reason says why the node is sealed, "" when it is not.
	Reason() string
}

// Rotation changes the keys that everything is sealed under. *keyring.Rotator is one.
type Rotation interface {
	Root(ctx context.Context, r fsm.Request, tenants bool) (keyring.Rotation, error)
	Tenant(ctx context.Context, r fsm.Request, tenant fsm.UID) (keyring.Rotation, error)
	AddSeal(ctx context.Context, r fsm.Request, name string) (keyring.SealRecorded, error)
	RemoveSeal(ctx context.Context, r fsm.Request, name string) (keyring.Rotation, error)
	// Rekey returns the new shares as their holders keep them; the caller zeroes them. A repetition of the request has the same answer.
	Rekey(ctx context.Context, r fsm.Request, p keyring.People, idempotencyKey string) (keyring.Rotation, [][]byte, error)
}

// UnsealProgress is how far an attempt is.
type UnsealProgress struct {
	Attempt string `json:"attempt,omitempty" doc:"give it with the next share"`
	Have    int    `json:"have"`
	Need    int    `json:"need"`
	Sealed  bool   `json:"sealed"`
}

// SealStatus is a seal as one node sees it; without a node it is one that people hold.
type SealStatus struct {
	Node      string `json:"node,omitempty"`
	Seal      string `json:"seal,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Member    bool   `json:"in_use" doc:"it wraps the cluster's root key"`
	OK        bool   `json:"ok"`
	Latency   int64  `json:"latency_us,omitempty" doc:"of a wrap and an unwrap"`
	Error     string `json:"error,omitempty"`
	Shares    int    `json:"shares,omitempty"`
	Threshold int    `json:"threshold,omitempty"`
}

type unsealBody struct {
	Share   strictjson.Text `json:"share" strict:"required" doc:"one share, as it was printed"`
	Attempt string          `json:"attempt" doc:"of the answer to the share before; nothing: a new attempt"`
}

func (b *unsealBody) wipe() { clear(b.Share) }

func (b *unsealBody) check() error {
	if len(b.Attempt) > 64 {
		return fault.Bad("attempt", "is not an attempt's id")
	}
	return nil
}

// unsealNode needs no token: a sealed node could not check one.
func unsealNode(c *call) (any, error) {
	if err := c.decode(); err != nil {
		return nil, err
	}
	b := c.body.(*unsealBody)
	return c.api.opt.Gate.Unseal(c.ctx, b.Attempt, b.Share)
}

type sealBody struct {
	Node string `json:"node" doc:"nothing: the node that is asked"`
}

type sealAnswer struct {
	Node   string `json:"node"`
	Sealed bool   `json:"sealed"`
}

func sealNode(c *call) (any, error) {
	node := c.body.(*sealBody).Node
	if node == "" {
		node = c.api.opt.Node
	}
	return sealAnswer{node, true}, c.api.opt.Gate.SealNode(c.ctx, node)
}

type sealsAnswer struct {
	Items []SealStatus `json:"items"`
}

func listSeals(c *call) (any, error) {
	all, err := c.api.opt.Gate.Seals(c.ctx)
	return sealsAnswer{append([]SealStatus{}, all...)}, err
}

// quorum is a body with shares, which show that as many people agree as could open the cluster.
type quorum struct {
	Quorum []strictjson.Text `json:"quorum" doc:"as many shares as open the cluster; none when it has no shares"`
}

func (q *quorum) wipe() {
	for _, s := range q.Quorum {
		clear(s)
	}
}

func (q *quorum) met(c *call) error {
	shares := make([][]byte, len(q.Quorum))
	for i, s := range q.Quorum {
		shares[i] = s
	}
	err := c.api.opt.Gate.Quorum(shares)
	if err == nil || !c.repeats() {
		return err
	}
	return nil // they were met when it was carried out, and that may have changed the shares
}

// repeats reports whether this very request was carried out before: the ledger has its answer and does nothing again.
func (c *call) repeats() (again bool) {
	c.note(c.inView(func(v *fsm.View) error {
		_, found, err := c.api.opt.Ledger.Find(v, c.tenant, c.req.Receipt)
		again = found && !fault.Is(err, fault.KeyReused)
		if fault.Is(err, fault.KeyReused) || fault.Is(err, fault.Conflict) {
			return nil
		}
		return err
	}))
	return again
}

type sealRow struct {
	Seal string `json:"seal"`
	Kind string `json:"kind"`
}

func addSeal(c *call) (any, error) {
	if err := c.body.(*quorum).met(c); err != nil {
		return nil, err
	}
	s, err := c.api.opt.Rotation.AddSeal(c.ctx, c.req, c.path)
	return sealRow{s.Name, s.Kind}, err
}

func removeSeal(c *call) (any, error) {
	if err := c.body.(*quorum).met(c); err != nil {
		return nil, err
	}
	r, err := c.api.opt.Rotation.RemoveSeal(c.ctx, c.req, c.path)
	return c.rotationOf(r), err
}

type rotationAnswer struct {
	Key       string   `json:"key" doc:"root, or tenant/ and its name"`
	From      uint64   `json:"from_version"`
	To        uint64   `json:"to_version"`
	Tenants   bool     `json:"tenants,omitempty" doc:"every tenant's key is made anew too"`
	Values    uint64   `json:"values" doc:"that were to be wrapped anew when it began"`
	Remaining uint64   `json:"remaining"`
	Began     fsm.Time `json:"began_at"`
	Ended     fsm.Time `json:"ended_at,omitempty" doc:"not there while it is under way"`
	Waits     string   `json:"waits_for,omitempty"`
}

func (c *call) rotationOf(r keyring.Rotation) rotationAnswer {
	key := "root"
	if !r.Root {
		key = "tenant/" + c.tenantName(r.Tenant)
	}
	return rotationAnswer{key, uint64(r.From), uint64(r.To), r.Tenants, r.Values, r.Remaining, r.Began, r.Ended, r.Waits}
}

// tenantName is the tenant's name, or its id when that is gone.
func (c *call) tenantName(id fsm.UID) string {
	name := id.String()
	c.note(c.inView(func(v *fsm.View) error {
		t, found, err := c.api.opt.Tenants.Get(v, id)
		if found {
			name = t.Name
		}
		return err
	}))
	return name
}

type rotateBody struct {
	Tenants bool `json:"tenants" doc:"make every tenant's key anew too: after a leak"`
}

func rotateRoot(c *call) (any, error) {
	r, err := c.api.opt.Rotation.Root(c.ctx, c.req, c.body.(*rotateBody).Tenants)
	return c.rotationOf(r), err
}

func rotateTenant(c *call) (any, error) {
	id, err := c.tenantNamed(c.path)
	if err != nil {
		return nil, err
	}
	r, err := c.api.opt.Rotation.Tenant(c.ctx, c.req, id)
	return c.rotationOf(r), err
}

func (c *call) tenantNamed(name string) (id fsm.UID, err error) {
	err = c.inView(func(v *fsm.View) error {
		t, found, err := c.api.opt.Tenants.ByName(v, name)
		if err == nil && !found {
			err = fault.New(fault.NotFound, "there is no tenant %q", name)
		}
		id = t.UID
		return err
	})
	return id, err
}

type rotationsAnswer struct {
	Items []rotationAnswer `json:"items"`
}

func listRotations(c *call) (any, error) {
	all, err := keyring.Rotations(c.view)
	out := rotationsAnswer{Items: make([]rotationAnswer, 0, len(all))}
	for _, r := range all {
		out.Items = append(out.Items, c.rotationOf(r))
	}
	return out, err
}

type rekeyBody struct {
	quorum
	Shares    uint64 `json:"shares" strict:"required"`
	Threshold uint64 `json:"threshold" strict:"required"`
}

// sharesAnswer is the one answer that holds shares.
type sharesAnswer struct {
	Shares   []strictjson.Text `json:"shares" doc:"each for one holder; they are shown this once"`
	Rotation rotationAnswer    `json:"rotation"`
}

func (s *sharesAnswer) wipe() {
	for _, one := range s.Shares {
		clear(one)
	}
}

func (s *sharesAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"shares":[`...)
	for i, one := range s.Shares {
		if i > 0 {
			b = append(b, ',')
		}
		b = strictjson.AppendString(b, one)
	}
	rotation, err := json.Marshal(s.Rotation)
	if err != nil { // numbers and names are always encoded
		rotation = []byte("null")
	}
	return append(append(append(b, `],"rotation":`...), rotation...), '}')
}

func rekeyShares(c *call) (any, error) {
	b := c.body.(*rekeyBody)
	if err := b.met(c); err != nil {
		return nil, err
	}
	r, shares, err := c.api.opt.Rotation.Rekey(c.ctx, c.req, keyring.People{Shares: int(min(b.Shares, 1000)), Threshold: int(min(b.Threshold, 1000))}, c.key)
	out := &sharesAnswer{Rotation: c.rotationOf(r)}
	for _, s := range shares {
		out.Shares = append(out.Shares, s)
	}
	return out, err
}

type verifiedShares struct {
	Fit bool `json:"fit"`
}

// verifyShares tries shares without opening or closing anything.
func verifyShares(c *call) (any, error) {
	q := c.body.(*quorum)
	if len(q.Quorum) == 0 {
		return nil, fault.Bad("quorum", "give as many shares as open the cluster")
	}
	return verifiedShares{true}, q.met(c)
}
