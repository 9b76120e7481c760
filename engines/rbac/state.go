package rbac

import (
	"github.com/trstctl/trstctl/fsm"
)

// Policy is a named list of rules of one tenant.
type Policy struct {
	Name    string   `cbor:"1,keyasint"`
	Rules   []Rule   `cbor:"2,keyasint"`
	Version uint64   `cbor:"3,keyasint"` // counts its changes, deletions too
	At      fsm.Time `cbor:"4,keyasint"`
	By      string   `cbor:"5,keyasint"`
}

var (
	policies = fsm.NewTable[Policy]("rbac.policy") // key: tenant, name
	counts   = fsm.NewTable[uint64]("rbac.count")  // key: tenant -> how many policies it has
)

// Register registers the events of policies.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Written) error {
		version, err := fsm.StreamVersion(tx, m.Tenant, e.EventStream())
		if err != nil {
			return err
		}
		_, had, err := policies.Get(tx, fsm.K(m.Tenant, e.Name))
		if err == nil && !had {
			err = count(tx, m.Tenant, 1)
		}
		if err != nil {
			return err
		}
		return policies.Put(tx, fsm.K(m.Tenant, e.Name), Policy{e.Name, e.Rules, version, m.At, m.Actor.Identity})
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Deleted) error {
		_, had, err := policies.Get(tx, fsm.K(m.Tenant, e.Name))
		if err == nil && had {
			err = count(tx, m.Tenant, ^uint64(0))
		}
		if err != nil {
			return err
		}
		return policies.Delete(tx, fsm.K(m.Tenant, e.Name))
	})
}

func count(tx *fsm.Tx, tenant fsm.UID, by uint64) error {
	n, _, err := counts.Get(tx, fsm.K(tenant))
	if err != nil {
		return err
	}
	return counts.Put(tx, fsm.K(tenant), n+by)
}
