// Package lending binds what is given out for a time: the engines that make it, its leases, and the outbox by which it ends.
package lending

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
)

// Options are what it takes. All but Counters are required.
type Options struct {
	Ledger   *fsm.Ledger
	Keys     dynamic.Keys
	Tokens   *auth.Engine
	Backends map[string]backend.Backend // by name
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Resolver *net.Resolver               // of names that ACME's clients prove
	Confirm  func(context.Context) error // a round that shows that this node leads
	Now      func() fsm.Time
	Log      *slog.Logger
	Counters *metrics.Metrics // nil: nothing is counted
}

// Lending has the engines, and the worker that delivers.
type Lending struct {
	Outbox  *outbox.Engine
	Courier *outbox.Worker
	Leases  *lease.Engine
	Dynamic *dynamic.Engine
	PKI     *pki.Engine
	ACME    *acme.Engine

	log *slog.Logger
}

// New makes the engines.
func New(o Options) *Lending {
	l := &Lending{Outbox: outbox.New(o.Ledger), Leases: lease.New(o.Ledger, bearers{o.Tokens}, o.Confirm, o.Now), log: o.Log}
	l.Dynamic = dynamic.New(dynamic.Options{Ledger: o.Ledger, Keys: o.Keys, Leases: shelf{l.Leases}, Backends: o.Backends, Dial: o.Dial, Confirm: o.Confirm, Now: o.Now, Log: o.Log})
	l.Leases.Serve(engineDynamic, accounts{l.Dynamic})
	l.PKI = pki.New(pki.Options{Ledger: o.Ledger, Keys: o.Keys, Leases: certificateShelf{l.Leases}, Now: o.Now, Log: o.Log})
	l.Leases.Serve(enginePKI, certificates{l.PKI})
	l.ACME = acme.New(acme.Options{Ledger: o.Ledger, Keys: o.Keys, Certificates: authorities{l.PKI}, Prover: acme.Probe{Resolver: o.Resolver, Dial: o.Dial}, Now: o.Now, Log: o.Log})
	l.Courier = &outbox.Worker{Ledger: o.Ledger, Engine: l.Outbox, Dispatchers: map[string]outbox.Dispatcher{lease.Kind: l.Leases, dynamic.Cleanup: l.Dynamic}, Confirm: o.Confirm,
		Policy: outbox.DefaultPolicy, Log: o.Log}
	if o.Counters != nil {
		l.Courier.Observe = func(kind string, out outbox.Outcome, took time.Duration) { count(o.Counters, kind, out, took) }
	}
	return l
}

// count counts tries by kind and outcome, both of which are ours.
func count(to *metrics.Metrics, kind string, out outbox.Outcome, took time.Duration) {
	labels := []metrics.Label{{Name: "kind", Value: kind}, {Name: "outcome", Value: string(out)}}
	to.IncrCounterWithLabels([]string{"outbox", "tries"}, 1, labels)
	to.AddSampleWithLabels([]string{"outbox", "try_seconds"}, float32(took.Seconds()), labels[:1])
}

// Tasks are the leader's work.
func (l *Lending) Tasks() []func(context.Context) error {
	return []func(context.Context) error{l.Courier.Run, l.Leases.Worker(l.log).Run, l.Dynamic.Worker().Run, l.PKI.Worker().Run, l.ACME.Worker().Run}
}

// By these names leases know who issued them. That of the PKI also stands where others have a connection: no connection is called so.
const (
	engineDynamic = "dynamic"
	enginePKI     = "pki"
)

// bearers tells leases whether their tokens live.
type bearers struct{ *auth.Engine }

// Holder implements lease.Tokens.
func (b bearers) Holder(r fsm.Reader, ref lease.Ref, now fsm.Time) (fsm.Time, []fsm.Guard, bool, error) {
	s, alive, err := b.Living(r, auth.Ref{Tenant: ref.Tenant, Accessor: ref.Accessor}, now)
	if err != nil || !alive {
		return 0, nil, false, err
	}
	guards, err := b.Guards(r, s)
	return s.Expires, guards, true, err
}

// shelf keeps the leases of dynamic secrets.
type shelf struct{ *lease.Engine }

// NewID implements dynamic.Leases, as do the rest.
func (s shelf) NewID(connection, role string) string { return lease.NewID(connection, role) }

func (s shelf) Reserve(r fsm.Reader, tenant fsm.UID, connection, role string, h dynamic.Holder, most uint64) (func(), error) {
	return s.Engine.Reserve(r, tenant, connection, role, lease.Ref{Tenant: h.Tenant, Accessor: h.Accessor}, most)
}

func (s shelf) Grant(v *fsm.View, entry *fsm.Entry, t dynamic.Terms) (fsm.Time, error) {
	l, err := s.Engine.Grant(v, entry, lease.Terms{ID: t.ID, Engine: engineDynamic, Target: t.Connection, Role: t.Role, Account: t.Account,
		Holder: lease.Ref{Tenant: t.Holder.Tenant, Accessor: t.Holder.Accessor}, Identity: t.Holder.Identity, Until: t.Until, Last: t.Last, Renewable: true, Answer: t.Answer})
	return l.Expires, err
}

func (s shelf) Accounts(r fsm.Reader, tenant fsm.UID, connection string, visit func(string)) error {
	return lease.Each(r, tenant, connection+"/", func(l lease.Lease) bool {
		visit(l.Account)
		return true
	})
}

// accounts are what dynamic leases stand for.
type accounts struct{ *dynamic.Engine }

// Extend and End implement lease.Backend.
func (a accounts) Extend(ctx context.Context, tenant fsm.UID, l lease.Lease, until fsm.Time) error {
	return a.Engine.Extend(ctx, tenant, l.Target, l.Account, until)
}

func (a accounts) End(ctx context.Context, tenant fsm.UID, l lease.Lease) error {
	return a.Engine.End(ctx, tenant, l.Target, l.Role, l.Account)
}
