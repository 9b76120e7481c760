package lease

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// batch is how many leases one entry ends.
const batch = 256

// commit decides about one lease; what decide leaves of it is the answer.
func (e *Engine) commit(ctx context.Context, req fsm.Request, id string, decide func(v *fsm.View, entry *fsm.Entry, l *Lease) error) (out Lease, rc fsm.Receipt, err error) {
	rc, err = e.ledger.Commit(ctx, req, stream(id), func(v *fsm.View, entry *fsm.Entry) error {
		g, err := fsm.GuardOf(v, entry.Tenant, stream(id))
		if err != nil {
			return err
		}
		entry.Guard(g)
		l, err := Get(v, entry.Tenant, id)
		if err != nil {
			return err
		}
		if err := decide(v, entry, &l); err != nil {
			return err
		}
		entry.Reply.Public, err = fsm.Encode(l)
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

// Renew extends a lease by d from now on, within its maximum and its holder's life and never to before its present end, at the backend first. It returns the lease as
// it is from now on. fault.Conflict for one that has ended or is not renewable.
func (e *Engine) Renew(ctx context.Context, req fsm.Request, id string, d time.Duration) (Lease, fsm.Receipt, error) {
	until, err := e.extend(ctx, req, id, d)
	if err != nil {
		return Lease{}, fsm.Receipt{}, err
	}
	return e.commit(ctx, req, id, func(v *fsm.View, entry *fsm.Entry, l *Lease) error {
		last, guards, err := e.bound(v, *l)
		if err != nil {
			return err
		}
		entry.Guard(guards...)
		if next := min(until, last); next > l.Expires {
			l.Expires = next
			entry.Add(Renewed{id, next})
		}
		return nil
	})
}

// extend tells the backend first: one that knows a later end than the lease does no harm. A repetition of a request extends nothing.
func (e *Engine) extend(ctx context.Context, req fsm.Request, id string, d time.Duration) (until fsm.Time, err error) {
	v, err := e.ledger.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	if _, found, err := e.ledger.Find(v, req.Tenant, req.Receipt); err != nil || found {
		return 0, err
	}
	l, err := Get(v, req.Tenant, id)
	if err != nil {
		return 0, err
	}
	last, _, err := e.bound(v, l)
	if until = min(e.time(v).Add(d), last); err != nil || until <= l.Expires {
		return until, err
	}
	b, err := e.backend(l)
	if err == nil {
		err = e.confirm(ctx)
	}
	if err == nil {
		err = b.Extend(ctx, req.Tenant, l, until)
	}
	return until, err
}

// bound is until when a lease may be extended at most, and what that rests on.
func (e *Engine) bound(v *fsm.View, l Lease) (fsm.Time, []fsm.Guard, error) {
	now := e.time(v)
	switch {
	case l.State != Active || now >= l.Expires:
		return 0, nil, fault.New(fault.Conflict, "lease %s has ended: ask for a new credential", l.ID)
	case !l.Renewable:
		return 0, nil, fault.New(fault.Conflict, "lease %s is not renewable: ask for a new credential", l.ID)
	}
	last, guards, alive, err := e.tokens.Holder(v, l.Holder, now)
	if err == nil && !alive {
		err = fault.New(fault.Conflict, "lease %s has ended with its token: ask for a new credential", l.ID)
	}
	return min(last, l.Max), guards, err
}

// Revoke ends a lease. One that has ended already stays as it is.
func (e *Engine) Revoke(ctx context.Context, req fsm.Request, id string) (Lease, fsm.Receipt, error) {
	return e.commit(ctx, req, id, func(_ *fsm.View, entry *fsm.Entry, l *Lease) error {
		if l.State == Active {
			l.end(entry, Revoked)
			l.State, l.Why = Ending, Revoked
		}
		return nil
	})
}

// end has a lease end: the backend is owed the news by the same entry.
func (l Lease) end(entry *fsm.Entry, why Why) {
	entry.Add(Ended{l.ID, why, uint64(len(entry.Outbox))})
	entry.Outbox = append(entry.Outbox, fsm.Message{ID: newUID(), Kind: Kind, Destination: l.Engine + "/" + l.Target, Lane: l.ID})
}

// Close adds to an entry that a lease is gone: what it stood for ends with that entry, and its backend is owed nothing. It is no error that it has ended.
func (e *Engine) Close(v *fsm.View, entry *fsm.Entry, id string) error {
	l, found, err := leases.Get(v, fsm.K(entry.Tenant, id))
	if err != nil || !found || l.State != Active {
		return err
	}
	g, err := fsm.GuardOf(v, entry.Tenant, stream(id))
	if err != nil {
		return err
	}
	entry.Guard(g)
	entry.Add(Gone{id})
	return nil
}

// Force gives up the backend of a lease: it is Irrevocable from now on, and what it stood for may live on there.
func (e *Engine) Force(ctx context.Context, req fsm.Request, id string) (Lease, fsm.Receipt, error) {
	return e.commit(ctx, req, id, func(_ *fsm.View, entry *fsm.Entry, l *Lease) error {
		if l.State != Irrevocable {
			entry.Add(Forced{id})
			l.State = Irrevocable
		}
		return nil
	})
}

// Forget takes an irrevocable lease off the list: somebody has seen to what it has left behind.
func (e *Engine) Forget(ctx context.Context, req fsm.Request, id string) (Lease, fsm.Receipt, error) {
	return e.commit(ctx, req, id, func(_ *fsm.View, entry *fsm.Entry, l *Lease) error {
		if l.State != Irrevocable {
			return fault.New(fault.Conflict, "lease %s is %s: only an irrevocable one is forgotten by hand", id, l.State)
		}
		entry.Add(Forgotten{id})
		return nil
	})
}

// RevokePrefix ends all active leases whose ids begin so (see ValidPrefix), in entries of some hundred each, and returns how many there were. When it fails, some may
// have been ended; a repetition ends the rest.
func (e *Engine) RevokePrefix(ctx context.Context, req fsm.Request, prefix string) (n uint64, rc fsm.Receipt, err error) {
	if err := ValidPrefix(prefix); err != nil {
		return 0, fsm.Receipt{}, err
	}
	from := ""
	for last := false; !last; req.ID = newUID() {
		var page []Lease
		rc, err = e.ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
			if page, err = active(v, entry.Tenant, prefix, from); err != nil {
				return err
			}
			if len(page) == batch {
				entry.Receipt = nil // the last entry answers a repetition
			}
			entry.Reply.Public, err = fsm.Encode(n + uint64(len(page)))
			return errors.Join(err, endAll(v, entry, page, Revoked))
		})
		if err != nil {
			return n, rc, err
		}
		if err := fsm.Decode(rc.Reply.Public, &n); err != nil {
			return n, rc, err
		}
		if last = len(page) < batch; !last {
			from = page[batch-1].ID
		}
	}
	return n, rc, nil
}

// endAll has leases of the entry's tenant end, unless somebody else changes one of them first.
func endAll(v *fsm.View, entry *fsm.Entry, all []Lease, why Why) error {
	guarded := map[string]bool{}
	for _, l := range all {
		l.end(entry, why)
		name := stream(l.ID)
		if guarded[name] {
			continue
		}
		guarded[name] = true
		g, err := fsm.GuardOf(v, entry.Tenant, name)
		if err != nil {
			return err
		}
		entry.Guard(g)
	}
	return nil
}

// active returns the first active leases with a prefix beyond after, as many as one entry ends.
func active(v *fsm.View, tenant fsm.UID, prefix, after string) (page []Lease, err error) {
	err = scan(v, tenant, prefix, after, func(l Lease) bool {
		if l.State == Active {
			page = append(page, l)
		}
		return len(page) < batch
	})
	return page, err
}
