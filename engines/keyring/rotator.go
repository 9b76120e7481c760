package keyring

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Peers asks the cluster's members, this node too.
type Peers interface {
	MemberIDs() ([]string, error)
	Ask(ctx context.Context, id, name string, body []byte) ([]byte, error)
}

// Places walks a feature's sealed values with where they stand: for those that are older than the noting of places in the index.
type Places func(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error

// Rotator rotates root and tenant keys. Its worker, Run, belongs to the leader: it wraps values anew in bounded batches and retires what
// nothing uses any more. All it needs is in the state, so that the next leader goes on where the last one ended; a
// reader finds every value under one key or the other and waits for nothing.
type Rotator struct {
	keys   *Keyring
	ledger *fsm.Ledger
	peers  Peers
	places []Places
	log    *slog.Logger

	// Run's.
	done map[fsm.KEKID][32]byte // the last value of each key that was wrapped anew
}

// NewRotator binds a keyring to the log.
func NewRotator(k *Keyring, l *fsm.Ledger, p Peers, log *slog.Logger, places ...Places) *Rotator {
	return &Rotator{k, l, p, append(places, ownPlaces), log, map[fsm.KEKID][32]byte{}}
}

// Root begins a rotation of the root KEK, and of every tenant's with tenants. fault.Conflict: one is under way.
func (r *Rotator) Root(ctx context.Context, req fsm.Request, tenants bool) (Rotation, error) {
	return r.root(ctx, req, tenants, sealChange{})
}

func (r *Rotator) root(ctx context.Context, req fsm.Request, tenants bool, change sealChange) (Rotation, error) {
	_, err := r.ledger.Commit(ctx, req, "keyring/rotate", func(v *fsm.View, e *fsm.Entry) error {
		if err := tooOld(v); err != nil {
			return err
		}
		return r.keys.decideRoot(ctx, v, e, tenants, change)
	})
	if err != nil {
		return Rotation{}, err
	}
	chaos.Point(chaos.RotationRootAdded)
	return r.of(fsm.UID{})
}

// Tenant begins a rotation of a tenant's KEK.
func (r *Rotator) Tenant(ctx context.Context, req fsm.Request, tenant fsm.UID) (Rotation, error) {
	_, err := r.ledger.Commit(ctx, req, "keyring/rotate", func(v *fsm.View, e *fsm.Entry) error {
		if err := tooOld(v); err != nil {
			return err
		}
		return r.keys.decideTenant(v, e, tenant)
	})
	if err != nil {
		return Rotation{}, err
	}
	chaos.Point(chaos.RotationTenantAdded)
	return r.of(tenant)
}

const (
	batchValues  = 64      // more of them get little more done, and a read waits while a batch is applied
	batchBytes   = 2 << 20 // of sealed values that are read for one batch
	mostUnplaced = 1 << 14 // values without a place that are looked for at once
	passEvery    = time.Second
	memberGrace  = 10 * time.Minute // for a member that does not answer to get the new root key while it still can from the old one
)

// Run does what is left to do, until ctx ends.
func (r *Rotator) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		more, err := r.pass(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Warn("rotation of keys does not get on, will retry", "err", err)
			sleep(ctx, 5*passEvery)
		case !more:
			sleep(ctx, passEvery)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// pass does one bounded piece of work and says whether there is more.
func (r *Rotator) pass(ctx context.Context) (more bool, err error) {
	if !r.keys.Unsealed() {
		return false, nil
	}
	v, err := r.ledger.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	if v.Version() < since {
		return false, nil
	}
	for _, step := range []func(context.Context, *fsm.View) (bool, error){r.renewTenants, r.rewrapOne, r.wrapMissing, r.retireRoots, r.end} {
		if more, err := step(ctx, v); more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// own is a request of the worker's.
func own() fsm.Request {
	q := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "rotation"}}
	rand.Read(q.ID[:])
	return q
}

func (r *Rotator) commit(ctx context.Context, decide fsm.Decide) error {
	_, err := r.ledger.Commit(ctx, own(), "keyring/rotate", decide)
	return err
}

// renewTenants makes a new KEK for the tenants that a rotation of everything has not come to.
func (r *Rotator) renewTenants(ctx context.Context, v *fsm.View) (bool, error) {
	row, _, err := rotations.Get(v, fsm.K(fsm.UID{}))
	if err != nil || row.Ended != 0 || !row.Began.Tenants {
		return false, err
	}
	var next *fsm.UID
	err = tenants.Scan(v, fsm.Span{}, func(k fsm.Key, t tenantRow) (bool, error) {
		if t.Root >= row.Began.To {
			return true, nil
		}
		id, err := scopeOf(k)
		next = &id
		return false, err
	})
	if err != nil || next == nil {
		return false, err
	}
	err = r.commit(ctx, func(v *fsm.View, e *fsm.Entry) error { return r.keys.decideTenant(v, e, *next) })
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) { // its own rotation ends first, or it was deleted
		return false, nil
	}
	return err == nil, err
}

// superseded returns a key that is not the newest of its scope and still wraps something that can be wrapped anew, and the newest one.
func (r *Rotator) superseded(v *fsm.View) (from, to fsm.KEKID, left bool, err error) {
	all, err := allRoots(v)
	if err != nil || len(all) == 0 {
		return from, to, false, err
	}
	newest := all[len(all)-1]
	for _, row := range all[:len(all)-1] {
		from, to = fsm.KEKID{Version: row.Version}, fsm.KEKID{Version: newest.Version}
		if left, err = r.hasMore(v, from); left || err != nil {
			return from, to, left, err
		}
	}
	err = keks.Scan(v, fsm.Span{}, func(k fsm.Key, _ fsm.Sealed) (bool, error) {
		id, err := kekOf(k)
		if err != nil {
			return false, err
		}
		row, _, err := tenants.Get(v, fsm.K(id.Scope))
		if err == nil && id.Version < row.KEK {
			from, to, left = id, fsm.KEKID{Scope: id.Scope, Version: row.KEK}, true
		}
		return !left, err
	})
	return from, to, left, err
}

// end closes the rotation of the root key when nothing older is left.
func (r *Rotator) end(ctx context.Context, v *fsm.View) (bool, error) {
	row, found, err := rotations.Get(v, fsm.K(fsm.UID{}))
	if err != nil || !found || row.Ended != 0 {
		return false, err
	}
	if all, err := allRoots(v); err != nil || len(all) != 1 || all[0].Version != row.Began.To {
		return false, err
	}
	if row.Began.Tenants {
		if done, err := renewed(v, row.Began.To); err != nil || !done {
			return false, err
		}
	}
	err = r.commit(ctx, func(v *fsm.View, e *fsm.Entry) error {
		e.Add(RotationEnded{To: row.Began.To, Root: true})
		return guard(v, e, fsm.RootTenant, rootStream)
	})
	if err == nil {
		r.log.Info("the root key has rotated", "version", row.Began.To)
	}
	return err == nil, err
}

// renewed reports whether every tenant has one KEK, made under this root key or a later one.
func renewed(r fsm.Reader, root uint32) (done bool, err error) {
	done = true
	err = tenants.Scan(r, fsm.Span{}, func(_ fsm.Key, t tenantRow) (bool, error) {
		done = t.Root >= root
		return done, nil
	})
	if err != nil || !done {
		return false, err
	}
	err = keks.Scan(r, fsm.Span{}, func(k fsm.Key, _ fsm.Sealed) (bool, error) {
		id, err := kekOf(k)
		if err != nil {
			return false, err
		}
		row, _, err := tenants.Get(r, fsm.K(id.Scope))
		done = id.Version == row.KEK
		return done, err
	})
	return done, err
}
