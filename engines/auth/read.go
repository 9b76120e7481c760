package auth

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Session is a live token with the chain that keeps it alive, from its parent to the oldest.
type Session struct {
	Token
	Ancestors []Token
}

// Authenticate returns the session of the token with this secret as of r and now. It keeps nothing of secret. Whatever
// is wrong with the token, the refusal is the same fault.Unauthenticated. It reads one row for the hash and one for
// each member of the chain, and does not look at the tenant.
func (e *Engine) Authenticate(r fsm.Reader, secret []byte, now fsm.Time) (Session, error) {
	hash, ok := hashOf(secret)
	if !ok {
		return Session{}, invalid()
	}
	if mutant.StaleTokenCache {
		if s, kept := e.kept(hash); kept {
			return s, nil
		}
	}
	ref, found, err := hashes.Get(r, fsm.K(hash[:]))
	if err != nil {
		return Session{}, err
	}
	if !found {
		return Session{}, invalid()
	}
	at, s, err := climb(r, ref, now)
	if err != nil {
		return Session{}, err
	}
	if mutant.RevocationNotCheckedOnFollowers && !e.ledger.Leads() {
		s.alive = now < at.Token.Expires
	}
	if !s.alive {
		return Session{}, invalid()
	}
	if mutant.StaleTokenCache {
		e.keep(hash, s.session(at.Token))
	}
	return s.session(at.Token), nil
}

func invalid() error { return fault.New(fault.Unauthenticated, "the token is not valid") }

// lineage is what a climb finds above a token.
type lineage struct {
	ancestors []Token // as far as they are alive
	alive     bool    // all of them, and the token
}

func (l lineage) session(t Token) Session { return Session{t, l.ancestors} }

func (l lineage) parent() *Token {
	if len(l.ancestors) == 0 {
		return nil
	}
	return &l.ancestors[0]
}

// climb reads a token and its ancestors until one of them is dead or there are no more.
func climb(r fsm.Reader, ref Ref, now fsm.Time) (at row, l lineage, err error) {
	at, found, err := tokens.Get(r, ref.key())
	if err != nil || !found || at.dead(r, now) {
		return at, l, err
	}
	for next := at.Token.Parent; next != nil; {
		above, found, err := tokens.Get(r, next.key())
		if err != nil || !found || above.dead(r, now) || len(l.ancestors) == MaxDepth-1 {
			return at, l, err
		}
		if l.ancestors == nil {
			l.ancestors = make([]Token, 0, MaxDepth-1)
		}
		l.ancestors, next = append(l.ancestors, above.Token), above.Token.Parent
	}
	l.alive = true
	return at, l, nil
}

func (r row) dead(in fsm.Reader, now fsm.Time) bool {
	return r.seen(in).Revoked || now >= r.Token.Expires
}

// Guards hold as long as neither the token nor any ancestor is renewed, revoked or removed.
func (e *Engine) Guards(r fsm.Reader, s Session) ([]fsm.Guard, error) { return guardsOf(r, s) }

// Living returns the session of a token by its name; alive is false when it or an ancestor is dead, or forgotten.
func (e *Engine) Living(r fsm.Reader, ref Ref, now fsm.Time) (s Session, alive bool, err error) {
	at, l, err := climb(r, ref, now)
	return l.session(at.Token), err == nil && l.alive, err
}

func guardsOf(r fsm.Reader, s Session) ([]fsm.Guard, error) {
	guards := make([]fsm.Guard, 0, 1+len(s.Ancestors))
	g, err := fsm.GuardOf(r, s.Tenant, stream(s.Accessor))
	if err != nil {
		return nil, err
	}
	guards = append(guards, g)
	for _, a := range s.Ancestors {
		if g, err = fsm.GuardOf(r, a.Tenant, stream(a.Accessor)); err != nil {
			return nil, err
		}
		guards = append(guards, g)
	}
	return guards, nil
}

func guard(v *fsm.View, entry *fsm.Entry, s Session) error {
	guards, err := guardsOf(v, s)
	entry.Guard(guards...)
	return err
}

// Lookup returns a token by its accessor, also a dead one until it is forgotten, a day after its death.
func (e *Engine) Lookup(r fsm.Reader, tenant fsm.UID, accessor string) (Token, bool, error) {
	at, found, err := tokens.Get(r, Ref{tenant, accessor}.key())
	if err != nil || !found {
		return Token{}, false, err
	}
	t := at.seen(r)
	t.Revoked, err = fate{r, map[Ref]bool{}}.revoked(t, MaxDepth)
	return t, true, err
}

// List returns up to limit tokens of tenant in the order of their accessors, beyond after, and where to go on; "" at the
// end. A limit of 0 stands for 100, the most is 1,000. Dead tokens are listed until they are forgotten.
func (e *Engine) List(r fsm.Reader, tenant fsm.UID, after string, limit int) ([]Token, string, error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = Ref{tenant, after}.key()
	}
	page, next, known := []Token{}, "", fate{r, map[Ref]bool{}}
	err := tokens.Scan(r, span, func(_ fsm.Key, at row) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Accessor
			return false, nil
		}
		t := at.seen(r)
		var err error
		t.Revoked, err = known.revoked(t, MaxDepth)
		page = append(page, t)
		return true, err
	})
	return page, next, err
}

// fate remembers which tokens were revoked, by themselves or by an ancestor: the members of a page share theirs.
type fate struct {
	r     fsm.Reader
	known map[Ref]bool
}

// revoked reads at most depth tokens. An ancestor that was forgotten counts as revoked: its descendants are dead.
func (f fate) revoked(t Token, depth int) (bool, error) {
	if t.Revoked || t.Parent == nil || depth == 0 {
		return t.Revoked || depth == 0, nil
	}
	if r, found := f.known[*t.Parent]; found {
		return r, nil
	}
	above, found, err := tokens.Get(f.r, t.Parent.key())
	if err != nil {
		return false, err
	}
	r := !found
	if found {
		if r, err = f.revoked(above.seen(f.r), depth-1); err != nil {
			return false, err
		}
	}
	f.known[*t.Parent] = r
	return r, nil
}
