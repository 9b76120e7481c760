package api

import (
	"net/http"
	"time"

	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm"
)

// leaseRoutes let a token look after the leases that it holds; for all others it needs a policy.
func leaseRoutes() []*route {
	return []*route{
		{name: "leases.list", method: http.MethodGet, pattern: "/leases", kind: read, surface: bulk, handle: listLeases,
			summary: "List the leases of the tenant that have not come to their end at their backends, in the order of their ids.", needs: []need{may("leases", rbac.List)},
			query: []query{{"prefix", "string", "of their ids, such as pg/ or pg/readonly/; nothing: all"}, qCursor, qLimit}, response: of[leasesAnswer]()},
		{name: "leases.read", method: http.MethodGet, pattern: "/leases/lookup/{path}", kind: read, surface: reads, handle: readLease, holder: true,
			summary: "Describe a lease.", response: of[leaseAnswer]()},
		{name: "leases.renew", method: http.MethodPost, pattern: "/leases/renew/{path}", kind: write, surface: writes, handle: renewLease, holder: true,
			summary: "Extend a lease within its maximum and the life of its token, at its backend too.", limit: smallBody, request: of[renewLeaseBody](), response: of[leaseAnswer]()},
		{name: "leases.revoke", method: http.MethodPost, pattern: "/leases/revoke/{path}", kind: write, surface: operator, handle: revokeLease, holder: true,
			summary: "End a lease. Its backend is told from then on, until it has ended the account.", limit: smallBody, request: of[nothing](), response: of[leaseAnswer]()},
		{name: "leases.revoke-prefix", method: http.MethodPost, pattern: "/leases/revoke-prefix", kind: write, surface: operator, long: true, handle: revokeLeases,
			summary: "End all leases of a connection, or of one of its roles.", needs: []need{may("leases/{body.prefix}", rbac.Delete)}, limit: smallBody, request: of[prefixBody](), response: of[revokedAnswer]()},
		{name: "leases.force", method: http.MethodPost, pattern: "/leases/force/{path}", kind: write, surface: operator, handle: forceLease,
			summary: "Give up the backend of a lease: what it stood for may live on there. It is listed as irrevocable until it is forgotten.",
			needs:   []need{may("leases/{path}", rbac.Delete), may("leases/{path}", rbac.Sudo)}, limit: smallBody, request: of[nothing](), response: of[leaseAnswer]()},
		{name: "leases.forget", method: http.MethodPost, pattern: "/leases/forget/{path}", kind: write, frees: true, surface: operator, handle: forgetLease,
			summary: "Take an irrevocable lease off the list: somebody has seen to what it left behind.",
			needs:   []need{may("leases/{path}", rbac.Delete), may("leases/{path}", rbac.Sudo)}, limit: smallBody, request: of[nothing](), response: of[leaseAnswer]()},
	}
}

type leaseAnswer struct {
	ID        string   `json:"lease_id"`
	Engine    string   `json:"engine"`
	Target    string   `json:"connection"`
	Role      string   `json:"role"`
	Account   string   `json:"account,omitempty" doc:"by which the backend knows it"`
	Holder    string   `json:"holder" doc:"accessor of the token"`
	Identity  string   `json:"identity" doc:"the holder's"`
	State     string   `json:"state" doc:"active; ending: the backend is to end the account; irrevocable: the backend was given up"`
	Why       string   `json:"ended_because,omitempty"`
	Issued    fsm.Time `json:"issued_at"`
	Expires   fsm.Time `json:"expires_at"`
	Max       fsm.Time `json:"max_expires_at" doc:"no renewal goes beyond it"`
	Ended     fsm.Time `json:"ended_at,omitempty"`
	Renewable bool     `json:"renewable"`
	Message   string   `json:"message,omitempty" doc:"of the outbox, by which the backend is told"`
	Parked    string   `json:"backend_error,omitempty" doc:"why that message is a dead letter"`
}

func leaseOf(l lease.Lease) leaseAnswer {
	return leaseAnswer{ID: l.ID, Engine: l.Engine, Target: l.Target, Role: l.Role, Account: l.Account, Holder: l.Holder.Accessor, Identity: l.Identity, State: l.State.String(), Why: l.Why.String(),
		Issued: l.Issued, Expires: l.Expires, Max: l.Max, Ended: l.Ended, Renewable: l.Renewable}
}

