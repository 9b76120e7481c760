package tenant

import (
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// State says whether a tenant is in use.
type State string

// The states. A tenant that was deleted stays so, and its UID is never given again.
const (
	Active  State = "active"
	Removed State = "deleted"
)

// Tenant owns secrets, policies, tokens and the keys that seal them.
type Tenant struct {
	UID     fsm.UID  `cbor:"1,keyasint"`
	Name    string   `cbor:"2,keyasint"`
	Created fsm.Time `cbor:"3,keyasint"`
	State   State    `cbor:"4,keyasint"`
}

var (
	tenants = fsm.NewTable[Tenant]("tenant.tenant") // key: UID
	names   = fsm.NewTable[fsm.UID]("tenant.name")  // key: name; of active tenants only
)

// Register makes the events of this feature known.
func Register(r *fsm.Registry) {
	fsm.On(r, applyCreated)
	fsm.On(r, applyDeleted)
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e NameTaken) error { return names.Put(tx, fsm.K(e.Name), e.Tenant) })
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e NameFreed) error { return names.Delete(tx, fsm.K(e.Name)) })
}

func applyCreated(tx *fsm.Tx, m fsm.Meta, e Created) error {
	return tenants.Put(tx, fsm.K(m.Tenant), Tenant{UID: m.Tenant, Name: e.Name, Created: m.At, State: Active})
}

// applyDeleted needs the row: the entry guards the tenant's stream, so a missing one is a defect.
func applyDeleted(tx *fsm.Tx, m fsm.Meta, _ Deleted) error {
	t, found, err := tenants.Get(tx, fsm.K(m.Tenant))
	if err == nil && !found {
		err = fmt.Errorf("tenant %s does not exist", m.Tenant)
	}
	if err != nil {
		return err
	}
	t.State = Removed
	return tenants.Put(tx, fsm.K(m.Tenant), t)
}

// Get returns a tenant by its UID, also a deleted one.
func (e *Engine) Get(r fsm.Reader, uid fsm.UID) (Tenant, bool, error) {
	return tenants.Get(r, fsm.K(uid))
}

// ByName returns the active tenant of that name.
func (e *Engine) ByName(r fsm.Reader, name string) (Tenant, bool, error) { return byName(r, name) }

func byName(r fsm.Reader, name string) (Tenant, bool, error) {
	uid, found, err := names.Get(r, fsm.K(name))
	if err != nil || !found {
		return Tenant{}, false, err
	}
	t, found, err := tenants.Get(r, fsm.K(uid))
	if err == nil && !found {
		err = fault.New(fault.Corrupt, "tenant %q has a name and no row", name)
	}
	return t, found, err
}

// List returns up to limit active tenants by name, beyond after, and where to go on; "" at the end. A limit of 0 stands for
// 100, the most is 1,000.
func (e *Engine) List(r fsm.Reader, after string, limit int) ([]Tenant, string, error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	span := fsm.Span{}
	if after != "" {
		span.After = fsm.K(after)
	}
	page, next := []Tenant{}, ""
	err := names.Scan(r, span, func(_ fsm.Key, uid fsm.UID) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Name
			return false, nil
		}
		t, found, err := tenants.Get(r, fsm.K(uid))
		if err == nil && !found {
			err = fault.New(fault.Corrupt, "tenant %s has a name and no row", uid)
		}
		page = append(page, t)
		return true, err
	})
	return page, next, err
}

// Guard holds as long as the tenant is not deleted. The zero version of a tenant that never existed holds too: ask Get first.
func (e *Engine) Guard(r fsm.Reader, uid fsm.UID) (fsm.Guard, error) {
	return fsm.GuardOf(r, uid, stream)
}
