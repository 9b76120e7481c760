package lease

import (
	"context"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	lookEvery  = 200 * time.Millisecond // for leases that have expired
	breath     = 5 * time.Millisecond   // between two entries that end many, for others
	askEvery   = time.Second            // about holders
	mostAsking = 20                     // asking about holders takes one part in so many of the time, at most
)

// Worker ends leases that have expired, and those whose tokens are dead. It runs on the leader.
type Worker struct {
	e   *Engine
	log *slog.Logger
}

// Worker returns the worker of e.
func (e *Engine) Worker(log *slog.Logger) *Worker { return &Worker{e, log} }

// Run works until ctx ends; it then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	asked := time.Now().Add(-askEvery)
	rest := askEvery
	for ctx.Err() == nil {
		w.say(ctx, "leases that have expired are not ended yet, will retry", w.expire(ctx))
		if began := time.Now(); began.Sub(asked) >= rest {
			w.say(ctx, "leases of dead tokens are not ended yet, will retry", w.orphans(ctx))
			asked = time.Now()
			rest = max(askEvery, mostAsking*asked.Sub(began))
		}
		pause(ctx, lookEvery)
	}
	return nil
}

func (w *Worker) say(ctx context.Context, text string, err error) {
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, text, "err", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// expire ends what has expired, oldest first.
func (w *Worker) expire(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := w.due()
		if err != nil || len(due) == 0 {
			return err
		}
		for tenant, ids := range due {
			n, err := w.end(ctx, tenant, ids, Expired, func(v *fsm.View, l Lease) (bool, error) { return w.e.time(v) >= l.Expires, nil })
			if err != nil || n == 0 {
				return err
			}
		}
		pause(ctx, breath)
	}
	return nil
}

// due returns the ids of leases that have expired, by tenant, as many as one entry ends.
func (w *Worker) due() (map[fsm.UID][]string, error) {
	v, err := w.e.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	now, n, due := w.e.time(v), 0, map[fsm.UID][]string{}
	err = expiries.Scan(v, fsm.Span{}, func(at fsm.Key, id string) (bool, error) {
		when, tenant, ok := expiryOf(at)
		if !ok {
			return false, fault.New(fault.Corrupt, "a key of the index of leases by time cannot be read")
		}
		if when > now || n == batch {
			return false, nil
		}
		due[tenant] = append(due[tenant], id)
		n++
		return true, nil
	})
	return due, err
}

// numberSize is the length of a number in a key.
const numberSize = 9

func expiryOf(at fsm.Key) (when fsm.Time, tenant fsm.UID, ok bool) {
	if len(at) < numberSize {
		return 0, tenant, false
	}
	n, ok := at[:numberSize].LastUint()
	if !ok {
		return 0, tenant, false
	}
	tenant, ok = at[numberSize:].UID()
	return fsm.Time(n), tenant, ok
}

// end has leases of a tenant end that still are active and of which still holds what they are ended for. It returns how many they were.
func (w *Worker) end(ctx context.Context, tenant fsm.UID, ids []string, why Why, still func(*fsm.View, Lease) (bool, error)) (n int, err error) {
	req := fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:lease"}}
	_, err = w.e.ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		var page []Lease
		for _, id := range ids {
			l, err := Get(v, tenant, id)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			yes := false
			if err == nil && l.State == Active {
				yes, err = still(v, l)
			}
			if err != nil {
				return err
			}
			if yes {
				page = append(page, l)
			}
		}
		n = len(page)
		return endAll(v, entry, page, why)
	})
	return n, err
}

// orphans ends the leases of tokens that are dead.
func (w *Worker) orphans(ctx context.Context) error {
	dead, err := w.dead()
	for i := 0; i < len(dead) && err == nil && ctx.Err() == nil; i++ {
		err = w.orphan(ctx, dead[i])
	}
	return err
}

// dead returns the holders of active leases that are dead.
func (w *Worker) dead() (all []Ref, err error) {
	v, err := w.e.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	for after := (fsm.Key)(nil); ; {
		h, found, err := nextHolder(v, after)
		if err != nil || !found {
			return all, err
		}
		_, _, alive, err := w.e.tokens.Holder(v, h, w.e.time(v))
		if err != nil {
			return all, err
		}
		if !alive {
			all = append(all, h)
		}
		after = append(fsm.K(h.Tenant, h.Accessor), 0xff) // behind all of this one's
	}
}

func nextHolder(r fsm.Reader, after fsm.Key) (h Ref, found bool, err error) {
	err = holders.Scan(r, fsm.Span{After: after}, func(_ fsm.Key, at Ref) (bool, error) {
		h, found = at, true
		return false, nil
	})
	return h, found, err
}

// orphan ends the leases of one token, some hundred at a time.
func (w *Worker) orphan(ctx context.Context, h Ref) error {
	still := func(v *fsm.View, _ Lease) (bool, error) {
		_, _, alive, err := w.e.tokens.Holder(v, h, w.e.time(v))
		return !alive, err
	}
	for ctx.Err() == nil {
		held, err := w.held(h)
		if err != nil || len(held) == 0 {
			return err
		}
		for tenant, ids := range held {
			if n, err := w.end(ctx, tenant, ids, Holder, still); err != nil || n == 0 {
				return err
			}
		}
		pause(ctx, breath)
	}
	return nil
}

// held returns the ids of a token's active leases, by their tenant, as many as one entry ends.
func (w *Worker) held(h Ref) (map[fsm.UID][]string, error) {
	v, err := w.e.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	n, all := 0, map[fsm.UID][]string{}
	prefix := fsm.K(h.Tenant, h.Accessor)
	err = holders.Scan(v, fsm.Span{Prefix: prefix}, func(at fsm.Key, _ Ref) (bool, error) {
		tenant, ok := at[len(prefix):].UID()
		if !ok {
			return false, fault.New(fault.Corrupt, "a key of the index of leases by holder cannot be read")
		}
		all[tenant] = append(all[tenant], idOf(at[len(prefix):]))
		n++
		return n < batch, nil
	})
	return all, err
}

// uidSize is the length of a UID in a key.
const uidSize = 17

// idOf takes the id out of what follows the holder in a key of holders. Ids have no zero bytes, which would be escaped.
func idOf(rest fsm.Key) string { return string(rest[uidSize+1 : len(rest)-2]) }

// Deliver implements the dispatcher of Kind: it has the backend end what a lease stood for.
func (e *Engine) Deliver(ctx context.Context, m fsm.Owed) (func(*fsm.View, *fsm.Entry) error, error) {
	v, err := e.ledger.View()
	if err != nil {
		return nil, err
	}
	l, err := Get(v, m.Tenant, m.Lane)
	v.Close()
	if fault.Is(err, fault.NotFound) || err == nil && (l.Seq != m.Seq || l.Pos != m.Pos) {
		return nil, nil // it is gone, or another message speaks for it
	}
	if err != nil {
		return nil, err
	}
	b, err := e.backend(l)
	if err == nil {
		err = b.End(ctx, m.Tenant, l)
	}
	return func(_ *fsm.View, entry *fsm.Entry) error {
		entry.Add(Gone{l.ID})
		return nil
	}, err
}
