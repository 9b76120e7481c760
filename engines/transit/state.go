package transit

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// keyRow is a key as it is stored.
type keyRow struct {
	UID        fsm.UID  `cbor:"1,keyasint"`
	Algorithm  string   `cbor:"2,keyasint"`
	Derived    bool     `cbor:"3,keyasint,omitempty"`
	Convergent bool     `cbor:"4,keyasint,omitempty"`
	Imported   bool     `cbor:"5,keyasint,omitempty"`
	Settings   Settings `cbor:"6,keyasint"`
	Oldest     uint64   `cbor:"7,keyasint"` // version that is still there
	Latest     uint64   `cbor:"8,keyasint"`
	Versions   uint64   `cbor:"9,keyasint"` // that are still there
	Created    fsm.Time `cbor:"10,keyasint"`
	Rotated    fsm.Time `cbor:"11,keyasint"` // when the latest version was added
	By         string   `cbor:"12,keyasint"`
	Epoch      uint32   `cbor:"13,keyasint,omitempty"` // of the history that Given was given in; 0 stands for the first
	Origin     fsm.UID  `cbor:"14,keyasint"`
	Restored   fsm.Time `cbor:"16,keyasint,omitempty"` // from a backup; 0: it was not
	Given      uint64   `cbor:"15,keyasint"`           // the highest number that a version has had, also before a deletion and a restoration
}

// versionRow is a version as it is stored.
type versionRow struct {
	Material fsm.Sealed `cbor:"1,keyasint"`
	Public   []byte     `cbor:"2,keyasint,omitempty"`
	At       fsm.Time   `cbor:"3,keyasint"`
	By       string     `cbor:"4,keyasint"`
	Reserved uint64     `cbor:"5,keyasint,omitempty"` // messages that nodes may have encrypted under it
	Epoch    uint32     `cbor:"6,keyasint,omitempty"` // of the history that Reserved is of; 0 stands for the first
}

// uidRow is what stays of a UID for ever. A key that was deleted can come back from a backup, and goes on behind the numbers that it had.
type uidRow struct {
	Name  string `cbor:"1,keyasint,omitempty"` // empty when the key was deleted
	Given uint64 `cbor:"2,keyasint,omitempty"` // of a key that was deleted, as Epoch
	Epoch uint32 `cbor:"3,keyasint,omitempty"`
}

// Tables. A name can be given again after a deletion, a UID to nothing but the same key.
var (
	keys     = fsm.NewTable[keyRow]("transit.key")         // key: tenant, name
	versions = fsm.NewTable[versionRow]("transit.version") // key: tenant, key's UID, version
	uids     = fsm.NewTable[uidRow]("transit.uid")         // key: tenant, UID
	changes  = fsm.NewTable[uint64]("transit.changes")     // no key: how often versions have come or gone, in all tenants
)

// jump is how far the numbers of versions leap for each epoch that begins: the history that was given up may have gone on to versions that this one does
// not know of, and their ciphertexts must name no version that it makes.
const jump = 1_000_000_000

// next is the number of the next version: never one that any other history of the cluster has given to this key.
func (k keyRow) next(epoch uint32) uint64 {
	return k.Given + lost(k.Epoch, epoch)*jump + 1
}

// lost is how many histories were given up since an epoch that was noted.
func lost(since, epoch uint32) uint64 { return uint64(epoch - max(since, fsm.FirstEpoch)) }

// used is how many messages may have been encrypted under a version: a history that was given up may have gone on to the number at which it had the version
// followed by another.
func (v versionRow) used(epoch uint32) uint64 { return v.Reserved + lost(v.Epoch, epoch)*rotateAt }

// noted is the form in which a row keeps an epoch: the first takes no space.
func noted(epoch uint32) uint32 {
	if epoch == fsm.FirstEpoch {
		return 0
	}
	return epoch
}

// binding says where a version's material stands.
func binding(tenant, key fsm.UID, version uint64) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "transit", Field: "material", Path: key.String(), Version: version}
}

// Register registers the events of transit.
func Register(r *fsm.Registry) {
	fsm.On(r, applyCreated)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e KeyRestored) error {
		return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
			k.Restored = m.At
			return nil
		})
	})
	fsm.On(r, applyAdded)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Configured) error {
		return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
			k.Settings = e.Settings
			return nil
		})
	})
	fsm.On(r, applyTrimmed)
	fsm.On(r, applyDeleted)
	fsm.On(r, applyReserved)
}

