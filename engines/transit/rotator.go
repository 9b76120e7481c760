package transit

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const rotateEvery = time.Minute // how often is looked for keys that are due

// Rotator gives keys their next version when their period is over, or when the latest has encrypted half of the messages that it may. It runs on the leader.
type Rotator struct {
	e   *Engine
	log *slog.Logger
}

// Rotator returns the worker of e.
func (e *Engine) Rotator(log *slog.Logger) *Rotator { return &Rotator{e, log} }

// Run looks now and every minute, until ctx ends; it then returns nil.
func (r *Rotator) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "transit keys not rotated, will retry", "err", err)
		}
		select {
		case <-time.After(rotateEvery):
		case <-ctx.Done():
		}
	}
	return nil
}

// named is a key of a tenant.
type named struct {
	tenant fsm.UID
	name   string
}

// round rotates what is due. A key that fails keeps no other from its rotation.
func (r *Rotator) round(ctx context.Context) error {
	due, err := r.due()
	for i := 0; i < len(due) && ctx.Err() == nil; i++ {
		if bad := r.rotate(ctx, due[i]); bad != nil {
			err = bad
		}
	}
	return err
}

func (r *Rotator) due() (all []named, err error) {
	v, err := r.e.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	now := max(v.Now(), r.e.now())
	err = keys.Scan(v, fsm.Span{}, func(at fsm.Key, k keyRow) (bool, error) {
		tenant, _ := at.UID()
		latest, _, err := versions.Get(v, fsm.K(tenant, k.UID, k.Latest))
		if err == nil && k.due(latest, now, fsm.Epoch(v)) {
			all = append(all, named{tenant, nameOf(at)})
		}
		return err == nil, err
	})
	return all, err
}

// rotate looks again when it decides: somebody may have rotated or deleted the key meanwhile.
func (r *Rotator) rotate(ctx context.Context, n named) error {
	a, err := r.e.algorithm(n.tenant, n.name)
	if err != nil {
		return gone(err)
	}
	m, err := generate(a)
	if err != nil {
		return err
	}
	defer m.wipe()
	_, _, err = r.e.commit(ctx, request(n.tenant), n.name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		latest, _, err := versions.Get(t.v, fsm.K(n.tenant, k.UID, k.Latest))
		if err != nil || k.Algorithm != a.String() || !k.due(latest, max(t.v.Now(), r.e.now()), fsm.Epoch(t.v)) {
			return k.Latest, err
		}
		if err := decideNext(k, n.name, false); err != nil {
			return 0, err
		}
		number := k.next(fsm.Epoch(t.v))
		return number, t.add(k.UID, number, m)
	})
	return gone(err)
}

// gone takes a key that is not there any more for one that needs nothing.
func gone(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

func request(tenant fsm.UID) fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:transit-rotator"}}
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
