package managedkey

import (
	"fmt"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Object returns an object with its attributes, whatever its state; its names and the like must not be changed.
func (s *Stage) Object(id string) (Object, error) { return s.object(id) }

// Attributes returns all attributes of an object that have a value, in the order of Rules, custom ones last (KMIP 1.4 section 4.12). Destroyed and
// archived objects have theirs. A digest that is not kept is made from the material, as long as that is there.
func (s *Stage) Attributes(id string) ([]Instance, error) {
	o, err := s.object(id)
	if err == nil {
		err = s.digest(&o)
	}
	if err != nil {
		return nil, err
	}
	return o.attributes(s.now), nil
}

// Attribute returns the instances of one attribute, none when the object has none or its type cannot have it.
func (s *Stage) Attribute(id string, a Attribute) ([]Instance, error) {
	o, err := s.object(id)
	if err == nil && a == AttrDigest {
		err = s.digest(&o)
	}
	if err != nil {
		return nil, err
	}
	return o.attribute(a, s.now), nil
}

// digest fills in the digest of material whose digest is not kept, because it would let who reads a disk try out passwords.
func (s *Stage) digest(o *Object) error {
	if !o.Present || len(o.Key.Digests) > 0 || !slices.Contains(living, o.Type) {
		return nil
	}
	plain, err := s.open(o)
	if err != nil {
		return err
	}
	defer clear(plain)
	o.Key.Digests = []Digest{digestOf(o, plain)}
	return nil
}

// Get returns an object that is to be given to the client, and notes that it is not fresh any more (section 4.11). Its material comes from Material.
func (s *Stage) Get(id string) (o Object, err error) {
	err = s.do(func() error {
		if o, err = s.object(id); err != nil {
			return err
		}
		if err := decideOnline(&o); err != nil || !o.Attributes.Fresh {
			return err
		}
		o.Attributes.Fresh = false
		if err := s.put(o); err != nil {
			return err
		}
		o = *s.over.objects[id]
		return nil
	})
	return o, err
}

// Material returns the material of an object for the client, which must wipe it. wrapped says that it leaves wrapped by another key.
func (s *Stage) Material(id string, wrapped bool) ([]byte, error) {
	o, err := s.object(id)
	if err == nil {
		err = decideOnline(&o)
	}
	if err != nil {
		return nil, err
	}
	secret := slices.Contains(described, o.Type) && o.Type != PublicKey && o.Type != Certificate
	switch {
	case !o.Present:
		return nil, notPresent(&o)
	case secret && !o.Attributes.Extractable:
		return nil, refuse(ReasonNotExtractable, fault.New(fault.Denied, "object %s is not extractable", id))
	case secret && o.Attributes.Sensitive && !wrapped:
		return nil, refuse(ReasonSensitiveKey, fault.New(fault.Denied, "object %s is sensitive: it leaves wrapped by another key", id))
	}
	return s.open(&o)
}

// open returns the material of an object that has some.
func (s *Stage) open(o *Object) ([]byte, error) {
	sealed, here := s.over.materials[o.ID]
	if !here {
		row, found, err := materials.Get(s.r, fsm.K(s.tenant, o.ID))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fault.New(fault.Corrupt, "managed object %s has lost its material", o.ID)
		}
		sealed = row.Sealed
	}
	plain, err := s.keys.Open(s.r, binding(s.tenant, o.ID), sealed)
	if err != nil {
		return nil, fmt.Errorf("open managed object %s: %w", o.ID, err)
	}
	return plain, nil
}

// Use returns the material of an object for a cryptographic operation inside this process, which must wipe it, if Permits lets it be used so. What
// protects takes from the usage limits, if there are any: u.Length bytes, or one object.
func (s *Stage) Use(id string, u Use) (o Object, plain []byte, err error) {
	err = s.do(func() error {
		if o, err = s.object(id); err != nil {
			return err
		}
		if err := o.Permits(u, s.now); err != nil {
			return err
		}
		if l := o.Attributes.Limits; l != nil && u.As&protecting != 0 {
			amount := u.Length
			if l.Unit == ObjectUnit {
				amount = 1
			}
			if err := s.spend(o, amount); err != nil {
				return err
			}
			o = *s.over.objects[id]
		}
		plain, err = s.open(&o)
		return err
	})
	if err != nil {
		clear(plain)
		return Object{}, nil, err
	}
	return o, plain, nil
}

// Allocate takes from the usage limits of an object for a client that protects with it by itself (section 4.18).
func (s *Stage) Allocate(id string, amount int64) error {
	return s.do(func() error {
		o, err := s.object(id)
		if err == nil {
			err = decideOnline(&o)
		}
		if err != nil {
			return err
		}
		state := o.StateAt(s.now)
		switch {
		case o.Attributes.Limits == nil:
			return attributeNotFound(&o, AttrLimits)
		case state != Active || o.Dates.ProtectStop != 0 && o.Dates.ProtectStop <= s.now:
			return wrongState(&o, state, "it protects nothing now")
		case amount <= 0:
			return invalid("usage limits count", "is 1 or more")
		}
		return s.spend(o, amount)
	})
}

func (s *Stage) spend(o Object, amount int64) error {
	if amount < 0 {
		return invalid("usage limits count", "is not negative")
	}
	if left := o.Attributes.Limits.Count; amount > left {
		return refuse(ReasonUsageExceeded, fault.New(fault.Denied, "the usage limits of object %s leave %d", o.ID, left))
	}
	if amount == 0 {
		return nil
	}
	o.take(amount, s.date())
	s.over.objects[o.ID] = &o
	s.emit(UsageTaken{o.ID, amount, s.date()})
	return nil
}

// Ask is what a client wants to know it may do; nil and 0 ask nothing.
type Ask struct {
	Count *int64    // to be taken from the usage limits
	As    UsageMask // bits that are all needed
	Lease uint32    // seconds
}

// Check tells whether an object may be used in a way, by its usage limits, its usage mask and its lease time, without taking anything (section 4.10). What
// comes back has what would be refused, with the most that is allowed instead; nothing when all is allowed.
func (s *Stage) Check(id string, a Ask) (refused Ask, err error) {
	o, err := s.object(id)
	if err == nil {
		err = decideOnline(&o)
	}
	if err != nil {
		return Ask{}, err
	}
	if l := o.Attributes.Limits; l != nil && a.Count != nil && *a.Count > l.Count {
		left := l.Count
		refused.Count = &left
	}
	if o.Attributes.Usage&UseUnrestricted == 0 && o.Attributes.Usage&a.As != a.As {
		refused.As = o.Attributes.Usage
	}
	if a.Lease > o.Attributes.Lease {
		refused.Lease = o.Attributes.Lease
	}
	return refused, nil
}

// ObtainLease returns for how many seconds a client may use an object without asking again, and when the object last changed (section 4.17). What is
// not to be used any more gets no lease.
func (s *Stage) ObtainLease(id string) (seconds uint32, lastChange fsm.Time, err error) {
	o, err := s.object(id)
	if err == nil {
		err = decideOnline(&o)
	}
	if err != nil {
		return 0, 0, err
	}
	if state := o.StateAt(s.now); state != PreActive && state != Active {
		return 0, 0, wrongState(&o, state, "there is no lease of it")
	}
	return o.Attributes.Lease, o.Dates.LastChange, nil
}
