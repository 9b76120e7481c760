package keyring

import (
	"github.com/trstctl/trstctl/fsm"
)

// tenantRow says which keys of a tenant are current. A tenant without a row has no keys any more.
type tenantRow struct {
	KEK uint32     `cbor:"1,keyasint"` // newest version
	MAC fsm.Sealed `cbor:"2,keyasint"`
}

var (
	roots   = fsm.NewTable[RootAdded]("keyring.root")   // key: version
	tenants = fsm.NewTable[tenantRow]("keyring.tenant") // key: tenant
	keks    = fsm.NewTable[fsm.Sealed]("keyring.kek")   // key: tenant, version
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

// applyDestroyed deletes the rows and the sealed bytes of all keys of the tenant.
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
	if err != nil {
		return err
	}
	for _, s := range ended {
		if err := tx.Destroy(s); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := keks.Delete(tx, k); err != nil {
			return err
		}
	}
	return tenants.Delete(tx, fsm.K(m.Tenant))
}
