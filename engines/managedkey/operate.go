package managedkey

import "github.com/trstctl/trstctl/fsm"

// change carries out an operation on one object: decide looks at it and changes it, or refuses.
func (s *Stage) change(id string, decide func(*Object) error) error {
	return s.do(func() error {
		o, err := s.object(id)
		if err != nil {
			return err
		}
		if err := decide(&o); err != nil {
			return err
		}
		return s.put(o)
	})
}

// Activate makes an object active from now on (KMIP 1.4 section 4.19).
func (s *Stage) Activate(id string) error {
	return s.change(id, func(o *Object) error {
		if err := decideActivate(o, s.now); err != nil {
			return err
		}
		o.Dates.Activation = s.date()
		return o.Dates.check()
	})
}

// Revoke makes an object compromised or deactivated, as the reason says (section 4.20). occurrence is when a compromise is believed to have happened, at the
// object's initial date when it is 0; it says nothing of other reasons.
func (s *Stage) Revoke(id string, why Revocation, occurrence fsm.Time) error {
	if why.Message != "" {
		if err := checkText("revocation message", why.Message, MaxText); err != nil {
			return err
		}
	}
	return s.change(id, func(o *Object) error {
		if err := decideRevoke(o, s.now, why); err != nil {
			return err
		}
		o.Attributes.Revocation = &why
		if !why.Code.compromise() {
			o.Dates.Deactivation = s.date()
			return nil
		}
		if occurrence > s.now {
			return invalid("compromise occurrence date", "lies in the future")
		}
		if o.Dates.Compromise, o.Dates.Occurrence = s.date(), occurrence; occurrence == 0 {
			o.Dates.Occurrence = o.Dates.Initial
		}
		return nil
	})
}

// Destroy ends the material of an object and lets its names be taken again; its attributes stay (section 4.21).
func (s *Stage) Destroy(id string) error {
	return s.do(func() error {
		o, err := s.object(id)
		if err != nil {
			return err
		}
		if err := decideDestroy(&o, s.now); err != nil {
			return err
		}
		o.Dates.Destroy, o.Dates.LastChange, o.Present = s.date(), s.date(), false
		if err := s.rename(&o); err != nil {
			return err
		}
		s.over.objects[id] = &o
		delete(s.over.materials, id)
		s.emit(ObjectDestroyed{o})
		return nil
	})
}

// Archive puts an object where it cannot be used (section 4.22). All states but the destroyed may be archived.
func (s *Stage) Archive(id string) error {
	return s.change(id, func(o *Object) error {
		if err := decideOnline(o); err != nil {
			return err
		}
		o.Dates.Archive = s.date()
		return nil
	})
}

// Recover brings an object back from the archive (section 4.23).
func (s *Stage) Recover(id string) error {
	return s.change(id, func(o *Object) error {
		if err := decideRecover(o); err != nil {
			return err
		}
		o.Dates.Archive = 0
		return nil
	})
}
