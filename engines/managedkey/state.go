package managedkey

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// material is what an object is about, sealed.
type material struct {
	Sealed fsm.Sealed `cbor:"1,keyasint"`
}

// owner is whose a name is.
type owner struct {
	ID string `cbor:"1,keyasint"`
}

// place is an object in an index.
type place struct {
	ID string `cbor:"1,keyasint"`
}

// served is where a group stands.
type served struct {
	Number uint64 `cbor:"1,keyasint"`
}

// count is what a tenant has.
type count struct {
	Made      uint64 `cbor:"1,keyasint"` // objects, ever; the number of the newest
	Destroyed uint64 `cbor:"2,keyasint,omitempty"`
}

// held is how many objects of an owner live.
type held struct {
	Living uint64 `cbor:"1,keyasint"`
}

// Tables. The row of an object that was destroyed stays, so that its id is never given again; its material and its names go. The indexes hold the living
// and the dead apart, so that a search among those that live does not pass the others.
var (
	objects   = fsm.NewTable[Object]("managedkey.object")     // key: tenant, id
	materials = fsm.NewTable[material]("managedkey.material") // key: tenant, id
	names     = fsm.NewTable[owner]("managedkey.name")        // key: tenant, type, value
	orders    = fsm.NewTable[place]("managedkey.order")       // key: tenant, 0 living or 1 dead, number
	indexed   = fsm.NewTable[place]("managedkey.term")        // key: tenant, 0 living or 1 dead, term, number
	groups    = fsm.NewTable[served]("managedkey.group")      // key: tenant, group
	counts    = fsm.NewTable[count]("managedkey.count")       // key: tenant
	owners    = fsm.NewTable[held]("managedkey.owner")        // key: tenant, owner; of owners of which objects live
)

// binding says where an object's material stands. An id has one material, ever.
func binding(tenant fsm.UID, id string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "managedkey", Field: "material", Path: id, Version: 1}
}

func nameKey(tenant fsm.UID, n Name) fsm.Key { return fsm.K(tenant, uint64(n.Type), n.Value) }

// side is the part of an index that an object stands in.
func side(dead bool) uint64 {
	if dead {
		return 1
	}
	return 0
}

// Register registers the events of managed objects.
func Register(r *fsm.Registry) {
	fsm.On(r, applyMade)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e ObjectChanged) error { return replace(tx, m.Tenant, e.Object) })
	fsm.On(r, applyDestroyed)
	fsm.On(r, applyUsage)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e NameTaken) error {
		return names.Put(tx, nameKey(m.Tenant, e.Name), owner{e.ID})
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e NameFreed) error { return names.Delete(tx, nameKey(m.Tenant, e.Name)) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e GroupServed) error {
		return groups.Put(tx, fsm.K(m.Tenant, e.Group), served{e.Number})
	})
}

func applyMade(tx *fsm.Tx, m fsm.Meta, e ObjectMade) error {
	if _, found, err := objects.Get(tx, fsm.K(m.Tenant, e.Object.ID)); err != nil || found {
		return errors.Join(err, fmt.Errorf("object %q is made a second time", e.Object.ID))
	}
	n, _, err := counts.Get(tx, fsm.K(m.Tenant))
	if err != nil {
		return err
	}
	n.Made++
	o := e.Object
	o.Number = n.Made
	if !e.Material.IsZero() {
		if err := materials.Put(tx, fsm.K(m.Tenant, o.ID), material{e.Material}); err != nil {
			return err
		}
	}
	return errors.Join(counts.Put(tx, fsm.K(m.Tenant), n), hold(tx, m.Tenant, o.Owner, 1), objects.Put(tx, fsm.K(m.Tenant, o.ID), o), enter(tx, m.Tenant, &o))
}

