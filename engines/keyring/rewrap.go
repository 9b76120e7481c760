package keyring

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

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
	if err == nil {
		chaos.Point(chaos.RotationBatch)
	}
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
