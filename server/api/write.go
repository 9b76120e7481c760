package api

import (
	"crypto/rand"
	"errors"
	"reflect"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
	"github.com/trstctl/trstctl/server/access"
)

// admit authenticates and authorizes the request in v and decodes its body. What needs no body is decided before the body is
// looked into.
func (c *call) admit(v *fsm.View) error {
	c.now = c.api.now(v)
	s, err := c.authenticate(v)
	if err != nil {
		c.refused = s
		return err
	}
	c.session, c.tenant = s, c.route.tenantOf(s)
	if err := c.charge(s); err != nil {
		return err
	}
	if c.route.roots && s.Home.UID != fsm.RootTenant {
		return errNoRoute()
	}
	if err := c.api.tokens.Allow(s.Token.Accessor, c.start); err != nil {
		return err
	}
	if err := c.allowed(s, false); err != nil {
		return err
	}
	if err := c.decode(); err != nil {
		return err
	}
	return c.allowed(s, true)
}

func (c *call) authenticate(v *fsm.View) (*access.Session, error) {
	token, err := bearer(c.r.Header)
	if err != nil {
		return nil, err
	}
	defer clear(token)
	return c.api.opt.Access.Authenticate(v, token, c.r.Header.Get(tenantHeader), c.now)
}

// tenantOf says in which tenant a request stands.
func (r *route) tenantOf(s *access.Session) fsm.UID {
	switch {
	case r.global:
		return fsm.RootTenant
	case r.self:
		return s.Token.Tenant
	}
	return s.Acting.UID
}

// decode fills body, once.
func (c *call) decode() error {
	if c.route.request == nil || c.body != nil {
		return nil
	}
	body := reflect.New(c.route.request).Interface()
	c.body = body
	if err := c.route.decoder.Decode(c.raw, body); err != nil {
		return err
	}
	if b, ok := body.(bounded); ok {
		return b.check()
	}
	return nil
}

// bounded is a body with bounds that have to hold before anything is done for it.
type bounded interface{ check() error }

// conditional is a body that knows whether a need of its route is one.
type conditional interface{ when(what string) bool }

// namer is a body that names resources, by the name in the table's braces.
type namer interface {
	names(variable string) []string
}

// allowed checks the needs of the route: those that the address names, or those that the body does.
func (c *call) allowed(s *access.Session, body bool) error {
	for i := range c.route.needOf {
		n := &c.route.needOf[i]
		if n.body != body {
			continue
		}
		if n.when != "" && !c.body.(conditional).when(n.when) {
			continue
		}
		if !body || n.when != "" {
			if err := n.check(s, n.prefix+c.named(n.variable)); err != nil {
				return err
			}
			continue
		}
		for _, name := range c.body.(namer).names(n.variable) {
			if err := n.check(s, n.prefix+name); err != nil {
				c.denied = n.prefix + name
				return err
			}
		}
	}
	return nil
}

// named returns what a variable of the address stands for.
func (c *call) named(variable string) string {
	switch variable {
	case "":
		return ""
	case c.route.variable:
		return c.path
	}
	return c.params[variable]
}

var eachCapability = []rbac.Capability{rbac.Read, rbac.Write, rbac.Delete, rbac.List, rbac.Sudo}

// check passes when the session has one of the capabilities.
func (n *needOf) check(s *access.Session, resource string) (err error) {
	if n.beneath {
		if !s.Overlaps(resource, n.caps) {
			return access.Denied()
		}
		return nil
	}
	for _, one := range eachCapability {
		if n.caps&one == 0 {
			continue
		}
		if err = s.Check(resource, one); err == nil {
			return nil
		}
	}
	return err
}

