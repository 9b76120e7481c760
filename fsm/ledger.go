package fsm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Log appends to the replicated log; *cluster.Node is one.
type Log interface {
	// Term returns the term in which this node leads, fault.NotDone when it does not. Entries decided in it have no effect in another.
	Term() (uint64, error)
	// Propose appends an entry. Its errors are ErrStale, or faults: KeyReused, NotDone (no effect), Unknown.
	Propose(ctx context.Context, e *Entry) (Receipt, error)
	// ReadIndex confirms, by a round that begins after the call, that this node leads, and returns an index that covers
	// everything acknowledged before.
	ReadIndex(ctx context.Context) (uint64, error)
}

// Request is a mutation that someone asked for.
type Request struct {
	ID      UID
	Tenant  UID
	Actor   Actor
	Origin  Origin
	Receipt *ReceiptKey
	// Authorize decides, in the same view as the engine, whether the actor may; it returns guards on what that rests on.
	// nil stands for the node itself.
	Authorize func(v *View) ([]Guard, error)
}

// Ledger turns requests into entries: view, authority, decision, proposal, and all of it again when the state moved on.
type Ledger struct {
	store *Store
	log   Log
	lanes lanes
	now   func() time.Time
	kinds sync.Map // of messages for which there is a dispatcher -> true
}

// LedgerOption changes what NewLedger sets up.
type LedgerOption func(*Ledger)

// WithClock replaces the system's clock.
func WithClock(now func() time.Time) LedgerOption { return func(l *Ledger) { l.now = now } }

// NewLedger binds a store to its replicated log.
func NewLedger(s *Store, l Log, options ...LedgerOption) *Ledger {
	out := &Ledger{store: s, log: l, lanes: lanes{held: map[string]*lane{}}, now: chaos.Now}
	for _, o := range options {
		o(out)
	}
	return out
}

// Serve says that there is a dispatcher for messages of a kind. An entry that owes any other is refused: it would be owed for ever.
func (l *Ledger) Serve(kind string) { l.kinds.Store(kind, true) }

// Leads reports whether this node may propose now.
func (l *Ledger) Leads() bool {
	_, err := l.log.Term()
	return err == nil
}

// View opens the present state.
func (l *Ledger) View() (*View, error) { return l.store.View() }

// Find is FindReceipt now: by log time, or by the own clock when that is further, since log time stands still while nobody writes.
func (l *Ledger) Find(v *View, tenant UID, k *ReceiptKey) (rc Receipt, found bool, err error) {
	return FindReceipt(v, tenant, k, max(v.Now(), At(l.now())))
}

const attempts = 8

// Decide is the pure part of an engine with the sealing around it: it reads v and fills in e.
type Decide func(v *View, e *Entry) error

// Commit carries out a request. Requests that name the same lane, a stream usually, wait for each other here instead of
// missing each other's guards. A refusal or an answer without effect is given only after a read index has shown
// that it rests on the present (PROTOCOL 4).
func (l *Ledger) Commit(ctx context.Context, r Request, name string, decide Decide) (Receipt, error) {
	for _, n := range lanesOf(r, name) {
		release, err := l.lanes.enter(ctx, n)
		if err != nil {
			return Receipt{}, err
		}
		defer release()
	}
	var covered uint64 // a confirmed read index, 0 before there is one
	for range attempts {
		rc, final, err := l.attempt(ctx, r, &covered, decide)
		if final {
			return rc, err
		}
	}
	return Receipt{}, fault.New(fault.NotDone, "the state changed under the request %d times: try again", attempts).After(time.Second)
}

func lanesOf(r Request, name string) []string {
	names := make([]string, 0, 2)
	if r.Receipt != nil { // a duplicate in flight waits for the first
		names = append(names, "receipt/"+r.Tenant.String()+string(r.Receipt.Key[:]))
	}
	if name != "" {
		names = append(names, r.Tenant.String()+"/"+name)
	}
	return names
}

func (l *Ledger) attempt(ctx context.Context, r Request, covered *uint64, decide Decide) (rc Receipt, final bool, err error) {
	term, err := l.log.Term()
	if err != nil {
		return Receipt{}, true, err
	}
	e, rc, index, err := l.decide(r, decide)
	if err == nil && e != nil {
		e.Term = term
		rc, err = l.log.Propose(ctx, e)
		return rc, !errors.Is(err, ErrStale), err
	}
	if *covered > 0 && index >= *covered || mutant.RefusalFromDeposedLeader {
		return rc, true, err
	}
	if *covered, err = l.present(ctx); err != nil {
		return Receipt{}, true, err
	}
	return Receipt{}, false, nil
}

// decide returns an entry to propose, or the answer that needs none.
func (l *Ledger) decide(r Request, decide Decide) (*Entry, Receipt, uint64, error) {
	v, err := l.store.View()
	if err != nil {
		return nil, Receipt{}, 0, err
	}
	defer v.Close()
	if rc, found, err := l.Find(v, r.Tenant, r.Receipt); err != nil || found {
		return nil, rc, v.Index(), err
	}
	e := &Entry{ID: r.ID, Tenant: r.Tenant, Actor: r.Actor, Origin: r.Origin, Receipt: r.Receipt, bound: v.Version() >= bindingsSince}
	if r.Authorize != nil {
		guards, err := r.Authorize(v)
		if err != nil {
			return nil, Receipt{}, v.Index(), err
		}
		e.Guard(guards...)
	}
	if err := decide(v, e); err != nil {
		return nil, Receipt{}, v.Index(), err
	}
	if e.Empty() {
		return nil, Receipt{At: v.Now(), Reply: e.Reply}, v.Index(), nil
	}
	if err := errors.Join(permits(v, e), l.delivers(v, e)); err != nil {
		return nil, Receipt{}, v.Index(), err
	}
	return e, Receipt{}, v.Index(), nil
}

// delivers refuses an entry with a message that nobody would deliver.
func (l *Ledger) delivers(v *View, e *Entry) error {
	for _, m := range e.Outbox {
		if _, served := l.kinds.Load(m.Kind); !served {
			return fault.New(fault.Invalid, "nobody delivers messages of kind %q", m.Kind)
		}
		if v.Version() < outboxSince {
			return tooEarly(outboxSince, v.Version())
		}
	}
	return nil
}

// present waits until the local state covers everything acknowledged before the call.
func (l *Ledger) present(ctx context.Context) (uint64, error) {
	index, err := l.log.ReadIndex(ctx)
	if err != nil {
		return 0, err
	}
	return index, l.store.Wait(ctx, index)
}

// lanes let requests for the same thing pass one by one, in no particular order.
type lanes struct {
	mu   sync.Mutex
	held map[string]*lane
}

type lane struct {
	turn  chan struct{}
	users int
}

func (l *lanes) enter(ctx context.Context, name string) (release func(), err error) {
	l.mu.Lock()
	at, found := l.held[name]
	if !found {
		at = &lane{turn: make(chan struct{}, 1)}
		l.held[name] = at
	}
	at.users++
	l.mu.Unlock()
	select {
	case at.turn <- struct{}{}:
		return func() { <-at.turn; l.leave(name, at) }, nil
	case <-ctx.Done():
		l.leave(name, at)
		return nil, fault.New(fault.NotDone, "the request waited too long for others on the same object").Because(context.Cause(ctx))
	}
}

func (l *lanes) leave(name string, at *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(l.held, name)
	}
}
