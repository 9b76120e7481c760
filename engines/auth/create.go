package auth

import (
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// creation is one request for a token. Every attempt drafts another token; only the last one's secret is kept.
type creation struct {
	*Engine
	req     fsm.Request
	creator Ref
	grant   Grant
	key     string // the Idempotency-Key
	target  fsm.UID

	accessor string
	secret   Secret
}

// decide judges the creator as it stands in v, whatever the session said that the request came with.
func (c *creation) decide(v *fsm.View, entry *fsm.Entry) error {
	now := c.now(v)
	at, s, err := climb(v, c.creator, now)
	if err != nil {
		return err
	}
	if !s.alive {
		return invalid()
	}
	if err := c.allowed(v, at.Token, s, now); err != nil {
		return err
	}
	if err := c.guards(v, entry, s.session(at.Token)); err != nil {
		return err
	}
	var parent *Token
	if !c.grant.Orphan {
		parent = &at.Token
	}
	return c.issue(v, entry, parent, now)
}

// allowed checks what a token may hand on.
func (c *creation) allowed(v *fsm.View, creator Token, s lineage, now fsm.Time) error {
	if err := decideTarget(creator.Tenant, c.target); err != nil {
		return err
	}
	held, err := living(v, c.target, now)
	if err != nil {
		return err
	}
	chain := len(s.ancestors) + 1
	if c.grant.Orphan {
		chain = 0
	}
	if err := decideRoom(chain, held); err != nil {
		return err
	}
	within, err := c.policies.Within(v, c.target, c.grant.Policies, creator.Tenant, creator.Policies)
	if err == nil && !within {
		err = fault.New(fault.Denied, "the policies %.200q grant more than the token that asks for them may do", c.grant.Policies)
	}
	return err
}

// guards hold the entry to what allowed rests on: the chain, the policies on both sides, and the tenant.
func (c *creation) guards(v *fsm.View, entry *fsm.Entry, creator Session) error {
	if err := guard(v, entry, creator); err != nil {
		return err
	}
	if err := c.guardPolicies(v, entry, creator.Token, Token{Tenant: c.target, Policies: c.grant.Policies}); err != nil {
		return err
	}
	tenant, err := fsm.GuardOf(v, c.target, "tenant")
	entry.Guard(tenant)
	return err
}

func (c *creation) issue(v *fsm.View, entry *fsm.Entry, parent *Token, now fsm.Time) error {
	c.secret.Zero()
	ev, secret := draft(c.grant, parent, now)
	c.accessor, c.secret = ev.Accessor, secret
	var err error
	if c.req.Receipt != nil { // without one there is no repetition to answer
		if ev.Answer, err = c.keys.SealAnswer(v, c.binding(ev.Accessor), c.key, secret); err != nil {
			return fmt.Errorf("seal the answer with token %s: %w", ev.Accessor, err)
		}
		entry.Reply.Secret = ev.Answer
	}
	if entry.Reply.Public, err = fsm.Encode(ev.token(c.target)); err != nil {
		return fmt.Errorf("encode the answer with token %s: %w", ev.Accessor, err)
	}
	entry.AddIn(c.target, ev)
	return nil
}

// draft makes up a token that nobody knows yet.
func draft(g Grant, parent *Token, now fsm.Time) (Issued, Secret) {
	secret := newSecret()
	hash, _ := hashOf(secret)
	ev := Issued{Accessor: newAccessor(), Hash: hash, Name: g.Name, Identity: g.Name, Policies: g.Policies,
		Created: now, Renewable: renewable(g), Life: g.TTL}
	ev.Expires, ev.MaxExpires = decideLife(g, parent, now)
	if ev.Identity == "" {
		ev.Identity = "token:" + ev.Accessor
	}
	if parent != nil {
		ref := parent.Ref()
		ev.Parent = &ref
	}
	return ev, secret
}

func (c *creation) binding(accessor string) fsm.Binding {
	return fsm.Binding{Tenant: c.req.Tenant, Feature: "auth", Field: "token", Path: accessor, Version: 1}
}

// answer tells the token of the receipt: the one drafted last, or that of an earlier attempt, whose secret is opened.
func (c *creation) answer(rc fsm.Receipt) (Created, error) {
	var made Created
	if err := fsm.Decode(rc.Reply.Public, &made.Token); err != nil {
		c.secret.Zero()
		return Created{}, fmt.Errorf("read the answer of a creation: %w", err)
	}
	if made.Accessor == c.accessor {
		made.Secret = c.secret
		return made, nil
	}
	c.secret.Zero()
	var err error
	made.Secret, err = c.reopen(made.Accessor, rc.Reply.Secret)
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

func (c *creation) reopen(accessor string, answer fsm.Sealed) (Secret, error) {
	v, err := c.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	secret, err := c.keys.OpenAnswer(v, c.binding(accessor), c.key, answer)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.New(fault.Conflict, "this request created token %s before; its secret is no longer kept", accessor)
	case err != nil:
		return nil, fmt.Errorf("open the answer with token %s: %w", accessor, err)
	}
	return secret, nil
}