func applyCreated(tx *fsm.Tx, m fsm.Meta, e KeyCreated) error {
	if err := uids.Put(tx, fsm.K(m.Tenant, e.UID), uidRow{Name: e.Name}); err != nil {
		return err
	}
	return keys.Put(tx, fsm.K(m.Tenant, e.Name), keyRow{UID: e.UID, Algorithm: e.Algorithm, Derived: e.Derived, Convergent: e.Convergent,
		Imported: e.Imported, Settings: e.Settings, Created: m.At, By: m.Actor.Identity, Origin: e.Origin, Given: e.Given, Epoch: noted(fsm.Epoch(tx))})
}

func applyAdded(tx *fsm.Tx, m fsm.Meta, e VersionAdded) error {
	row := versionRow{Material: e.Material, Public: e.Public, At: m.At, By: m.Actor.Identity, Reserved: e.Reserved, Epoch: noted(fsm.Epoch(tx))}
	if err := errors.Join(versions.Put(tx, fsm.K(m.Tenant, e.UID, e.Version), row), changed(tx)); err != nil {
		return err
	}
	return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
		if k.Versions == 0 {
			k.Oldest = e.Version
		}
		k.Latest, k.Rotated = e.Version, m.At
		if e.Version > k.Given {
			k.Given, k.Epoch = e.Version, noted(fsm.Epoch(tx))
		}
		k.Versions++
		return nil
	})
}

// changed counts that versions have come or gone, so that nodes need not look at those that they hold until it has.
func changed(tx *fsm.Tx) error {
	n, _, err := changes.Get(tx, fsm.K())
	if err != nil {
		return err
	}
	return changes.Put(tx, fsm.K(), n+1)
}

func applyTrimmed(tx *fsm.Tx, m fsm.Meta, e Trimmed) error {
	return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
		gone, err := destroy(tx, m.Tenant, k.UID, e.Below)
		k.Versions -= gone
		k.Oldest = max(k.Oldest, e.Below)
		return errors.Join(err, changed(tx))
	})
}

func applyDeleted(tx *fsm.Tx, m fsm.Meta, e Deleted) error {
	k, found, err := keys.Get(tx, fsm.K(m.Tenant, e.Name))
	if err != nil || !found {
		return missing(e.Name, err)
	}
	if _, err := destroy(tx, m.Tenant, k.UID, k.Latest+1); err != nil {
		return err
	}
	return errors.Join(keys.Delete(tx, fsm.K(m.Tenant, e.Name)), uids.Put(tx, fsm.K(m.Tenant, k.UID), uidRow{Given: k.Given, Epoch: k.Epoch}), changed(tx))
}

func applyReserved(tx *fsm.Tx, m fsm.Meta, e Reserved) error {
	k, found, err := keys.Get(tx, fsm.K(m.Tenant, e.Name))
	if err != nil || !found {
		return missing(e.Name, err)
	}
	at := fsm.K(m.Tenant, k.UID, e.Version)
	row, found, err := versions.Get(tx, at)
	if err != nil || !found {
		return missing(e.Name, err)
	}
	row.Reserved, row.Epoch = row.used(fsm.Epoch(tx))+e.Messages, noted(fsm.Epoch(tx))
	return versions.Put(tx, at, row)
}

// destroy ends the versions of a key below one, with their material.
func destroy(tx *fsm.Tx, tenant, key fsm.UID, below uint64) (gone uint64, err error) {
	var ended []fsm.Key
	var material []fsm.Sealed
	err = versions.Scan(tx, fsm.Span{Prefix: fsm.K(tenant, key)}, func(k fsm.Key, row versionRow) (bool, error) {
		number, ok := k.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "a version of transit key %s has no number", key)
		}
		if number >= below {
			return false, nil
		}
		ended, material = append(ended, append(fsm.Key(nil), k...)), append(material, row.Material)
		return true, nil
	})
	for i := 0; i < len(ended) && err == nil; i++ {
		if err = tx.Destroy(material[i]); err == nil {
			err = versions.Delete(tx, ended[i])
		}
	}
	return uint64(len(ended)), err
}

func change(tx *fsm.Tx, tenant fsm.UID, name string, f func(*keyRow) error) error {
	at := fsm.K(tenant, name)
	k, found, err := keys.Get(tx, at)
	if err != nil || !found {
		return missing(name, err)
	}
	if err := f(&k); err != nil {
		return err
	}
	return keys.Put(tx, at, k)
}

// missing is an event about a key that is not there, which no decision makes.
func missing(name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an event is about transit key %q, which there is not", name)
}
