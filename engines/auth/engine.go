// Package auth issues tokens and says whose they are.
//
// It promises:
//   - A token is alive only while all its ancestors are: a revocation is one event, whatever the size of the tree, and
//     kills every descendant at the index it is applied at.
//   - A child is bounded by its parent in policies, tenant, expiry and maximum expiry, when it is made and whenever it is
//     renewed; the entry that says so guards the whole chain and the policies it was judged by. In between, whoever widens a
//     policy widens every token that names it, also one whose parent does not: that one is not renewed any more.
//   - The secret form is stored nowhere. A hash of it is, and for a repetition of the request that made it the answer, sealed
//     under the tenant's key and the request's Idempotency-Key; 15 minutes or a revocation destroy that answer.
//   - An accessor never authenticates.
//
// Every mutation is one entry, so a crash leaves it done or not done. A creator who does not learn the outcome repeats the
// request with the same Idempotency-Key and gets the same token. Tokens dead for a day are removed by the Sweeper; a crash
// between two of its batches only delays the second.
package auth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Policies judge what policies of one tenant grant compared with those of another; engines/rbac does.
type Policies interface {
	Within(r fsm.Reader, tenant fsm.UID, names []string, boundTenant fsm.UID, bound []string) (bool, error)
	Guards(r fsm.Reader, tenant fsm.UID, names []string) ([]fsm.Guard, error)
}

// Answers seals what a repeated request is answered with; engines/keyring does.
type Answers interface {
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
}

// Engine issues, renews, revokes and recognises tokens.
type Engine struct {
	ledger   *fsm.Ledger
	keys     Answers
	policies Policies
	clock    Clock
	stale    sync.Map // hash -> keptSession: of mutant.StaleTokenCache alone
}

// Option changes what New sets up.
type Option func(*Engine)

// WithClock replaces the system's clock.
func WithClock(c Clock) Option { return func(e *Engine) { e.clock = c } }

// New returns an engine that commits through l.
func New(l *fsm.Ledger, keys Answers, policies Policies, options ...Option) *Engine {
	e := &Engine{ledger: l, keys: keys, policies: policies, clock: systemClock{}}
	for _, o := range options {
		o(e)
	}
	return e
}

// Found returns the events, of the root tenant, that give a new cluster its first token, and its secret, which the caller
// zeroes. The token has the policy "root", cannot be renewed, and lives for ttl: 0 stands for MaxTTL. Whoever founds a cluster
// may give it a longer life than any later token has.
func (e *Engine) Found(ttl time.Duration) ([]fsm.Event, Secret, error) {
	if ttl < 0 {
		return nil, nil, fault.Bad("root_ttl", "a lifetime is not negative")
	}
	if ttl == 0 {
		ttl = MaxTTL
	}
	fixed, now := false, fsm.At(e.clock.Now())
	ev, secret := draft(Grant{Policies: []string{"root"}, TTL: ttl, MaxTTL: ttl, Renewable: &fixed}, nil, now)
	ev.Name, ev.Identity = "root", "root"
	return []fsm.Event{ev}, secret, nil
}

// Created is a new token with its secret, which the caller zeroes once it is sent.
type Created struct {
	Token
	Secret Secret
}

// Create issues a token of tenant target as a child of creator, or as an orphan. A repetition of the request gets the
// same token and the same secret for 15 minutes, unless the token was revoked: then fault.Conflict. It refuses with
// fault.Invalid for the form of g, Denied for policies beyond the creator's, Limit for depth and number; MaxTokens may be
// overstepped by requests that are decided at the same moment.
func (e *Engine) Create(ctx context.Context, req fsm.Request, creator Session, g Grant, idempotencyKey string, target fsm.UID) (Created, fsm.Receipt, error) {
	g, err := decideGrant(g)
	if err != nil {
		return Created{}, fsm.Receipt{}, err
	}
	c := creation{Engine: e, req: req, creator: creator.Ref(), grant: g, key: idempotencyKey, target: target}
	rc, err := e.ledger.Commit(ctx, req, "", c.decide)
	if err != nil {
		c.secret.Zero()
		return Created{}, fsm.Receipt{}, err
	}
	made, err := c.answer(rc)
	return made, rc, err
}

