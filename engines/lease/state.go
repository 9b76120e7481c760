package lease

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
)

// State is what a lease is good for. Its numbers are stored.
type State uint8

// The states.
const (
	Active      State = 1
	Ending      State = 2 // it is good no more, and the backend is to end what it stood for
	Irrevocable State = 3 // the backend was given up
)

// String names the state.
func (s State) String() string {
	return map[State]string{Active: "active", Ending: "ending", Irrevocable: "irrevocable"}[s]
}

// Why is the reason for which a lease ended. Its numbers are stored.
type Why uint8

// The reasons.
const (
	Expired Why = 1
	Revoked Why = 2
	Holder  Why = 3 // the token that it was given to is dead
	Orphan  Why = 4 // nobody was told of the credential
)

// String names the reason; it is empty for none.
func (w Why) String() string {
	return map[Why]string{Expired: "expired", Revoked: "revoked", Holder: "holder is gone", Orphan: "never given out"}[w]
}

// Ref names the token that holds a lease. An operator's may be of another tenant.
type Ref struct {
	Tenant   fsm.UID `cbor:"1,keyasint"`
	Accessor string  `cbor:"2,keyasint"`
}

// Lease says what was given to whom, and until when.
type Lease struct {
	ID        string   `cbor:"1,keyasint"`           // "<target>/<role>/<random>"
	Engine    string   `cbor:"2,keyasint"`           // that issued it: "dynamic"
	Target    string   `cbor:"3,keyasint"`           // where it is to be ended: a connection
	Role      string   `cbor:"4,keyasint"`           // of the target
	Account   string   `cbor:"5,keyasint,omitempty"` // by which the target knows it: a user's name, a serial number
	Holder    Ref      `cbor:"6,keyasint"`
	Identity  string   `cbor:"7,keyasint"` // the holder's
	Issued    fsm.Time `cbor:"8,keyasint"`
	Expires   fsm.Time `cbor:"9,keyasint"`
	Max       fsm.Time `cbor:"10,keyasint"` // no renewal goes beyond it
	Renewable bool     `cbor:"11,keyasint,omitempty"`
	State     State    `cbor:"12,keyasint"`
	Why       Why      `cbor:"13,keyasint,omitempty"`
	Ended     fsm.Time `cbor:"14,keyasint,omitempty"` // since when it is not active
	Seq       uint64   `cbor:"15,keyasint,omitempty"` // with Pos the message by which the backend is to end it
	Pos       uint64   `cbor:"16,keyasint,omitempty"`

	Answer fsm.Sealed `cbor:"17,keyasint"` // the sealed answer with the credential, so that the end destroys it
}

// Tables.
var (
	leases   = fsm.NewTable[Lease]("lease.lease")   // key: tenant, id
	expiries = fsm.NewTable[string]("lease.expiry") // key: when an active lease expires, tenant, id -> id
	holders  = fsm.NewTable[Ref]("lease.holder")    // key: tenant and accessor of the holder of an active lease, its own tenant, id
	counts   = fsm.NewTable[uint64]("lease.count")  // key: tenant, what is counted, whose -> leases that count against a limit
)

// Register registers the events of leases.
func Register(r *fsm.Registry) {
	fsm.On(r, applyGranted)
	fsm.On(r, applyRenewed)
	fsm.On(r, applyEnded)
	fsm.On(r, applyGone)
	fsm.On(r, applyForced)
	fsm.On(r, applyForgotten)
}

func (l Lease) expiryKey(tenant fsm.UID) fsm.Key { return fsm.K(l.Expires, tenant, l.ID) }
func (l Lease) holderKey(tenant fsm.UID) fsm.Key {
	return fsm.K(l.Holder.Tenant, l.Holder.Accessor, tenant, l.ID)
}

func applyGranted(tx *fsm.Tx, m fsm.Meta, e Granted) error {
	l := e.Lease
	l.State = Active
	return errors.Join(leases.Put(tx, fsm.K(m.Tenant, l.ID), l), l.arm(tx, m.Tenant), count(tx, m.Tenant, l, 1))
}

// arm puts an active lease where the workers find it.
func (l Lease) arm(tx *fsm.Tx, tenant fsm.UID) error {
	return errors.Join(expiries.Put(tx, l.expiryKey(tenant), l.ID), holders.Put(tx, l.holderKey(tenant), l.Holder))
}

func (l Lease) disarm(tx *fsm.Tx, tenant fsm.UID) error {
	if l.State != Active {
		return nil
	}
	return errors.Join(expiries.Delete(tx, l.expiryKey(tenant)), holders.Delete(tx, l.holderKey(tenant)))
}

