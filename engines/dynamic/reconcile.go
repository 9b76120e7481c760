package dynamic

import (
	"context"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	lookEvery = 5 * time.Second
	patience  = 3 * callTime   // after which an intent without a result was left by a node that died, or was paused
	keepName  = 24 * time.Hour // for which the names of abandoned accounts are looked for, where the target knows no end
	sweepTime = 10 * time.Minute
)

// Worker ends what nobody got, brings rotations to their end, and looks for strays. It runs on the leader.
type Worker struct {
	e   *Engine
	log *slog.Logger
}

// Worker returns the worker of e.
func (e *Engine) Worker() *Worker { return &Worker{e, e.Log} }

// Run works until ctx ends; it then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	defer w.e.sessions.tidy(true)
	swept := time.Now()
	for ctx.Err() == nil {
		w.say(ctx, "accounts that nobody got are not on their way to their end yet, will retry", w.reconcile(ctx))
		w.say(ctx, "a password's rotation has not come to its end yet, will retry", w.rotations(ctx))
		if time.Since(swept) > sweepTime {
			w.say(ctx, "strays were not looked for everywhere, will retry", w.sweep(ctx))
			swept = time.Now()
		}
		w.e.sessions.tidy(false)
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

// left is an intent that was left behind.
type left struct {
	tenant, id fsm.UID
	intentRow
}

// reconcile abandons intents that nobody will finish, and forgets abandoned ones whose accounts have expired.
func (w *Worker) reconcile(ctx context.Context) error {
	all, err := w.leftBehind()
	for i := 0; i < len(all) && err == nil && ctx.Err() == nil; i++ {
		if l := all[i]; l.Abandoned == 0 {
			err = w.e.abandon(ctx, l.tenant, l.id, l.Account)
		} else {
			err = w.forget(ctx, l)
		}
	}
	return err
}

func (w *Worker) leftBehind() (all []left, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	now := w.e.time(v)
	err = intents.Scan(v, fsm.Span{}, func(at fsm.Key, row intentRow) (bool, error) {
		tenant, ok := at.UID()
		id, also := at[uidSize:].UID()
		if !ok || !also {
			return false, fault.New(fault.Corrupt, "a key of an intent cannot be read")
		}
		if row.Abandoned == 0 && now.Sub(row.At) > patience || row.Abandoned > 0 && now > row.At.Add(max(row.Life, keepName)) {
			all = append(all, left{tenant, id, row})
		}
		return len(all) < 1000, nil
	})
	return all, err
}

func (w *Worker) forget(ctx context.Context, l left) error {
	req := fsm.Request{ID: newUID(), Tenant: l.tenant, Actor: fsm.Actor{Identity: "system:dynamic"}}
	_, err := w.e.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		_, found, err := intents.Get(v, fsm.K(l.tenant, l.id))
		if err == nil && found {
			entry.Add(Forgotten{l.id})
		}
		return err
	})
	return err
}

// rotations go on with what was begun.
func (w *Worker) rotations(ctx context.Context) error {
	v, err := w.e.Ledger.View()
	if err != nil {
		return err
	}
	all, err := w.e.stuck(v)
	v.Close()
	for _, n := range all {
		req := fsm.Request{ID: newUID(), Tenant: n.tenant, Actor: fsm.Actor{Identity: "system:dynamic"}}
		if _, bad := w.e.finishRotation(ctx, req, n.name); bad != nil {
			err = bad
		}
	}
	return err
}

// Deliver implements the dispatcher of Cleanup: it ends an account that nobody got.
func (e *Engine) Deliver(ctx context.Context, m fsm.Owed) (func(*fsm.View, *fsm.Entry) error, error) {
	return nil, e.end(ctx, m.Tenant, m.Destination, "", m.Lane)
}

// End ends the account of a lease.
func (e *Engine) End(ctx context.Context, tenant fsm.UID, connection, role, account string) error {
	return e.end(ctx, tenant, connection, role, account)
}

func (e *Engine) end(ctx context.Context, tenant fsm.UID, connection, role, account string) error {
	grant, err := e.grantOf(tenant, connection, role)
	if err != nil {
		return err
	}
	return unreachable(connection, e.use(ctx, tenant, connection, func(ctx context.Context, s backend.Session) error { return s.End(ctx, account, grant) }))
}

// grantOf is what a role says, nothing if it is not there any more.
func (e *Engine) grantOf(tenant fsm.UID, connection, role string) (backend.Role, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return backend.Role{}, err
	}
	defer v.Close()
	r, _, err := roles.Get(v, fsm.K(tenant, connection, role))
	return r.Grant, err
}

// Extend has the account of a lease last until a later moment.
func (e *Engine) Extend(ctx context.Context, tenant fsm.UID, connection, account string, until fsm.Time) error {
	err := e.use(ctx, tenant, connection, func(ctx context.Context, s backend.Session) error { return s.Extend(ctx, account, until.Std()) })
	return told("extend an account at "+connection, unreachable(connection, err))
}
