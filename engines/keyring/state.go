package keyring

import (
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// tenantRow says which keys of a tenant are current. A tenant without a row has no keys any more.
type tenantRow struct {
	KEK  uint32     `cbor:"1,keyasint"` // newest version
	MAC  fsm.Sealed `cbor:"2,keyasint"`
	Root uint32     `cbor:"3,keyasint,omitempty"` // newest root KEK when that was made; 0 for a tenant's first
}

// rotationRow is a rotation that is under way or was the last one.
type rotationRow struct {
	Began RotationBegan `cbor:"1,keyasint"`
	At    fsm.Time      `cbor:"2,keyasint"`
	Ended fsm.Time      `cbor:"3,keyasint,omitempty"` // 0: under way
}

var (
	roots     = fsm.NewTable[RootAdded]("keyring.root")       // key: version
	bridges   = fsm.NewTable[fsm.Sealed]("keyring.bridge")    // key: version that it leads to
	retired   = fsm.NewTable[fsm.Time]("keyring.retired")     // key: version of the root KEK
	seals     = fsm.NewTable[SealRecorded]("keyring.seal")    // key: name
	tenants   = fsm.NewTable[tenantRow]("keyring.tenant")     // key: tenant
	keks      = fsm.NewTable[fsm.Sealed]("keyring.kek")       // key: tenant, version
	rotations = fsm.NewTable[rotationRow]("keyring.rotation") // key: tenant, the zero UID for the root KEK
)

// Register registers the keyring's events.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e RootAdded) error { return roots.Put(tx, fsm.K(uint64(e.Version)), e) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e TenantKEKAdded) error {
		if err := keks.Put(tx, kekKey(m.Tenant, e.Version), e.Key); err != nil {
			return err
		}
		return update(tx, m.Tenant, func(row *tenantRow) { row.KEK = e.Version })
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e MACKeyMade) error {
		return update(tx, m.Tenant, func(row *tenantRow) { row.MAC = e.Key })
	})
	fsm.On(r, applyDestroyed)
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e SealRecorded) error { return seals.Put(tx, fsm.K(e.Name), e) })
	fsm.On(r, applySealRemoved)
	fsm.On(r, applyRootWrapped)
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e RootBridged) error {
		return bridges.Put(tx, fsm.K(uint64(e.Version)), e.Key)
	})
	fsm.On(r, applyRootRetired)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e TenantKEKRotated) error {
		if err := keks.Put(tx, kekKey(m.Tenant, e.Version), e.Key); err != nil {
			return err
		}
		return update(tx, m.Tenant, func(row *tenantRow) { row.KEK, row.Root = e.Version, e.Root })
	})
	fsm.On(r, applyTenantKEKRetired)
	fsm.On(r, func(*fsm.Tx, fsm.Meta, Rewrapped) error { return nil })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e RotationBegan) error {
		return rotations.Put(tx, fsm.K(rotationScope(m.Tenant, e.Root)), rotationRow{Began: e, At: m.At})
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e RotationEnded) error {
		k := fsm.K(rotationScope(m.Tenant, e.Root))
		row, found, err := rotations.Get(tx, k)
		if err != nil || !found || row.Began.To != e.To {
			return err
		}
		row.Ended = m.At
		return rotations.Put(tx, k, row)
	})
}

func rotationScope(tenant fsm.UID, root bool) fsm.UID {
	if root {
		return fsm.UID{}
	}
	return tenant
}

func kekKey(tenant fsm.UID, version uint32) fsm.Key { return fsm.K(tenant, uint64(version)) }

func update(tx *fsm.Tx, tenant fsm.UID, change func(*tenantRow)) error {
	row, _, err := tenants.Get(tx, fsm.K(tenant))
	if err != nil {
		return err
	}
	change(&row)
	return tenants.Put(tx, fsm.K(tenant), row)
}

// scopeOf and kekOf read the keys of rows.
func scopeOf(k fsm.Key) (fsm.UID, error) {
	id, ok := k.UID()
	if !ok {
		return id, fault.New(fault.Corrupt, "a row of the keyring has another key than a tenant")
	}
	return id, nil
}

func kekOf(k fsm.Key) (fsm.KEKID, error) {
	scope, err := scopeOf(k)
	n, ok := k.LastUint()
	if err == nil && !ok {
		err = fault.New(fault.Corrupt, "a row of the keyring has another key than a version")
	}
	return fsm.KEKID{Scope: scope, Version: uint32(n)}, err
}

// allRoots returns the root KEKs that are there, oldest first.
func allRoots(r fsm.Reader) (out []RootAdded, err error) {
	err = roots.Scan(r, fsm.Span{}, func(_ fsm.Key, row RootAdded) (bool, error) {
		out = append(out, row)
		return true, nil
	})
	return out, err
}

