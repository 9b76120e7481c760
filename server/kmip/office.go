package kmip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
	"github.com/trstctl/trstctl/server/journal"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Cluster is what requests need of the cluster.
type Cluster interface {
	// Present waits until this node's state is that of now; fault.NotDone when it cannot be.
	Present(ctx context.Context) error
	// Leads reports whether this node believes that it leads.
	Leads() bool
	// Pass has the leader answer a message that came to this node, by its own Office's Answer with Passed. It is sent once; fault.Unknown when nobody
	// knows what came of it.
	Pass(ctx context.Context, passed []byte) (answer []byte, err error)
}

// Journal keeps what clients were given and refused; *journal.Journal does.
type Journal interface {
	Append(records ...journal.Record) error
}

// Office answers messages on one node: reads and uses of keys from the state of this node, brought to the present; what changes something where it can be
// committed. All its fields but Meter are required.
type Office struct {
	Ledger   *fsm.Ledger
	Objects  *managedkey.Engine
	Clients  *kmipclient.Engine
	Cluster  Cluster
	Unsealed func() bool
	Journal  Journal
	Places   *admit.Queue  // of requests that are carried out at the same time
	Patience time.Duration // for which a message that was not carried out, as when there is no leader, is tried again: appliances take the first refusal for the last word
	Waiting  *Waiting      // certificates that nobody knows
	Meter    *Meter        // nil: nothing is measured
	Log      *slog.Logger
}

// Answer implements Backend.
func (o *Office) Answer(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
	return o.Meter.timed(func() (out []byte, err error) {
		defer rescue(&out, &err)
		return o.admitted(ctx, p, m)
	})
}

