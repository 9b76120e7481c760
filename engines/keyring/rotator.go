package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
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
	return r.of(tenant)
}

func (r *Rotator) of(scope fsm.UID) (Rotation, error) {
	v, err := r.ledger.View()
	if err != nil {
		return Rotation{}, err
	}
	defer v.Close()
	row, _, err := rotations.Get(v, fsm.K(scope))
	if err != nil {
		return Rotation{}, err
	}
	return progress(v, scope, row)
}

// Rotations returns the last rotation of each key that was ever rotated, the root KEK's first.
func Rotations(v *fsm.View) (out []Rotation, err error) {
	err = rotations.Scan(v, fsm.Span{}, func(k fsm.Key, row rotationRow) (bool, error) {
		scope, err := scopeOf(k)
		if err != nil {
			return false, err
		}
		p, err := progress(v, scope, row)
		out = append(out, p)
		return err == nil, err
	})
	return out, err
}

func progress(v *fsm.View, scope fsm.UID, row rotationRow) (Rotation, error) {
	out := Rotation{Root: row.Began.Root, Tenant: scope, From: row.Began.From, To: row.Began.To, Tenants: row.Began.Tenants, Values: row.Began.Values,
		Began: row.At, Ended: row.Ended}
	if row.Ended != 0 {
		return out, nil
	}
	var err error
	if out.Remaining, err = fsm.CountHeld(v, fsm.KEKID{Scope: scope, Version: row.Began.From}); err != nil {
		return out, err
	}
	if out.Root {
		out.Remaining = max(out.Remaining, 2) - 2 // its canary and the bridge go with it
		out.Waits, err = waits(v)
	}
	if err == nil && out.Waits == "" {
		out.Waits, err = lags(v, out)
	}
	return out, err
}

const fewLeft = 64 // values that are looked at to say what a rotation waits for

// lags says what a rotation waits for besides seals.
func lags(v *fsm.View, p Rotation) (string, error) {
	switch {
	case p.Root && p.Remaining == 0 && p.Tenants:
		return "the keys of tenants are made anew", nil
	case p.Root && p.Remaining == 0:
		return "members take the new key, for ten minutes at most", nil
	case p.Remaining > fewLeft:
		return "", nil
	}
	placed := false
	err := fsm.HeldBy(v, fsm.KEKID{Scope: p.Tenant, Version: p.From}, func(h fsm.Held) (bool, error) {
		placed = h.Binding != nil
		return !placed, nil
	})
	if err != nil || placed || p.Root {
		return "", err
	}
	return "stored answers of version 1, which end within 15 minutes", nil
}

// waits says which seals have not wrapped the newest root key: the one before is kept for their sake.
func waits(r fsm.Reader) (string, error) {
	newest, err := newestRoot(r)
	if err != nil {
		return "", err
	}
	missing, err := unwrappedBy(r, newest)
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return "seal " + missing[0].Name + " has not wrapped the new key: no node that has it is there and unsealed", nil
}

// unwrappedBy returns the cluster's seals that have not wrapped a root key.
func unwrappedBy(r fsm.Reader, row RootAdded) (missing []SealRecorded, err error) {
	all, err := Seals(r)
	for _, s := range all {
		_, found, err := wrapOf(r, row, s.Name)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, s)
		}
	}
	return missing, err
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

func (r *Rotator) hasMore(v *fsm.View, id fsm.KEKID) (more bool, err error) {
	stays, err := staying(v, id)
	if err != nil {
		return false, err
	}
	err = r.held(v, id, func(h fsm.Held) (bool, error) {
		more = !stays[h.Sealed.Digest()]
		return !more, nil
	})
	return more, err
}

// held visits the values that a key wraps, those after the last batch first: a scan passes over rows that are gone as long as the store keeps
// their tombstones, so that one from the start would take longer with every batch.
func (r *Rotator) held(v *fsm.View, id fsm.KEKID, visit func(fsm.Held) (bool, error)) error {
	done, more := r.done[id], true
	err := fsm.HeldAfter(v, id, done, func(h fsm.Held) (_ bool, err error) {
		more, err = visit(h)
		return more, err
	})
	if err != nil || !more || done == ([32]byte{}) {
		return err
	}
	return fsm.HeldBy(v, id, func(h fsm.Held) (bool, error) {
		if d := h.Sealed.Digest(); bytes.Compare(d[:], done[:]) > 0 {
			return false, nil
		}
		return visit(h)
	})
}

// staying is what goes with a root key when it is retired: its canary, and the bridge to the next one.
func staying(r fsm.Reader, id fsm.KEKID) (map[[32]byte]bool, error) {
	out := map[[32]byte]bool{}
	if !id.Scope.IsZero() {
		return out, nil
	}
	row, _, err := roots.Get(r, fsm.K(uint64(id.Version)))
	if err != nil {
		return nil, err
	}
	bridge, _, err := bridges.Get(r, fsm.K(uint64(id.Version+1)))
	out[row.Canary.Digest()], out[bridge.Digest()] = true, true
	return out, err
}

