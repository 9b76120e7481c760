// Package outbox delivers what entries owe to the outside, and keeps what cannot be delivered until somebody decides.
//
// It promises:
//   - A message is delivered at least once: it is owed by the entry that decided it, and settled by the entry that says that it arrived, with all that becomes so by
//     that. A receiver knows it again by its id.
//   - The leader alone delivers, after a round that confirms its term. A former leader that was paused may deliver a message late once more, while or after the new one
//     does; dispatchers bear that.
//   - Messages of one lane arrive one at a time, in the order in which they were owed. Lanes do not wait for each other.
//   - A destination that is slow or gone holds up no other, however much it is owed: calls are bounded for each destination and each tenant. One that keeps failing
//     is tried by one call now and then until it answers.
//   - A message that cannot be delivered is a dead letter after a day, or at once where its dispatcher says that it never can be. A dead letter is listed, counted, and stays
//     until it is requeued or dropped by hand. The lane goes on behind it.
//   - What nobody would deliver is refused when it is owed (fsm.Ledger.Serve).
package outbox

import (
	"context"
	"crypto/rand"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Engine decides what becomes of messages by hand. Its methods that take a request work on the leader alone.
type Engine struct {
	ledger  *fsm.Ledger
	recalls *recalls
}

// New returns an engine that commits through l.
func New(l *fsm.Ledger) *Engine { return &Engine{l, &recalls{}} }

// Place names a message: it orders them.
type Place struct{ Seq, Pos uint64 }

// Get returns a message of a tenant; fault.NotFound when it is not owed, or not by this tenant.
func Get(r fsm.Reader, tenant fsm.UID, at Place) (fsm.Owed, error) {
	o, found, err := fsm.OwedAt(r, at.Seq, at.Pos)
	if err == nil && (!found || o.Tenant != tenant) {
		err = fault.New(fault.NotFound, "there is no message %d.%d in the outbox: it was delivered or dropped, or never was", at.Seq, at.Pos)
	}
	if err != nil {
		return fsm.Owed{}, err
	}
	return o, nil
}

// Figures are what the cluster owes.
type Figures struct {
	Waiting uint64
	Parked  uint64
	Oldest  fsm.Time // since when the oldest that waits is owed; 0: none waits
}

// Measure reads them. Behind very many dead letters the oldest that waits is not seen.
func Measure(r fsm.Reader) (f Figures, err error) {
	all, err := fsm.Depths(r)
	if err != nil {
		return f, err
	}
	for _, d := range all {
		f.Waiting, f.Parked = f.Waiting+d.Waiting, f.Parked+d.Parked
	}
	if f.Waiting == 0 {
		return f, nil
	}
	page, err := fsm.Outbox(r, 0, 0, look)
	for _, o := range page {
		if o.Parked == 0 {
			f.Oldest = o.At
			break
		}
	}
	return f, err
}

// Filter chooses messages; what is empty is not asked for.
type Filter struct {
	Kind        string
	Destination string
	Parked      bool // dead letters alone
}

func (f Filter) takes(o fsm.Owed) bool {
	return (f.Kind == "" || f.Kind == o.Kind) && (f.Destination == "" || f.Destination == o.Destination) && (!f.Parked || o.Parked > 0)
}

// look is how many messages List reads at a time.
const look = 256

// List returns up to limit messages of a tenant beyond a place, oldest first. It looks at most at so many others; next is where the rest begins, nil at the end.
func List(r fsm.Reader, tenant fsm.UID, f Filter, after Place, limit, most int) (all []fsm.Owed, next *Place, err error) {
	for looked := 0; looked < most; {
		page, err := fsm.Outbox(r, after.Seq, after.Pos, look)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range page {
			after = Place{o.Seq, o.Pos}
			if o.Tenant != tenant || !f.takes(o) {
				continue
			}
			if all = append(all, o); len(all) == limit {
				return all, &after, nil
			}
		}
		if looked += len(page); len(page) < look {
			return all, nil, nil
		}
	}
	return all, &after, nil
}

// Requeue has a dead letter delivered after all; fault.Conflict when the message is none.
func (e *Engine) Requeue(ctx context.Context, req fsm.Request, at Place) (fsm.Owed, fsm.Receipt, error) {
	o, rc, err := e.commit(ctx, req, at, func(o fsm.Owed) (fsm.Event, error) {
		if o.Parked == 0 {
			return nil, fault.New(fault.Conflict, "message %d.%d waits for its delivery already", at.Seq, at.Pos)
		}
		return Requeued{at.Seq, at.Pos, o.ID}, nil
	})
	if err == nil {
		e.recalls.add(at)
	}
	return o, rc, err
}

// Drop gives a message up for good, also one that waits: what it would have done stays undone.
func (e *Engine) Drop(ctx context.Context, req fsm.Request, at Place) (fsm.Owed, fsm.Receipt, error) {
	return e.commit(ctx, req, at, func(o fsm.Owed) (fsm.Event, error) { return Dropped{at.Seq, at.Pos, o.ID}, nil })
}

func (e *Engine) commit(ctx context.Context, req fsm.Request, at Place, decide func(fsm.Owed) (fsm.Event, error)) (out fsm.Owed, rc fsm.Receipt, err error) {
	rc, err = e.ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		o, err := Get(v, entry.Tenant, at)
		if err != nil {
			return err
		}
		event, err := decide(o)
		if err != nil {
			return err
		}
		entry.Add(event)
		o.Body = fsm.Sealed{}
		entry.Reply.Public, err = fsm.Encode(o)
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
		out.Seq, out.Pos = at.Seq, at.Pos
	}
	return out, rc, err
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
