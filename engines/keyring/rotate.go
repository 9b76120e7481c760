package keyring

import (
	"context"
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// tooOld refuses while a member runs a binary that does not know what a rotation leaves behind.
func tooOld(v *fsm.View) error {
	if v.Version() < since {
		return fault.New(fault.Conflict, "the cluster is at version %d, rotation needs %d: start the present binary on every member first", v.Version(), since)
	}
	return nil
}

// Rotation is how far a rotation is.
type Rotation struct {
	Root      bool // of the root KEK, else of a tenant's
	Tenant    fsm.UID
	From, To  uint32
	Tenants   bool // every tenant's KEK is made anew too
	Values    uint64
	Remaining uint64 // values that an older version wraps still, as far as they were counted
	Began     fsm.Time
	Ended     fsm.Time // 0: under way
	Waits     string   // what the old version is kept for when nothing is left under it
}

// decideRoot adds a root KEK: wrapped by each of the cluster's seals that this node can ask or that has a public key, and bridged from the
// one before, by which running nodes have it at once. Seals of other nodes follow.
func (k *Keyring) decideRoot(ctx context.Context, v *fsm.View, e *fsm.Entry, tenants bool, change sealChange) error {
	before, err := newestRoot(v)
	if err != nil {
		return err
	}
	if err := rootIdle(v); err != nil {
		return err
	}
	under, _, err := rotations.Get(v, fsm.K(fsm.UID{}))
	if err != nil {
		return err
	}
	tenants = tenants || under.Ended == 0 && under.Began.Tenants // what waits is taken over by this one
	old, err := k.root(v, before.Version)
	if err != nil {
		return err
	}
	root := newKey()
	defer clear(root[:])
	row := RootAdded{Version: before.Version + 1}
	id := fsm.KEKID{Version: row.Version}
	if row.Canary, err = sealed(k.cluster, fsm.Epoch(v), id, root, canaryBinding(row.Version), []byte(canaryText)); err != nil {
		return err
	}
	all, err := k.sealsOf(v, change)
	if err != nil {
		return err
	}
	var records []fsm.Event
	for _, s := range all {
		if s.seal != nil {
			w, err := k.wrap(ctx, s.seal, row.Version, root)
			if err == nil {
				row.Wraps = append(row.Wraps, w)
			} else if s.people {
				return fmt.Errorf("wrap the new root key for the holders of shares: %w", err)
			}
		}
		s.record.Root = row.Version
		s.record.MAC = [32]byte(sealMAC(root, s.record))
		records = append(records, s.record)
	}
	if len(row.Wraps) == 0 {
		return fault.New(fault.NotDone, "no seal that this node can reach wraps the new root key: see `trstctl operator seal status`")
	}
	bridge, err := k.sealUnder(fsm.Epoch(v), fsm.KEKID{Version: before.Version}, old, bridgeBinding(row.Version), root[:])
	if err != nil {
		return fmt.Errorf("bridge the new root key: %w", err)
	}
	m := voucher(old, root, row)
	row.MAC = m[:]
	values, err := fsm.CountHeld(v, fsm.KEKID{Version: before.Version})
	if err != nil {
		return err
	}
	e.Add(row, RootBridged{row.Version, bridge}, RotationBegan{From: before.Version, To: row.Version, Values: values, Tenants: tenants, Root: true})
	e.Add(records...)
	if err := k.wrapOlder(ctx, v, e, change.people); err != nil {
		return err
	}
	return guard(v, e, fsm.RootTenant, rootStream, sealsStream)
}

// wrapOlder has new shares open the root keys that are there already, in the place of the old ones: until the rotation has ended a node
// needs those too, and nobody else may be left who opens them.
func (k *Keyring) wrapOlder(ctx context.Context, v *fsm.View, e *fsm.Entry, people *seal.Shamir) error {
	if people == nil {
		return nil
	}
	all, err := allRoots(v)
	for _, row := range all {
		w, err := k.wrapRoot(ctx, v, people, row.Version)
		if err != nil {
			return fmt.Errorf("wrap root key %d for the holders of new shares: %w", row.Version, err)
		}
		e.Add(RootWrapped{row.Version, w})
	}
	return err
}

func guard(v *fsm.View, e *fsm.Entry, tenant fsm.UID, streams ...string) error {
	for _, s := range streams {
		g, err := fsm.GuardOf(v, tenant, s)
		if err != nil {
			return err
		}
		e.Guard(g)
	}
	return nil
}

// idle refuses a second rotation of the same key while one is under way.
func idle(r fsm.Reader, scope fsm.UID, what string) error {
	row, found, err := rotations.Get(r, fsm.K(scope))
	if err == nil && found && row.Ended == 0 {
		err = fault.New(fault.Conflict, "a rotation of %s to version %d is under way: see `trstctl operator rotate status`", what, row.Began.To)
	}
	return err
}

// decideTenant adds a version of a tenant's KEK.
func (k *Keyring) decideTenant(v *fsm.View, e *fsm.Entry, tenant fsm.UID) error {
	row, found, err := tenants.Get(v, fsm.K(tenant))
	if err == nil && !found {
		err = errNoKeys()
	}
	if err == nil {
		err = idle(v, tenant, "the tenant's key")
	}
	if err != nil {
		return err
	}
	kek := newKey()
	defer clear(kek[:])
	id := fsm.KEKID{Scope: tenant, Version: row.KEK + 1}
	s, root, err := k.sealTenantKEK(v, id, kek)
	if err != nil {
		return err
	}
	values, err := fsm.CountHeld(v, fsm.KEKID{Scope: tenant, Version: row.KEK})
	if err != nil {
		return err
	}
	e.AddIn(tenant, TenantKEKRotated{id.Version, s, root}, RotationBegan{From: row.KEK, To: id.Version, Values: values})
	return guard(v, e, tenant, tenantStream)
}

// rootIdle lets a rotation begin while the one before only waits for a seal that is away: that may take long, and a leak does not wait.
func rootIdle(v *fsm.View) error {
	busy := idle(v, fsm.UID{}, "the root key")
	if !fault.Is(busy, fault.Conflict) {
		return busy
	}
	all, err := Rotations(v)
	if err != nil || len(all) == 0 || !all[0].Root {
		return errors.Join(busy, err)
	}
	missing, err := waits(v)
	if err != nil || all[0].Remaining > 0 || missing == "" {
		return errors.Join(busy, err)
	}
	return nil
}

// sealChange is a change of the cluster's seals that goes with a new root KEK.
type sealChange struct {
	remove string
	people *seal.Shamir // in the place of those who held shares before
	held   People
}

// theirs is one of the cluster's seals; seal is nil when only other nodes have it.
type theirs struct {
	record SealRecorded
	seal   seal.Seal
	people bool
}

// sealsOf returns the cluster's seals after a change. A cluster of version 1 did not record them: they are those that wrapped its newest root.
func (k *Keyring) sealsOf(v *fsm.View, change sealChange) (out []theirs, err error) {
	records, err := Seals(v)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.Name == change.remove || change.people != nil && r.Name == SharesName {
			continue
		}
		t := theirs{record: r, people: len(r.Public) > 0}
		if t.people {
			if t.seal, err = seal.ForShares(r.Name, r.Public); err != nil {
				return nil, err
			}
		}
		for _, s := range k.seals {
			if s.Name() == r.Name {
				t.seal, t.record.Kind = s, s.Kind()
			}
		}
		out = append(out, t)
	}
	if p := change.people; p != nil {
		out = append(out, theirs{SealRecorded{Name: SharesName, Kind: p.Kind(), Public: p.Public(), Shares: uint32(change.held.Shares), Threshold: uint32(change.held.Threshold)}, p, true})
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Conflict, "the cluster would have no seal left: add another first")
	}
	return out, nil
}