// admitted answers a message once there is a place for it.
func (o *Office) admitted(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
	place, err := o.Places.Enter(ctx)
	if err != nil {
		return refused(m, err)
	}
	defer place.Leave()
	for until := time.Now().Add(o.Patience); ; {
		v := &visit{Office: o, peer: p, message: m, place: place}
		out, err := v.answer(ctx, false)
		if err != nil || !fault.Is(v.ended, fault.NotDone) || ctx.Err() != nil || time.Now().After(until) {
			return out, err
		}
		clear(out)
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// again is how long it takes until a message that was not carried out is tried once more.
const again = 100 * time.Millisecond

// AnswerPassed answers a message that another member passed on because this node leads. The member vouches for the certificate and the address, and for nothing else.
func (o *Office) AnswerPassed(ctx context.Context, body []byte) (out []byte, err error) {
	defer rescue(&out, &err)
	p, m, err := unpack(body)
	if err != nil {
		return nil, err
	}
	defer m.Wipe()
	if !o.Cluster.Leads() {
		return nil, fault.New(fault.NotDone, "the node does not lead any more: nothing was done, try again").After(time.Second)
	}
	v := &visit{Office: o, peer: p, message: m}
	if out, err = v.answer(ctx, true); err == nil && fault.Is(v.ended, fault.NotDone) {
		clear(out)
		return nil, v.ended // who has passed it on may try again
	}
	return out, err
}

// refused answers a message that nobody carries out.
func refused(m *ttlv.Item, err error) ([]byte, error) {
	return Handle(context.Background(), m, func(context.Context, *Request, func(Stage) error) error { return err }, chaos.Now())
}

// visit is one message on its way.
type visit struct {
	*Office
	peer    Peer
	message *ttlv.Item
	place   *admit.Place // nil of what another node has let in
	id      fsm.UID

	client  kmipclient.Client
	known   bool
	index   uint64
	request *Request
	ended   error
	moved   bool // carried out here it would change something
}

// answer carries the message out. commits says that it is carried out where it can be committed, whatever it does.
func (v *visit) answer(ctx context.Context, commits bool) ([]byte, error) {
	_, _ = rand.Read(v.id[:]) // never fails: the process ends instead
	out, err := Handle(ctx, v.message, func(ctx context.Context, r *Request, do func(Stage) error) error {
		v.request = r
		if r.Correlation != "" {
			r.Correlated = "req_" + v.id.String()
		}
		v.ended = v.carryOut(ctx, commits, do)
		return v.ended
	}, chaos.Now())
	if v.moved && err == nil {
		clear(out)
		return v.elsewhere(ctx)
	}
	v.report(ctx)
	return out, err
}

// report logs why a message as a whole was not carried out, when its sender is told nothing of it.
func (v *visit) report(ctx context.Context) {
	if v.ended == nil || errors.Is(v.ended, errUndone) {
		return
	}
	if _, expected := explain(v.ended); !expected {
		v.Log.ErrorContext(ctx, "a KMIP message failed", "request", "req_"+v.id.String(), "address", v.peer.Address, "err", v.ended)
	}
}

func (v *visit) carryOut(ctx context.Context, commits bool, do func(Stage) error) error {
	switch {
	case !v.Unsealed():
		return fault.New(fault.Sealed, "the node is sealed: ask another, or unseal it")
	case commits:
		return v.commit(ctx, do)
	case v.request.writes():
		v.moved = true
		return nil
	}
	return v.read(ctx, do)
}

// elsewhere carries the message out where it can be committed: here, if this node leads.
func (v *visit) elsewhere(ctx context.Context) ([]byte, error) {
	v.moved = false
	if v.Cluster.Leads() {
		return v.answer(ctx, true)
	}
	body, err := pack(v.peer, v.message)
	if err == nil {
		defer clear(body)
		var out []byte
		out, err = v.Cluster.Pass(ctx, body)
		if v.Meter.passed(err); err == nil {
			return out, nil
		}
	}
	v.ended = err
	return refused(v.message, err)
}

// read answers from one view of the present, whatever is in the message. Nothing is given that is not in the journal.
func (v *visit) read(ctx context.Context, do func(Stage) error) error {
	if err := v.Cluster.Present(ctx); err != nil {
		return err
	}
	at, err := v.Ledger.View()
	if err != nil {
		return err
	}
	defer at.Close()
	v.index = at.Index()
	if err := v.authenticate(at); err != nil {
		return err
	}
	if err := v.place.Charge(string(v.client.Tenant[:])); err != nil {
		return err
	}
	s := v.Objects.View(at, v.client.Tenant)
	err = do(v.session(ctx, s))
	if v.moved = s.Changed(); v.moved {
		return err
	}
	return errors.Join(err, v.record(err))
}

// commit carries the message out on the leader, as one entry. Who sent it is decided in the view in which the rest is, and guards it.
func (v *visit) commit(ctx context.Context, do func(Stage) error) error {
	tenant, err := v.of(ctx)
	if err != nil {
		return err
	}
	req := fsm.Request{ID: v.id, Tenant: tenant, Actor: v.actor(), Origin: fsm.Origin{Request: "req_" + v.id.String(), Address: v.peer.Address, Rule: v.client.Role.Name},
		Authorize: func(at *fsm.View) ([]fsm.Guard, error) {
			v.index = at.Index()
			if err := v.authenticate(at); err != nil {
				return nil, err
			}
			if v.client.Tenant != tenant {
				return nil, fault.New(fault.NotDone, "the client changed under the request: try again")
			}
			g, err := kmipclient.Guard(at, tenant)
			return []fsm.Guard{g}, err
		}}
	_, err = v.Objects.Commit(ctx, req, func(s *managedkey.Stage) error { return do(v.session(ctx, s)) })
	if recorded := v.record(err); recorded != nil && err == nil {
		v.Log.WarnContext(ctx, "what a KMIP client was given with a change is not in the journal", "request", req.Origin.Request, "err", recorded)
	}
	return err
}

// of finds the tenant of the peer, and waits for the present when this state does not know it.
func (v *visit) of(ctx context.Context) (fsm.UID, error) {
	look := func() error {
		at, err := v.Ledger.View()
		if err != nil {
			return err
		}
		defer at.Close()
		return v.authenticate(at)
	}
	err := look()
	if fault.Is(err, fault.Unauthenticated) {
		if err := v.Cluster.Present(ctx); err != nil {
			return fsm.UID{}, err
		}
		err = look()
	}
	return v.client.Tenant, err
}

func (v *visit) authenticate(at *fsm.View) (err error) {
	now := max(at.Now(), fsm.At(chaos.Now()))
	if v.client, err = v.Clients.Authenticate(at, v.peer.Chain, now); err != nil {
		return errors.Join(err, v.await(at, now))
	}
	given, err := credentials(v.request)
	if err == nil {
		err = v.Clients.CheckCredential(at, v.client, given...)
	}
	for _, c := range given {
		wipeCredential(c)
	}
	v.known = err == nil
	return err
}

// await keeps the certificate of a peer that nobody knows, if a tenant waits for one.
func (v *visit) await(at *fsm.View, now fsm.Time) error {
	if len(v.peer.Chain) == 0 || !v.Waiting.awaited() {
		return nil
	}
	unknown, err := kmipclient.Unknown(at, v.peer.Chain[0], now)
	if unknown {
		v.Waiting.note(v.peer.Chain[0], v.peer.Address, now)
	}
	return err
}

func (v *visit) actor() fsm.Actor {
	return fsm.Actor{Identity: "kmip:" + v.client.Name, Accessor: fmt.Sprintf("kmip_%s.%d", v.client.UID, v.client.Binding)}
}

// session is for the operations of the client, whose unexpected errors are logged.
func (v *visit) session(ctx context.Context, stage *managedkey.Stage) *session {
	s := newSession(stage, callerOf(v.client))
	s.failed = func(operation uint32, err error) {
		name, _ := ttlv.EnumName(ttlv.TagOperation, operation) // the session knows it
		v.Log.ErrorContext(ctx, "a KMIP operation failed", "operation", name, "client", v.client.Name, "request", "req_"+v.id.String(), "err", err)
	}
	return s
}

// callerOf is a client as sessions know it.
func callerOf(c kmipclient.Client) Caller {
	out := Caller{ID: c.UID.String(), PKCS1v15: c.Role.PKCS1, SmallRSA: c.Role.SmallRSA, Quota: c.Role.Objects}
	out.Groups, out.All = c.Groups()
	if !c.Role.All {
		out.Operations = c.Role.Operations
	}
	return out
}
