package transit

import (
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
	Epoch      uint32   `cbor:"13,keyasint,omitempty"` // of the history that Latest was given in; 0 stands for the first
}

// versionRow is a version as it is stored.
type versionRow struct {
	Material fsm.Sealed `cbor:"1,keyasint"`
	Public   []byte     `cbor:"2,keyasint,omitempty"`
	At       fsm.Time   `cbor:"3,keyasint"`
	By       string     `cbor:"4,keyasint"`
	Reserved uint64     `cbor:"5,keyasint,omitempty"` // messages that nodes may have encrypted under it
}

// Tables. A name can be given again after a deletion, a UID cannot.
var (
	keys     = fsm.NewTable[keyRow]("transit.key")         // key: tenant, name
	versions = fsm.NewTable[versionRow]("transit.version") // key: tenant, key's UID, version
)

// jump is how far the numbers of versions leap for each epoch that begins: the history that was given up may have gone on to versions that this one does
// not know of, and their ciphertexts must name no version that it makes.
const jump = 1_000_000_000

// next is the number of the next version: never one that any other history of the cluster has given to this key.
func (k keyRow) next(epoch uint32) uint64 {
	return k.Latest + uint64(epoch-max(k.Epoch, fsm.FirstEpoch))*jump + 1
}

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
	return keys.Put(tx, fsm.K(m.Tenant, e.Name), keyRow{UID: e.UID, Algorithm: e.Algorithm, Derived: e.Derived, Convergent: e.Convergent,
		Imported: e.Imported, Settings: e.Settings, Created: m.At, By: m.Actor.Identity})
}

func applyAdded(tx *fsm.Tx, m fsm.Meta, e VersionAdded) error {
	row := versionRow{Material: e.Material, Public: e.Public, At: m.At, By: m.Actor.Identity}
	if err := versions.Put(tx, fsm.K(m.Tenant, e.UID, e.Version), row); err != nil {
		return err
	}
	return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
		if k.Versions == 0 {
			k.Oldest = e.Version
		}
		k.Latest, k.Rotated, k.Epoch = e.Version, m.At, noted(fsm.Epoch(tx))
		k.Versions++
		return nil
	})
}

func applyTrimmed(tx *fsm.Tx, m fsm.Meta, e Trimmed) error {
	return change(tx, m.Tenant, e.Name, func(k *keyRow) error {
		gone, err := destroy(tx, m.Tenant, k.UID, e.Below)
		k.Versions -= gone
		k.Oldest = max(k.Oldest, e.Below)
		return err
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
	return keys.Delete(tx, fsm.K(m.Tenant, e.Name))
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
	row.Reserved += e.Messages
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