// describeLease adds what has become of the message to its backend.
func describeLease(r fsm.Reader, l lease.Lease) (leaseAnswer, error) {
	out := leaseOf(l)
	if l.State != lease.Ending {
		return out, nil
	}
	o, found, err := fsm.OwedAt(r, l.Seq, l.Pos)
	if found {
		m := messageOf(o)
		out.Message, out.Parked = m.ID, m.Reason
	}
	return out, err
}

type leasesAnswer struct {
	Items []leaseAnswer `json:"items"`
	Next  string        `json:"next_cursor"`
}

func listLeases(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]lease.Lease, string, error) {
		return lease.List(c.view, c.tenant, c.params["prefix"], after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(l lease.Lease) string { return l.ID }, func(id string) bool { return c.session.Forbids("leases/" + id) })
	out := leasesAnswer{Items: make([]leaseAnswer, len(found)), Next: next}
	for i := 0; i < len(found) && err == nil; i++ {
		out.Items[i], err = describeLease(c.view, found[i])
	}
	return out, err
}

// lease returns the one that the request names, for its holder and for whoever has one of the capabilities on it. To others it does not matter whether there is one.
func (c *call) lease(v *fsm.View, caps rbac.Capability) (lease.Lease, error) {
	l, err := lease.Get(v, c.session.Acting.UID, c.path)
	if err == nil && l.Holder == (lease.Ref{Tenant: c.session.Tenant, Accessor: c.session.Accessor}) {
		return l, nil
	}
	n := may("leases/{path}", caps)
	if denied := (&needOf{need: n}).check(c.session, "leases/"+c.path); denied != nil {
		return lease.Lease{}, denied
	}
	return l, err
}

// leaseToChange is lease for a mutation, which is decided again behind it. A repetition is answered by its receipt, when the lease is gone too.
func (c *call) leaseToChange(caps rbac.Capability) (l lease.Lease, err error) {
	err = c.inView(func(v *fsm.View) error {
		_, found, err := c.api.opt.Ledger.Find(v, c.req.Tenant, c.req.Receipt)
		if err == nil && !found {
			l, err = c.lease(v, caps)
		}
		return err
	})
	return l, err
}

func readLease(c *call) (any, error) {
	l, err := c.lease(c.view, rbac.Read)
	if err != nil {
		return nil, err
	}
	return describeLease(c.view, l)
}

type renewLeaseBody struct {
	Increment span `json:"increment" doc:"from now on; nothing: as long as it was given for at first"`
}

func renewLease(c *call) (any, error) {
	l, err := c.leaseToChange(rbac.Write)
	if err != nil {
		return nil, err
	}
	d := time.Duration(c.body.(*renewLeaseBody).Increment)
	if d == 0 {
		d = l.Expires.Sub(l.Issued)
	}
	l, _, err = c.api.opt.Leases.Renew(c.ctx, c.req, c.path, d)
	return leaseOf(l), err
}

func revokeLease(c *call) (any, error) {
	if _, err := c.leaseToChange(rbac.Delete); err != nil {
		return nil, err
	}
	l, _, err := c.api.opt.Leases.Revoke(c.ctx, c.req, c.path)
	return leaseOf(l), err
}

func forceLease(c *call) (any, error) {
	l, _, err := c.api.opt.Leases.Force(c.ctx, c.req, c.path)
	return leaseOf(l), err
}

func forgetLease(c *call) (any, error) {
	l, _, err := c.api.opt.Leases.Forget(c.ctx, c.req, c.path)
	return leaseOf(l), err
}

type prefixBody struct {
	Prefix string `json:"prefix" strict:"required" doc:"such as pg/ or pg/readonly/"`
}

func (b *prefixBody) names(string) []string { return []string{b.Prefix + "*"} }

func (b *prefixBody) check() error { return lease.ValidPrefix(b.Prefix) }

type revokedAnswer struct {
	Revoked uint64 `json:"revoked" doc:"leases that were active"`
}

func revokeLeases(c *call) (any, error) {
	n, _, err := c.api.opt.Leases.RevokePrefix(c.ctx, c.req, c.body.(*prefixBody).Prefix)
	return revokedAnswer{n}, err
}