// Renew moves the expiry of a live token to ttl from now, within its maximum and its parent's expiry. It never shortens a
// life. ttl 0 stands for the lifetime it was created with. A token that is not alive is fault.NotFound; one that may do more than
// its parent by now, or names a policy that was deleted, is fault.Denied.
func (e *Engine) Renew(ctx context.Context, req fsm.Request, ref Ref, ttl time.Duration) (Token, error) {
	if err := checkTTL("ttl", ttl); err != nil {
		return Token{}, err
	}
	rc, err := e.ledger.Commit(ctx, req, stream(ref.Accessor), func(v *fsm.View, entry *fsm.Entry) error {
		return e.renew(v, entry, ref, ttl)
	})
	if err != nil {
		return Token{}, err
	}
	var t Token
	if err := fsm.Decode(rc.Reply.Public, &t); err != nil {
		return Token{}, fmt.Errorf("read the answer of a renewal: %w", err)
	}
	return t, nil
}

func (e *Engine) renew(v *fsm.View, entry *fsm.Entry, ref Ref, ttl time.Duration) error {
	now := e.now(v)
	at, s, err := climb(v, ref, now)
	if err != nil {
		return err
	}
	if !s.alive {
		return noToken(ref)
	}
	expires, err := decideRenewal(at.Token, s.parent(), at.Life, ttl, now)
	if err == nil {
		err = e.stillBounded(v, entry, at.Token, s.parent())
	}
	if err != nil {
		return err
	}
	if expires != at.Token.Expires {
		entry.AddIn(ref.Tenant, Renewed{ref.Accessor, expires})
	}
	at.Token.Expires = expires
	if entry.Reply.Public, err = fsm.Encode(at.Token); err != nil {
		return fmt.Errorf("encode the answer of a renewal: %w", err)
	}
	return guard(v, entry, s.session(at.Token))
}

// stillBounded judges a token's policies as they are now by its parent's, and guards both. An orphan has no bound.
func (e *Engine) stillBounded(v *fsm.View, entry *fsm.Entry, t Token, parent *Token) error {
	if parent == nil {
		return nil
	}
	within, err := e.policies.Within(v, t.Tenant, t.Policies, parent.Tenant, parent.Policies)
	if err == nil && !within {
		err = fault.New(fault.Denied, "token %s may do more than its parent by now, since a policy of either changed: create a new one", t.Accessor)
	}
	if err != nil {
		return err
	}
	return e.guardPolicies(v, entry, t, *parent)
}

// guardPolicies holds the entry to what the policies of some tokens say.
func (e *Engine) guardPolicies(v *fsm.View, entry *fsm.Entry, tokens ...Token) error {
	for _, t := range tokens {
		guards, err := e.policies.Guards(v, t.Tenant, t.Policies)
		if err != nil {
			return err
		}
		entry.Guard(guards...)
	}
	return nil
}

// Revoke ends a token and all its descendants. One that does not exist or was revoked itself is fault.NotFound.
func (e *Engine) Revoke(ctx context.Context, req fsm.Request, ref Ref) error {
	_, err := e.ledger.Commit(ctx, req, stream(ref.Accessor), func(v *fsm.View, entry *fsm.Entry) error {
		at, found, err := tokens.Get(v, ref.key())
		if err != nil {
			return err
		}
		if !found || at.seen(v).Revoked {
			return noToken(ref)
		}
		entry.AddIn(ref.Tenant, Revoked{ref.Accessor})
		return guard(v, entry, Session{Token: at.Token})
	})
	return err
}

func noToken(ref Ref) error {
	return fault.New(fault.NotFound, "no live token has the accessor %.64q", ref.Accessor)
}
