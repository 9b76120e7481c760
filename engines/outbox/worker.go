package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Dispatcher delivers the messages of one kind.
type Dispatcher interface {
	// Deliver makes the call that a message stands for, before ctx ends; it may have been made before, by this leader or a former one. settle, unless nil, adds to the entry
	// that settles the message what becomes so by that. fault.Invalid says that the message can never be delivered; any other error that it is worth another try.
	Deliver(ctx context.Context, m fsm.Owed) (settle func(*fsm.View, *fsm.Entry) error, err error)
}

// Policy is how messages are delivered.
type Policy struct {
	Calls          int           // at a time, in all
	PerTenant      int           // of them
	PerDestination int           // of these
	Deadline       time.Duration // of a call
	First, Most    time.Duration // pause after the first failure, which doubles up to the most; a random part of up to a half is taken off
	Trips          int           // failures in a row after which a destination is tried by one call at a time, after pauses
	Life           time.Duration // after which a message that cannot be delivered is a dead letter
}

// DefaultPolicy is what a cluster begins with.
var DefaultPolicy = Policy{Calls: 256, PerTenant: 64, PerDestination: 8, Deadline: 10 * time.Second, First: time.Second, Most: 5 * time.Minute, Trips: 5, Life: 24 * time.Hour}

// Worker delivers on the leader.
type Worker struct {
	Ledger      *fsm.Ledger
	Engine      *Engine
	Dispatchers map[string]Dispatcher       // by kind
	Confirm     func(context.Context) error // a round that shows that this node leads
	Policy      Policy
	Observe     func(kind string, o Outcome, took time.Duration) // of each try; nil: nobody wants to know
	Log         *slog.Logger
}

// Outcome is what a try came to.
type Outcome string

// Outcomes.
const (
	Arrived Outcome = "delivered"
	Failed  Outcome = "failed"
	Dead    Outcome = "parked"
	gone    Outcome = "gone"  // it was settled or parked by somebody else
	unsure  Outcome = "again" // the cluster did not let it be tried, or be settled
)

// Run delivers until ctx ends, and waits for the calls that are under way.
func (w *Worker) Run(ctx context.Context) error {
	s := newSchedule(w.Policy)
	outcomes := make(chan tried, w.Policy.Calls)
	var calls sync.WaitGroup
	defer calls.Wait()
	for ctx.Err() == nil {
		if err := w.look(s); err != nil {
			w.Log.WarnContext(ctx, "the outbox cannot be read, will retry", "err", err)
		}
		for _, c := range s.start(chaos.Now()) {
			calls.Go(func() { outcomes <- w.try(ctx, c) })
		}
		s.wait(ctx, outcomes)
	}
	return nil
}

// look takes up what has come since, and what was requeued.
func (w *Worker) look(s *schedule) error {
	v, err := w.Ledger.View()
	if err != nil {
		return err
	}
	defer v.Close()
	for _, at := range w.Engine.recalls.take() {
		o, found, err := fsm.OwedAt(v, at.Seq, at.Pos)
		if err != nil {
			return err
		}
		if found && o.Parked == 0 {
			s.add(o)
		}
	}
	for {
		page, err := fsm.Outbox(v, s.seen.Seq, s.seen.Pos, look)
		if err != nil {
			return err
		}
		for _, o := range page {
			if s.seen = (Place{o.Seq, o.Pos}); o.Parked == 0 {
				s.add(o)
			}
		}
		if len(page) < look {
			return nil
		}
	}
}

// tried is what a try of a lane's first message came to.
type tried struct {
	call
	outcome Outcome
}

// try delivers one message and settles it, or makes a dead letter of it.
func (w *Worker) try(ctx context.Context, c call) tried {
	o, found, err := w.read(c.at)
	switch {
	case err != nil:
		w.Log.WarnContext(ctx, "a message of the outbox cannot be read, will retry", "message", c.at, "err", err)
		return tried{c, unsure}
	case !found || o.Parked > 0:
		return tried{c, gone}
	case w.Confirm(ctx) != nil:
		return tried{c, unsure}
	}
	began := chaos.Now()
	settle, err := w.deliver(ctx, o)
	if mutant.OutboxAcknowledgedBeforeDelivery {
		err = nil
	}
	out := w.conclude(ctx, c, o, settle, err)
	if w.Observe != nil && out != unsure {
		w.Observe(o.Kind, out, chaos.Now().Sub(began))
	}
	return tried{c, out}
}

func (w *Worker) read(at Place) (fsm.Owed, bool, error) {
	v, err := w.Ledger.View()
	if err != nil {
		return fsm.Owed{}, false, err
	}
	defer v.Close()
	return fsm.OwedAt(v, at.Seq, at.Pos)
}

func (w *Worker) deliver(ctx context.Context, o fsm.Owed) (func(*fsm.View, *fsm.Entry) error, error) {
	d, served := w.Dispatchers[o.Kind]
	if !served {
		return nil, fault.New(fault.Invalid, "nobody delivers messages of this kind")
	}
	ctx, cancel := context.WithTimeout(ctx, w.Policy.Deadline)
	defer cancel()
	return d.Deliver(ctx, o)
}

// conclude puts into the log what came of a call.
func (w *Worker) conclude(ctx context.Context, c call, o fsm.Owed, settle func(*fsm.View, *fsm.Entry) error, failed error) Outcome {
	out, event := Arrived, fsm.Event(Delivered{c.at.Seq, c.at.Pos, o.ID})
	if failed != nil {
		if ctx.Err() != nil {
			return unsure
		}
		w.Log.WarnContext(ctx, "a message was not delivered", "kind", o.Kind, "destination", o.Destination, "message", o.ID, "try", c.tries+1, "err", failed)
		if !fault.Is(failed, fault.Invalid) && chaos.Now().Sub(o.At.Std()) < w.Policy.Life {
			return Failed
		}
		out, event, settle = Dead, Parked{c.at.Seq, c.at.Pos, o.ID, reasonOf(failed), c.tries + 1}, nil
	}
	if err := w.settle(ctx, o, event, settle); err != nil {
		w.Log.WarnContext(ctx, "what came of a message is not in the log yet, will retry", "kind", o.Kind, "message", o.ID, "err", err)
		return unsure
	}
	return out
}

// settle commits an event about a message that still is owed, with what else becomes so.
func (w *Worker) settle(ctx context.Context, o fsm.Owed, event fsm.Event, more func(*fsm.View, *fsm.Entry) error) error {
	req := fsm.Request{ID: newUID(), Tenant: o.Tenant, Actor: fsm.Actor{Identity: "system:outbox"}}
	_, err := w.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		if _, found, err := fsm.OwedAt(v, o.Seq, o.Pos); err != nil || !found {
			return err
		}
		entry.Add(event)
		if more == nil {
			return nil
		}
		return more(v, entry)
	})
	return err
}

// maxReason is how much is kept of why a message was parked, in bytes.
const maxReason = 1024

func reasonOf(err error) string {
	text := err.Error()
	return text[:min(len(text), maxReason)]
}

// recalls are dead letters that were requeued since the worker looked last.
type recalls struct {
	mu  sync.Mutex // guards the rest
	all []Place
}

func (r *recalls) add(at Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, at)
}

func (r *recalls) take() []Place {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}