// hold counts objects of an owner that have begun to live, or that have ended. Nobody's objects are not counted.
func hold(tx *fsm.Tx, tenant fsm.UID, of string, by int) error {
	if of == "" {
		return nil
	}
	row, _, err := owners.Get(tx, fsm.K(tenant, of))
	if err != nil {
		return err
	}
	if row.Living += uint64(by); row.Living == 0 {
		return owners.Delete(tx, fsm.K(tenant, of))
	}
	return owners.Put(tx, fsm.K(tenant, of), row)
}

// replace puts an object in the place of what it was before.
func replace(tx *fsm.Tx, tenant fsm.UID, o Object) error {
	old, err := present(tx, tenant, o.ID)
	if err != nil {
		return err
	}
	o.Number = old.Number
	return errors.Join(leave(tx, tenant, &old), objects.Put(tx, fsm.K(tenant, o.ID), o), enter(tx, tenant, &o))
}

// present is an object that an event is about.
func present(tx *fsm.Tx, tenant fsm.UID, id string) (Object, error) {
	o, found, err := objects.Get(tx, fsm.K(tenant, id))
	if err == nil && !found {
		err = fmt.Errorf("an event is about managed object %q, which there is not", id)
	}
	return o, err
}

func applyDestroyed(tx *fsm.Tx, m fsm.Meta, e ObjectDestroyed) error {
	old, err := present(tx, m.Tenant, e.Object.ID)
	if err != nil {
		return err
	}
	if err := replace(tx, m.Tenant, e.Object); err != nil {
		return err
	}
	n, _, err := counts.Get(tx, fsm.K(m.Tenant))
	if err != nil {
		return err
	}
	if !old.dead() {
		n.Destroyed++
		err = hold(tx, m.Tenant, old.Owner, -1)
	}
	return errors.Join(err, counts.Put(tx, fsm.K(m.Tenant), n), destroy(tx, m.Tenant, e.Object.ID))
}

// destroy ends the material of an object, if it has any.
func destroy(tx *fsm.Tx, tenant fsm.UID, id string) error {
	at := fsm.K(tenant, id)
	row, found, err := materials.Get(tx, at)
	if err != nil || !found {
		return err
	}
	return errors.Join(tx.Destroy(row.Sealed), materials.Delete(tx, at))
}

func applyUsage(tx *fsm.Tx, m fsm.Meta, e UsageTaken) error {
	o, err := present(tx, m.Tenant, e.ID)
	if err != nil {
		return err
	}
	if o.Attributes.Limits == nil || e.Amount < 0 || o.Attributes.Limits.Count < e.Amount {
		return fault.New(fault.Corrupt, "an event takes more from managed object %q than it has", e.ID)
	}
	o.take(e.Amount, e.At)
	return objects.Put(tx, fsm.K(m.Tenant, e.ID), o)
}

func (o *Object) take(amount int64, at fsm.Time) {
	u := *o.Attributes.Limits
	u.Count -= amount
	o.Attributes.Limits, o.Dates.LastChange = &u, at
}

// enter puts an object into the indexes, leave takes it out.
func enter(tx *fsm.Tx, tenant fsm.UID, o *Object) error {
	all, err := o.terms()
	for i := 0; i < len(all) && err == nil; i++ {
		err = indexed.Put(tx, termKey(tenant, o, all[i]), place{o.ID})
	}
	return errors.Join(err, orders.Put(tx, fsm.K(tenant, side(o.dead()), o.Number), place{o.ID}))
}

func leave(tx *fsm.Tx, tenant fsm.UID, o *Object) error {
	all, err := o.terms()
	for i := 0; i < len(all) && err == nil; i++ {
		err = indexed.Delete(tx, termKey(tenant, o, all[i]))
	}
	return errors.Join(err, orders.Delete(tx, fsm.K(tenant, side(o.dead()), o.Number)))
}

func termKey(tenant fsm.UID, o *Object, t term) fsm.Key {
	return fsm.K(tenant, side(o.dead()), t[:], o.Number)
}
