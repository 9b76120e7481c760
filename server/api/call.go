package api

import (
	"context"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/access"
	"github.com/trstctl/trstctl/server/api/admit"
)

// A request has 15 seconds from its first byte to its answer; a walk over the whole log has ten minutes.
const (
	deadline     = 15 * time.Second
	longDeadline = 10 * time.Minute
)

// call is one request on its way through the gates. One goroutine at a time uses it.
type call struct {
	api   *API
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	start time.Time
	peer  bool         // another node forwarded it
	place *admit.Place // in its queue; nil for what has none

	id      string // request id
	address string // of the caller, without port
	route   *route // nil when there is none
	path    string // what the pattern's variable stands for, decoded
	raw     []byte // body as it was sent
	held    int64  // bytes of bodies that it takes of its address's
	body    any    // body decoded, a pointer to route.request
	key     string // idempotency key
	params  map[string]string

	session *access.Session
	refused *access.Session // whose token is alive, but who may not act in the tenant that was named
	tenant  fsm.UID         // that the request stands in
	view    *fsm.View       // of a read
	now     fsm.Time        // by which expiry is judged
	want    Want            // what a read asked for

	req     fsm.Request // of a mutation
	decided uint64      // index of the view it was last decided in, 0 if it never was

	index     uint64 // for X-Trstctl-Index, 0 if nothing is known
	epoch     uint32 // which history of the cluster it belongs to
	version   uint64 // of the secret that was read, or the key that was used, for the journal
	items     uint64 // of a batch, for the journal
	recorded  bool   // in the journal
	replayed  bool
	forwarded bool // this node passed it on
	status    int
	out       []byte // the answer, until it is sent
	kept      int64  // bytes of answers that it takes of its address's
	shared    bool   // out is not this call's own
	streams   bool   // the handler sends the answer itself
	bytes     int
	err       error  // what was refused, for the log
	denied    string // the resource, named in the body, that the caller may not have
}

// serve takes one request through the gates and writes its line in the log.
func (a *API) serve(w http.ResponseWriter, r *http.Request, address string, peer bool) {
	c := &call{api: a, w: w, r: r, start: a.opt.Clock(), peer: peer, address: address, id: requestIDOf(r.Header)}
	h := w.Header()
	h[requestID] = []string{c.id}
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	defer c.finish()
	if !peer && a.serveHealth(c) {
		return
	}
	if err := c.pass(); err != nil {
		c.refuse(err)
	}
}

// pass carries out the request, in the order of the gates, and answers it unless it returns an error.
func (c *call) pass() error {
	if !c.peer {
		if err := c.api.addresses.Allow(rateKey(c.address), c.start); err != nil {
			return err
		}
	}
	if err := c.readHead(); err != nil {
		return err
	}
	limit := deadline
	if c.route.long {
		limit = longDeadline
		if err := c.readDeadline(time.Time{}); err != nil { // the server's own would end the request
			return err
		}
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), limit)
	defer cancel()
	if c.ctx = ctx; c.route.surface == operator {
		c.ctx = c.api.opt.Urgent(ctx)
	}
	if err := c.readBody(c.start.Add(deadline)); err != nil {
		return err
	}
	var err error
	if c.place, err = c.api.queues[c.route.surface].Enter(ctx); err != nil {
		return err
	}
	defer c.place.Leave()
	return c.dispatch()
}

// charge counts the place of the request as its tenant's. Operators of the cluster may have all of theirs.
func (c *call) charge(s *access.Session) error {
	if c.place == nil || c.route.surface == operator && s.Home.UID == fsm.RootTenant {
		return nil
	}
	return c.place.Charge(string(s.Home.UID[:]))
}

// readHead finds the route and reads what stands before the body.
func (c *call) readHead() (err error) {
	if err := checkHead(c.r); err != nil {
		return err
	}
	var sent string
	if c.route, sent, err = c.api.find(c.r); err != nil {
		return err
	}
	path, err := canonical(c.route.variable, sent)
	if err != nil {
		return err
	}
	if c.path = path; c.route.variable == "accessor" {
		if c.path, err = accessorOf(path); err != nil {
			return err
		}
	}
	if err := c.api.served(c.route); err != nil {
		return err
	}
	if c.params, err = c.route.parameters(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.route.kind == write || c.route.kind == act {
		if c.key, err = checkKey(c.r.Header); err != nil {
			return err
		}
	}
	if c.want, err = c.level(); err != nil || c.route.kind == open {
		return err
	}
	token, err := bearer(c.r.Header)
	clear(token)
	return err
}

// dispatch hands the request to where it is decided.
func (c *call) dispatch() error {
	switch c.route.kind {
	case open:
		return c.answer(c.route.handle(c))
	case read:
		return c.answerRead()
	}
	if !c.api.opt.Leader.Leads() {
		if c.peer {
			return fault.New(fault.NotDone, "the node does not lead any more: nothing was done, try again").After(time.Second)
		}
		return c.forward()
	}
	if !c.api.opt.Keys.Unsealed() {
		return errSealed()
	}
	if c.route.kind == act {
		return c.answerRead()
	}
	if c.route.takesSpace() {
		if err := c.api.opt.Health.Writable(); err != nil {
			return err
		}
	}
	err := c.answerWrite()
	if err != nil {
		c.recordRefusal(err)
	}
	return err
}

func errSealed() error {
	return fault.New(fault.Sealed, "the node is sealed: ask another, or unseal it").After(time.Second)
}

// creator is the caller's session as the token engine knows it.
func (c *call) creator() auth.Session { return c.session.Session }

// note keeps the first failure for the log line.
func (c *call) note(err error) {
	if err != nil && c.err == nil {
		c.err = err
	}
}

// wipeBody zeroes everything of the body and gives its bytes back.
func (c *call) wipeBody() {
	clear(c.raw)
	c.api.bodies.Give(rateKey(c.address), c.held)
	c.held = 0
	if s, ok := c.body.(wiper); ok {
		s.wipe()
	}
}
