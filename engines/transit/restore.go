package transit

import (
	"context"
	"errors"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Restored is a key out of a backup, before it is there again. It must be wiped.
type Restored struct{ saved }

// Wipe zeroes the material.
func (b *Restored) Wipe() { b.wipe() }

// Open reads a backup that was made for the tenant.
func (w *Worker) Open(r fsm.Reader, tenant fsm.UID, backup []byte) (*Restored, error) {
	var plain []byte
	err := w.withWrapping(r, tenant, func(k *primitive.Key) (err error) {
		plain, err = k.OpenSealed(backup)
		return err
	})
	if errors.Is(err, primitive.ErrDecrypt) {
		err = fault.Bad("backup", "does not open: it was made for another wrapping key than this tenant's, or is damaged").Because(err)
	}
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var out Restored
	if err := fsm.Decode(plain, &out.saved); err != nil {
		return nil, fault.Bad("backup", "is damaged, or of a later version than this node").Because(err)
	}
	if err := out.check(); err != nil {
		out.Wipe()
		return nil, err
	}
	return &out, nil
}

// check holds a backup, which anybody can make who has the public wrapping key, against what a key can be.
func (s *saved) check() error {
	if len(s.Versions) == 0 || len(s.Versions) > maxVersions || s.Given > primitive.MaxVersion-jump {
		return fault.Bad("backup", "holds no key, or one with too many versions")
	}
	before := uint64(0)
	for _, v := range s.Versions {
		k, err := primitive.Unmarshal(v.Material)
		if err != nil || k.Algorithm().String() != s.Algorithm || v.Number <= before || v.Number > s.Given || v.Reserved > mostDrawn {
			return fault.Bad("backup", "holds a version that is none").Because(err)
		}
		k.Wipe()
		before = v.Number
	}
	return nil
}

// Restore brings a key back, under the name that it had or another, with its UID, so that what it has encrypted opens again. A key that is there is
// not brought back a second time. Versions get numbers behind all that the key ever had; where a version may have encrypted messages that the backup
// does not know of, it has so many less, and is soon followed by another.
func (e *Engine) Restore(ctx context.Context, req fsm.Request, name string, b *Restored) (Done, fsm.Receipt, error) {
	a, err := primitive.ParseAlgorithm(b.Algorithm)
	if err != nil {
		return Done{}, fsm.Receipt{}, fault.Bad("backup", "is of a key of an algorithm that this node does not know")
	}
	return e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		given, err := t.mayRestore(b)
		if err != nil {
			return 0, err
		}
		t.entry.Add(KeyCreated{Name: name, UID: b.UID, Algorithm: b.Algorithm, Derived: b.Derived, Convergent: b.Convergent, Imported: b.Imported,
			Settings: b.Settings, Origin: b.Origin, Given: given}, KeyRestored{b.UID, name})
		return b.Versions[len(b.Versions)-1].Number, t.addAll(a, b)
	})
}

// mayRestore returns the highest number that any version of the key may have had, here or where the backup is from.
func (t *turn) mayRestore(b *Restored) (given uint64, err error) {
	if _, err := t.row(); err == nil {
		return 0, fault.New(fault.Conflict, "there is a transit key %q", t.name)
	} else if fault.KindOf(err) != fault.NotFound {
		return 0, err
	}
	g, err := fsm.GuardOf(t.v, t.entry.Tenant, uidStream(b.UID))
	if err != nil {
		return 0, err
	}
	t.entry.Guard(g)
	known, found, err := uids.Get(t.v, fsm.K(t.entry.Tenant, b.UID))
	switch {
	case err != nil:
		return 0, err
	case known.Name != "":
		return 0, fault.New(fault.Conflict, "the key of this backup is there, as %q", known.Name)
	case !found: // it comes from elsewhere, where it may go on
		return b.Given + jump, nil
	}
	return max(b.Given, known.Given+lost(known.Epoch, fsm.Epoch(t.v))*jump), nil
}

func (t *turn) addAll(a primitive.Algorithm, b *Restored) error {
	for _, v := range b.Versions {
		k, err := primitive.Unmarshal(v.Material)
		if err != nil {
			return err
		}
		m, err := materialOf(k)
		if err != nil {
			return err
		}
		if m.used = v.Reserved; a.ShortNonces() {
			m.used += rotateAt
		}
		err = t.add(b.UID, v.Number, m)
		m.wipe()
		if err != nil {
			return err
		}
	}
	return nil
}