// rewrapOne moves one batch of values to a newer key, or retires a tenant's key that has none left.
func (r *Rotator) rewrapOne(ctx context.Context, v *fsm.View) (bool, error) {
	from, to, left, err := r.superseded(v)
	if err != nil || !left {
		return false, err
	}
	began := time.Now()
	var batch []fsm.Rewrap
	err = r.commit(ctx, func(v *fsm.View, e *fsm.Entry) error {
		err := r.decideBatch(v, e, from, to)
		batch = e.Rewraps
		return err
	})
	switch {
	case err == nil && len(batch) > 0:
		r.done[from] = batch[len(batch)-1].Digest
	case err == nil:
		delete(r.done, from)
	case errors.Is(err, errUnplaced):
		return false, nil // status says what it waits for
	}
	sleep(ctx, min(time.Since(began), 100*time.Millisecond)) // half of the time is everybody else's
	return err == nil, err
}

func (r *Rotator) decideBatch(v *fsm.View, e *fsm.Entry, from, to fsm.KEKID) error {
	b := &rewrapBatch{keys: r.keys, v: v, e: e, from: from, to: to}
	var err error
	if b.stays, err = staying(v, from); err != nil {
		return err
	}
	unplaced := map[[32]byte]bool{}
	err = r.held(v, from, func(h fsm.Held) (bool, error) {
		if b.stays[h.Sealed.Digest()] {
			return true, nil
		}
		if h.Binding == nil {
			if len(unplaced) < mostUnplaced {
				unplaced[h.Sealed.Digest()] = true
			}
			return true, nil
		}
		return b.add(h, *h.Binding)
	})
	if err == nil && len(unplaced) > 0 && len(e.Rewraps) == 0 {
		err = r.findPlaces(b, unplaced)
	}
	if err != nil {
		return err
	}
	if n := len(e.Rewraps); n > 0 {
		e.AddIn(scopeTenant(from), Rewrapped{From: from.Version, To: to.Version, Values: uint32(n)})
		return nil
	}
	if from.Scope.IsZero() {
		return nil // retired when every seal and every member has the newest
	}
	e.Idle = append(e.Idle, from.Only())
	e.AddIn(from.Scope, TenantKEKRetired{from.Version})
	if row, found, err := rotations.Get(v, fsm.K(from.Scope)); err == nil && found && row.Ended == 0 && row.Began.To == to.Version && from.Version+1 == to.Version {
		e.AddIn(from.Scope, RotationEnded{To: to.Version})
	}
	return guard(v, e, from.Scope, tenantStream)
}

func scopeTenant(id fsm.KEKID) fsm.UID {
	if id.Scope.IsZero() {
		return fsm.RootTenant
	}
	return id.Scope
}

// rewrapBatch gathers the re-wraps of one entry.
type rewrapBatch struct {
	keys     *Keyring
	v        *fsm.View
	e        *fsm.Entry
	from, to fsm.KEKID
	stays    map[[32]byte]bool
	bytes    int
}

func (b *rewrapBatch) add(h fsm.Held, at fsm.Binding) (more bool, err error) {
	w, n, err := b.keys.rewrap(b.v, h, b.from, b.to, at)
	if err != nil {
		return false, err
	}
	b.e.Rewraps, b.bytes = append(b.e.Rewraps, w), b.bytes+n
	return len(b.e.Rewraps) < batchValues && b.bytes < batchBytes, nil
}

var errEnough = errors.New("the batch is full")

// findPlaces asks the features where values stand that the index does not know the places of.
func (r *Rotator) findPlaces(b *rewrapBatch, wanted map[[32]byte]bool) error {
	for _, walk := range r.places {
		err := walk(b.v, func(at fsm.Binding, s fsm.Sealed) error {
			if !wanted[s.Digest()] {
				return nil
			}
			more, err := b.add(fsm.Held{Sealed: s}, at)
			if err == nil && (!more || len(b.e.Rewraps) == len(wanted)) {
				err = errEnough
			}
			return err
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if len(b.e.Rewraps) == 0 {
		return errUnplaced
	}
	return nil
}

// errUnplaced is no failure at first: the stored answers of version 1 are told by nobody, and end within 15 minutes.
var errUnplaced = errors.New("what is left under the old key are values of version 1 of which no feature says where they stand")

// ownPlaces are the keyring's own values.
func ownPlaces(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	err := keks.Scan(r, fsm.Span{}, func(k fsm.Key, s fsm.Sealed) (bool, error) {
		id, err := kekOf(k)
		if err == nil {
			err = visit(kekBinding(id), s)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return tenants.Scan(r, fsm.Span{}, func(k fsm.Key, row tenantRow) (bool, error) {
		id, err := scopeOf(k)
		if err == nil {
			err = visit(macBinding(id), row.MAC)
		}
		return true, err
	})
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
