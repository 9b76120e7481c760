// Package access says who a request comes from, in which tenant it acts, and what it may do there.
//
// Everything is read from one view, the one that the request is decided or answered in. A Session is worth as much as that view
// is present: mutations repeat the question in the ledger's view and guard what the answer rests on.
package access

import (
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Tokens recognises tokens; *auth.Engine does.
type Tokens interface {
	Authenticate(r fsm.Reader, secret []byte, now fsm.Time) (auth.Session, error)
	Guards(r fsm.Reader, s auth.Session) ([]fsm.Guard, error)
}

// Tenants knows tenants; *tenant.Engine does.
type Tenants interface {
	Get(r fsm.Reader, uid fsm.UID) (tenant.Tenant, bool, error)
	ByName(r fsm.Reader, name string) (tenant.Tenant, bool, error)
	Guard(r fsm.Reader, uid fsm.UID) (fsm.Guard, error)
}

// Policies loads what a token may do; *rbac.Engine does.
type Policies interface {
	Load(r fsm.Reader, tenant fsm.UID, names []string) (rbac.Set, error)
}

// Access opens sessions.
type Access struct {
	tokens   Tokens
	policies Policies
	tenants  Tenants
}

// New binds the three engines that know.
func New(tokens Tokens, policies Policies, tenants Tenants) *Access {
	return &Access{tokens, policies, tenants}
}

// Session is a live token with what it may do in the tenant it acts in. One goroutine at a time uses it.
type Session struct {
	auth.Session
	Home   tenant.Tenant // the token's own
	Acting tenant.Tenant // Home, or the one that an operator named

	set    rbac.Set
	policy string
	access *Access
}

// Authenticate opens the session of a token. acting names another tenant to act in: that is for tokens of the root tenant with
// sudo on tenants/<name>. For everybody else, and for a name that does not exist, it is fault.NotFound; what is wrong with
// a token is always the same fault.Unauthenticated. Nothing of bearer is kept.
func (a *Access) Authenticate(v *fsm.View, bearer []byte, acting string, now fsm.Time) (*Session, error) {
	token, err := a.tokens.Authenticate(v, bearer, now)
	if err != nil {
		return nil, err
	}
	home, found, err := a.tenants.Get(v, token.Tenant)
	if err != nil {
		return nil, err
	}
	if !found || home.State != tenant.Active {
		return nil, fault.New(fault.Unauthenticated, "the token is not valid")
	}
	set, err := a.policies.Load(v, token.Tenant, token.Policies)
	if err != nil {
		return nil, err
	}
	s := &Session{Session: token, Home: home, Acting: home, set: set, access: a}
	if acting != "" && acting != home.Name {
		err = s.act(v, acting)
	}
	return s, err
}

// act moves the session into another tenant.
func (s *Session) act(v *fsm.View, name string) error {
	none := fault.New(fault.NotFound, "there is no such tenant")
	if s.Token.Tenant != fsm.RootTenant || !s.set.Check("tenants/"+name, rbac.Sudo) {
		return none
	}
	t, found, err := s.access.tenants.ByName(v, name)
	if err != nil {
		return err
	}
	if !found || t.State != tenant.Active {
		return none
	}
	s.Acting = t
	return nil
}

// Denied is the refusal of whoever may not: it says nothing about rules.
func Denied() error { return fault.New(fault.Denied, "the token may not do this") }

// Check passes when the token has the capability on path, and remembers the policy that said so.
func (s *Session) Check(path string, capability rbac.Capability) error {
	d := s.set.Explain(path, capability)
	s.policy = d.Policy
	if !d.Allowed {
		return Denied()
	}
	return nil
}

// Policy returns the name of the policy that decided the last Check, "" if none had a rule for it.
func (s *Session) Policy() string { return s.policy }

// Allows is Check for what is left out rather than refused.
func (s *Session) Allows(path string, capability rbac.Capability) bool {
	return s.set.Check(path, capability)
}

// Overlaps reports whether something beneath prefix may be allowed.
func (s *Session) Overlaps(prefix string, capability rbac.Capability) bool {
	return s.set.Overlaps(prefix, capability)
}

// Forbids reports whether a rule denies path. Lists whose right comes from the whole leave out what it names.
func (s *Session) Forbids(path string) bool {
	d := s.set.Explain(path, rbac.List)
	return !d.Allowed && d.Found && d.Rule.Capabilities&rbac.Deny != 0
}

// Explain says why the token may or may not.
func (s *Session) Explain(path string, capability rbac.Capability) rbac.Decision {
	return s.set.Explain(path, capability)
}

// Guards hold as long as the session does: its token, the token's ancestors, and the tenants.
func (s *Session) Guards(v *fsm.View) ([]fsm.Guard, error) {
	guards, err := s.access.tokens.Guards(v, s.Session)
	if err != nil {
		return nil, err
	}
	g, err := s.access.tenants.Guard(v, s.Home.UID)
	if err != nil {
		return nil, err
	}
	guards = append(guards, g)
	if s.Acting.UID == s.Home.UID {
		return guards, nil
	}
	if g, err = s.access.tenants.Guard(v, s.Acting.UID); err != nil {
		return nil, err
	}
	return append(guards, g), nil
}
