package managedkey

import (
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// AddAttribute gives an object another value of an attribute, and returns it as it is kept (KMIP 1.4 section 4.14).
func (s *Stage) AddAttribute(id string, a Attribute, v any) (Instance, error) {
	return s.edit(id, a, func(o *Object, r Rule) (uint32, error) {
		if !r.Many && len(r.list(o, s.now)) > 0 {
			return 0, singleValued(a)
		}
		return r.add(o, v)
	})
}

// ModifyAttribute puts a value in the place of the instance at an index, 0 for attributes with one, and returns it as it is kept (section 4.15).
func (s *Stage) ModifyAttribute(id string, a Attribute, index uint32, v any) (Instance, error) {
	return s.edit(id, a, func(o *Object, r Rule) (uint32, error) {
		if _, err := instance(o, r, index, s.now); err != nil {
			return 0, err
		}
		return index, r.set(o, index, v)
	})
}

// ModifyValue puts a value in the place of the instance that has another, as KMIP 2.x does, which knows no indexes (KMIP 2.1 section 6.1.33).
func (s *Stage) ModifyValue(id string, a Attribute, current, v any) (Instance, error) {
	return s.edit(id, a, func(o *Object, r Rule) (uint32, error) {
		index, err := indexOf(o, r, current, s.now)
		if err != nil {
			return 0, err
		}
		return index, r.set(o, index, v)
	})
}

// SetAttribute sets the value of an attribute that has one, whether or not it had (KMIP 2.1 section 6.1.56).
func (s *Stage) SetAttribute(id string, a Attribute, v any) (Instance, error) {
	return s.edit(id, a, func(o *Object, r Rule) (uint32, error) {
		if r.Many {
			return 0, refuse(ReasonMultiValued, fault.Bad("attribute", "%q has several values: add one, or change one", a))
		}
		return 0, r.set(o, 0, v)
	})
}

// DeleteAttribute takes the instance at an index away, and returns it as it was (KMIP 1.4 section 4.16). The others keep their indexes.
func (s *Stage) DeleteAttribute(id string, a Attribute, index uint32) (gone Instance, err error) {
	return gone, s.remove(id, a, func(o *Object, r Rule) ([]Instance, error) {
		gone, err = instance(o, r, index, s.now)
		return []Instance{gone}, err
	})
}

// DeleteValue takes the instance away that has a value, DeleteAll every instance (KMIP 2.1 section 6.1.12).
func (s *Stage) DeleteValue(id string, a Attribute, current any) error {
	return s.remove(id, a, func(o *Object, r Rule) ([]Instance, error) {
		index, err := indexOf(o, r, current, s.now)
		return []Instance{{Attribute: a, Index: index}}, err
	})
}

// DeleteAll takes every instance of an attribute away.
func (s *Stage) DeleteAll(id string, a Attribute) error {
	return s.remove(id, a, func(o *Object, r Rule) ([]Instance, error) {
		if all := r.list(o, s.now); len(all) > 0 {
			return all, nil
		}
		return nil, attributeNotFound(o, r.Attribute)
	})
}

// edit carries out a change of an attribute: f returns the index of the instance that it made or changed.
func (s *Stage) edit(id string, a Attribute, f func(*Object, Rule) (uint32, error)) (out Instance, err error) {
	err = s.change(id, func(o *Object) error {
		r, err := lookup(a)
		if err == nil {
			err = r.decideEdit(o, r.Modify, s.now)
		}
		if err != nil {
			return err
		}
		index, err := f(o, r)
		if err != nil {
			return err
		}
		if _, date := r.access.(dated); date {
			if err := o.Dates.check(); err != nil {
				return err
			}
		}
		out, err = instance(o, r, index, s.now)
		return err
	})
	return out, err
}

func (s *Stage) remove(id string, a Attribute, which func(*Object, Rule) ([]Instance, error)) error {
	return s.change(id, func(o *Object) error {
		r, err := lookup(a)
		if err == nil {
			err = r.decideEdit(o, r.Delete, s.now)
		}
		if err != nil {
			return err
		}
		if r.Attribute == AttrLimits && o.used() {
			return readOnly(a)
		}
		all, err := which(o, r)
		for i := 0; i < len(all) && err == nil; i++ {
			r.remove(o, all[i].Index)
		}
		return err
	})
}

// decideEdit lets a client change an attribute of an object, if the table lets it: allowed is what the table says of the kind of change. A date that has
// come stays (KMIP 1.4 sections 3.24 to 3.27).
func (r Rule) decideEdit(o *Object, allowed bool, now fsm.Time) error {
	if err := decideOnline(o); err != nil {
		return err
	}
	state := o.StateAt(now)
	switch {
	case !r.applies(o.Type):
		return foreign(r.Attribute)
	case !allowed:
		return readOnly(r.Attribute)
	case !r.in(state):
		return wrongState(o, state, "the attribute cannot be changed any more")
	}
	if d, date := r.access.(dated); date {
		if at := *d(o); at != 0 && at <= now {
			return wrongState(o, state, "the date has come, and stays")
		}
	}
	return nil
}

// instance returns one instance of an attribute.
func instance(o *Object, r Rule, index uint32, now fsm.Time) (Instance, error) {
	all := r.list(o, now)
	if len(all) == 0 {
		return Instance{}, attributeNotFound(o, r.Attribute)
	}
	i := slices.IndexFunc(all, func(i Instance) bool { return i.Index == index })
	if i < 0 {
		return Instance{}, refuse(ReasonInstanceNotFound, fault.New(fault.NotFound, "object %s has no instance %d of attribute %q", o.ID, index, r.Attribute))
	}
	all[i].Attribute = r.Attribute
	return all[i], nil
}

// indexOf returns the index of the instance that has a value.
func indexOf(o *Object, r Rule, v any, now fsm.Time) (uint32, error) {
	all := r.list(o, now)
	if len(all) == 0 {
		return 0, attributeNotFound(o, r.Attribute)
	}
	i := slices.IndexFunc(all, func(i Instance) bool { return reflect.DeepEqual(i.Value, v) })
	if i < 0 {
		return 0, refuse(ReasonInstanceNotFound, fault.New(fault.NotFound, "object %s has no instance of attribute %q with this value", o.ID, r.Attribute))
	}
	return all[i].Index, nil
}

func attributeNotFound(o *Object, a Attribute) error {
	return refuse(ReasonAttributeNotFound, fault.New(fault.NotFound, "object %s has no attribute %q", o.ID, a))
}