// finish ends an active lease: a repeated request must not hand out a dead credential.
func (l Lease) finish(tx *fsm.Tx, tenant fsm.UID) error {
	return errors.Join(l.disarm(tx, tenant), tx.Destroy(l.Answer))
}

func applyRenewed(tx *fsm.Tx, m fsm.Meta, e Renewed) error {
	return change(tx, m.Tenant, e.ID, func(l *Lease) error {
		if l.State != Active {
			return fmt.Errorf("an event renews lease %q, which is %s", e.ID, l.State)
		}
		err := l.disarm(tx, m.Tenant)
		l.Expires = e.Expires
		return errors.Join(err, l.arm(tx, m.Tenant))
	})
}

func applyEnded(tx *fsm.Tx, m fsm.Meta, e Ended) error {
	return change(tx, m.Tenant, e.ID, func(l *Lease) error {
		err := l.finish(tx, m.Tenant)
		l.State, l.Why, l.Ended, l.Seq, l.Pos = Ending, e.Why, m.At, m.Seq, e.Pos
		return err
	})
}

// applyGone has nothing to do when the lease was forced meanwhile and forgotten.
func applyGone(tx *fsm.Tx, m fsm.Meta, e Gone) error {
	l, found, err := leases.Get(tx, fsm.K(m.Tenant, e.ID))
	if err != nil || !found {
		return err
	}
	if l.State == Irrevocable {
		err = add(tx, forcedKey, -1)
	} else {
		err = count(tx, m.Tenant, l, -1)
	}
	return errors.Join(err, l.finish(tx, m.Tenant), leases.Delete(tx, fsm.K(m.Tenant, e.ID)))
}

func applyForced(tx *fsm.Tx, m fsm.Meta, e Forced) error {
	return change(tx, m.Tenant, e.ID, func(l *Lease) error {
		err := l.finish(tx, m.Tenant)
		if l.State == Ending {
			err = errors.Join(err, tx.Settle(l.Seq, l.Pos))
		}
		if l.State != Irrevocable {
			err = errors.Join(err, count(tx, m.Tenant, *l, -1), add(tx, forcedKey, 1))
		}
		l.State, l.Ended, l.Seq, l.Pos = Irrevocable, m.At, 0, 0
		return err
	})
}

func applyForgotten(tx *fsm.Tx, m fsm.Meta, e Forgotten) error {
	_, found, err := leases.Get(tx, fsm.K(m.Tenant, e.ID))
	if err != nil || !found {
		return err
	}
	return errors.Join(add(tx, forcedKey, -1), leases.Delete(tx, fsm.K(m.Tenant, e.ID)))
}

func change(tx *fsm.Tx, tenant fsm.UID, id string, f func(*Lease) error) error {
	at := fsm.K(tenant, id)
	l, found, err := leases.Get(tx, at)
	if err == nil && !found {
		err = fmt.Errorf("an event is about lease %q, which there is not", id)
	}
	if err != nil {
		return err
	}
	if err := f(&l); err != nil {
		return err
	}
	return leases.Put(tx, at, l)
}

// What leases are counted by.
const (
	ofAll    = "all" // of the cluster, for its operators
	ofTenant = "tenant"
	ofRole   = "role"
	ofHolder = "holder"
	ofForced = "irrevocable" // of the cluster; they count nowhere else
)

var (
	allKey    = fsm.K(fsm.UID{}, ofAll, "")
	forcedKey = fsm.K(fsm.UID{}, ofForced, "")
)

// countKeys are those of all that a lease counts for.
func countKeys(tenant fsm.UID, target, role string, holder Ref) map[string]fsm.Key {
	return map[string]fsm.Key{ofAll: allKey, ofTenant: fsm.K(tenant, ofTenant, ""), ofRole: fsm.K(tenant, ofRole, target+"/"+role),
		ofHolder: fsm.K(tenant, ofHolder, holder.Tenant.String()+"/"+holder.Accessor)}
}

func count(tx *fsm.Tx, tenant fsm.UID, l Lease, by int) error {
	keys := countKeys(tenant, l.Target, l.Role, l.Holder)
	for _, what := range []string{ofAll, ofTenant, ofRole, ofHolder} {
		if err := add(tx, keys[what], by); err != nil {
			return err
		}
	}
	return nil
}

func add(tx *fsm.Tx, key fsm.Key, by int) error {
	n, _, err := counts.Get(tx, key)
	if err != nil {
		return err
	}
	if n += uint64(by); n == 0 {
		return counts.Delete(tx, key)
	}
	return counts.Put(tx, key, n)
}