// newestRoot returns the last of them; its version is 0 when there is none.
func newestRoot(r fsm.Reader) (newest RootAdded, err error) {
	err = roots.Scan(r, fsm.Span{Reverse: true}, func(_ fsm.Key, row RootAdded) (bool, error) {
		newest = row
		return false, nil
	})
	return newest, err
}

// applySealRemoved destroys all that the seal wrapped.
func applySealRemoved(tx *fsm.Tx, _ fsm.Meta, e SealRemoved) error {
	all, err := allRoots(tx)
	if err != nil {
		return err
	}
	for _, row := range all {
		row.Wraps, err = without(tx, row.Wraps, e.Name)
		if err == nil {
			err = roots.Put(tx, fsm.K(uint64(row.Version)), row)
		}
		if err != nil {
			return err
		}
	}
	return seals.Delete(tx, fsm.K(e.Name))
}

// without destroys the wraps of one seal and returns the others.
func without(tx *fsm.Tx, wraps []Wrap, name string) ([]Wrap, error) {
	kept := []Wrap{}
	for _, w := range wraps {
		if w.Seal != name {
			kept = append(kept, w)
		} else if err := tx.Destroy(w.Key); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func applyRootWrapped(tx *fsm.Tx, _ fsm.Meta, e RootWrapped) error {
	row, found, err := roots.Get(tx, fsm.K(uint64(e.Version)))
	if err != nil || !found {
		return err
	}
	if row.Wraps, err = without(tx, row.Wraps, e.Wrap.Seal); err != nil {
		return err
	}
	row.Wraps = append(slices.Clip(row.Wraps), e.Wrap)
	return roots.Put(tx, fsm.K(uint64(e.Version)), row)
}

// applyRootRetired destroys what was left under the key, every wrap of it, and the bridge that led to it.
func applyRootRetired(tx *fsm.Tx, m fsm.Meta, e RootRetired) error {
	key := fsm.K(uint64(e.Version))
	row, found, err := roots.Get(tx, key)
	if err != nil || !found {
		return err
	}
	ended := []fsm.Sealed{row.Canary}
	for _, w := range row.Wraps {
		ended = append(ended, w.Key)
	}
	for _, version := range []uint32{e.Version, e.Version + 1} {
		bridge, found, err := bridges.Get(tx, fsm.K(uint64(version)))
		if err != nil {
			return err
		}
		if found {
			ended = append(ended, bridge)
		}
		if err := bridges.Delete(tx, fsm.K(uint64(version))); err != nil {
			return err
		}
	}
	if err := destroyAll(tx, ended); err != nil {
		return err
	}
	if err := roots.Delete(tx, key); err != nil {
		return err
	}
	if err := retired.Put(tx, key, m.At); err != nil {
		return err
	}
	return tx.Retire(fsm.KEKID{Version: e.Version})
}

func destroyAll(tx *fsm.Tx, ended []fsm.Sealed) error {
	for _, s := range ended {
		if err := tx.Destroy(s); err != nil {
			return err
		}
	}
	return nil
}

func applyTenantKEKRetired(tx *fsm.Tx, m fsm.Meta, e TenantKEKRetired) error {
	key := kekKey(m.Tenant, e.Version)
	s, found, err := keks.Get(tx, key)
	if err != nil || !found {
		return err
	}
	if err := tx.Destroy(s); err != nil {
		return err
	}
	if err := keks.Delete(tx, key); err != nil {
		return err
	}
	return tx.Retire(fsm.KEKID{Scope: m.Tenant, Version: e.Version})
}

// applyDestroyed deletes the rows and the sealed bytes of all keys of the tenant, and its rotation, which has nothing left to end.
func applyDestroyed(tx *fsm.Tx, m fsm.Meta, _ TenantKeysDestroyed) error {
	row, found, err := tenants.Get(tx, fsm.K(m.Tenant))
	if err != nil || !found {
		return err
	}
	ended := []fsm.Sealed{row.MAC}
	var keys []fsm.Key
	err = keks.Scan(tx, fsm.Span{Prefix: fsm.K(m.Tenant)}, func(k fsm.Key, s fsm.Sealed) (bool, error) {
		ended, keys = append(ended, s), append(keys, append(fsm.Key(nil), k...))
		return true, nil
	})
	if err == nil {
		err = destroyAll(tx, ended)
	}
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := keks.Delete(tx, k); err != nil {
			return err
		}
	}
	if err := rotations.Delete(tx, fsm.K(m.Tenant)); err != nil {
		return err
	}
	return tenants.Delete(tx, fsm.K(m.Tenant))
}