// Seals returns the cluster's seals by name.
func Seals(r fsm.Reader) (out []SealRecorded, err error) {
	known := map[string]bool{}
	err = seals.Scan(r, fsm.Span{}, func(_ fsm.Key, s SealRecorded) (bool, error) {
		out, known[s.Name] = append(out, s), true
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	newest, err := newestRoot(r)
	for _, w := range newest.Wraps {
		if !known[w.Seal] {
			out = append(out, SealRecorded{Name: w.Seal, Kind: w.Seal, Root: newest.Version})
		}
	}
	return out, err
}

// rewrap makes a new wrap of a value: its DEK under another key, in the same context.
func (k *Keyring) rewrap(r fsm.Reader, h fsm.Held, from, to fsm.KEKID, b fsm.Binding) (fsm.Rewrap, int, error) {
	full, found, err := fsm.Load(r, h.Sealed)
	if err != nil || !found {
		return fsm.Rewrap{}, 0, errors.Join(err, errGone(found))
	}
	old, err := k.kek(r, from)
	if err != nil {
		return fsm.Rewrap{}, 0, err
	}
	next, err := k.kek(r, to)
	if err != nil {
		return fsm.Rewrap{}, 0, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if err := errors.Join(k.holds(from, old), k.holds(to, next)); err != nil {
		return fsm.Rewrap{}, 0, err
	}
	wrap, err := rewrapped(k.cluster, old, next, to, b, full)
	if err != nil {
		return fsm.Rewrap{}, 0, fault.New(fault.Corrupt, "a sealed value of key %s cannot be wrapped anew", from).Because(err)
	}
	w, err := fsm.NewRewrap(full, wrap, b)
	return w, len(full.Bytes()), err
}

func errGone(found bool) error {
	if found {
		return nil
	}
	return fault.New(fault.Corrupt, "the index of keys names a value that is not there")
}