// answerWrite carries out a mutation on the leader.
func (c *call) answerWrite() error {
	if err := c.confirmed(c.prepare); err != nil {
		return err
	}
	answer, err := c.route.handle(c)
	if err != nil {
		return err
	}
	held, secret := answer.(wiper)
	err = c.settle()
	if err == nil && c.replayed && secret { // given once more: the event log has the first time only
		err = c.record(nil)
	}
	if err != nil {
		if secret {
			held.wipe()
		}
		return err
	}
	return c.answer(answer, nil)
}

// confirmed runs try, and again on a state that is surely the present when it refused: a node that led a moment ago does not
// know the newest token.
func (c *call) confirmed(try func(*fsm.View) error) error {
	err := c.inView(try)
	if k := fault.KindOf(err); err == nil || mutant.RefusalFromDeposedLeader || k != fault.Unauthenticated && k != fault.Denied && k != fault.NotFound {
		return err
	}
	if err := c.api.opt.Reads.Await(c.ctx, c.want); err != nil {
		return err
	}
	return c.inView(try)
}

func (c *call) inView(try func(*fsm.View) error) error {
	v, err := c.api.opt.Ledger.View()
	if err != nil {
		return err
	}
	defer c.close(v)
	return try(v)
}

// prepare admits the request and binds its receipt to tenant, identity, accessor, key, route and body. The accessor is what nobody can
// choose: whoever makes a token names it as they like, and must not be given what another token of that name was answered.
func (c *call) prepare(v *fsm.View) error {
	if err := c.admit(v); err != nil {
		return err
	}
	id, err := newUID()
	if err != nil {
		return err
	}
	t := c.session.Token
	receipt := &fsm.ReceiptKey{}
	mac := c.api.opt.Keys.MAC
	if receipt.Key, err = mac(v, c.tenant, "receipt key", t.Tenant[:], []byte(t.Identity), []byte(t.Accessor), []byte(c.key)); err != nil {
		return err
	}
	if receipt.Request, err = mac(v, c.tenant, "receipt request", []byte(c.route.method), []byte(c.route.pattern), []byte(c.path),
		[]byte(c.r.URL.RawQuery), c.raw); err != nil {
		return err
	}
	c.req = fsm.Request{ID: id, Tenant: c.tenant, Actor: fsm.Actor{Identity: t.Identity, Accessor: t.Accessor},
		Origin: fsm.Origin{Request: c.id, Address: c.address, Rule: c.session.Policy()}, Receipt: receipt, Authorize: c.authorize}
	return nil
}

func newUID() (id fsm.UID, err error) {
	_, err = rand.Read(id[:])
	return id, err
}

// authorize is what the ledger asks in the view that the engine decides in.
func (c *call) authorize(v *fsm.View) ([]fsm.Guard, error) {
	c.decided = v.Index()
	c.now = c.api.now(v)
	s, err := c.authenticate(v)
	if err != nil {
		return nil, err
	}
	if c.route.tenantOf(s) != c.tenant { // deleted and made anew under the same name since prepare
		return nil, fault.New(fault.NotDone, "the tenant changed under the request: try again")
	}
	if err := errors.Join(c.allowed(s, false), c.allowed(s, true)); err != nil {
		return nil, err
	}
	c.session = s
	return s.Guards(v)
}

// settle finds the index of what was done, and whether it was done by an earlier attempt. Such an answer is given only to
// who may ask for it now.
func (c *call) settle() error {
	return c.inView(func(v *fsm.View) error {
		c.index, c.epoch = v.Index(), fsm.Epoch(v)
		rc, found, err := c.api.opt.Ledger.Find(v, c.tenant, c.req.Receipt)
		switch {
		case fault.Is(err, fault.Conflict): // an answer that is given only once: it was given now
			return nil
		case err != nil || !found: // not found: nothing had to be changed
			return err
		}
		c.index, c.epoch, c.replayed = rc.Index, c.api.opt.Ledger.Epoch(), rc.Index <= c.decided || c.decided == 0
		if !c.replayed {
			return nil
		}
		_, err = c.authorize(v)
		return err
	})
}
