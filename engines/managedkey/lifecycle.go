package managedkey

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// StateAt returns the state of an object at a moment (KMIP 1.4 section 3.22). Nothing is written when a date comes: the state follows from the dates and from
// what was done, and every node that reads at the same moment sees the same.
func (o *Object) StateAt(now fsm.Time) State {
	d := o.Dates
	switch {
	case d.Destroy != 0 && d.Compromise != 0:
		return DestroyedCompromised
	case d.Destroy != 0:
		return Destroyed
	case d.Compromise != 0:
		return Compromised
	case d.Activation == 0 || d.Activation > now:
		return PreActive
	case d.Deactivation != 0 && d.Deactivation <= now:
		return Deactivated
	default:
		return Active
	}
}

// Archived reports whether the object is in the archive.
func (o *Object) Archived() bool { return o.Dates.Archive != 0 }

// dead reports whether the object was destroyed.
func (o *Object) dead() bool { return o.Dates.Destroy != 0 }

func (c RevocationCode) compromise() bool { return c == KeyCompromise || c == CACompromise }

// decideAlive refuses what takes an object that was not destroyed.
func decideAlive(o *Object) error {
	if o.dead() {
		return refuse(ReasonObjectDestroyed, fault.New(fault.NotFound, "object %s was destroyed", o.ID))
	}
	return nil
}

// decideOnline refuses what takes an object that is neither destroyed nor archived.
func decideOnline(o *Object) error {
	if err := decideAlive(o); err != nil {
		return err
	}
	if o.Archived() {
		return refuse(ReasonObjectArchived, fault.New(fault.Conflict, "object %s is archived: recover it first", o.ID))
	}
	return nil
}

// decideActivate lets an object become active (section 4.19).
func decideActivate(o *Object, now fsm.Time) error {
	if err := decideOnline(o); err != nil {
		return err
	}
	if !o.Type.lifecycle() {
		return refuse(ReasonWrongType, fault.New(fault.Conflict, "object %s is a template: it has no life cycle", o.ID))
	}
	if s := o.StateAt(now); s != PreActive {
		return wrongState(o, s, "only what is pre-active can be activated")
	}
	return nil
}

// decideRevoke lets an object become compromised, or deactivated (section 4.20). A compromise can be told of everything that is not compromised already,
// of what was destroyed too; to stop its use, an object has to be in use.
func decideRevoke(o *Object, now fsm.Time, r Revocation) error {
	if o.Archived() && !o.dead() {
		return decideOnline(o)
	}
	switch s := o.StateAt(now); {
	case !o.Type.lifecycle():
		return refuse(ReasonWrongType, fault.New(fault.Conflict, "object %s is a template: it has no life cycle", o.ID))
	case r.Code < Unspecified:
		return invalid("revocation reason", "has a code")
	case s == Compromised || s == DestroyedCompromised:
		return wrongState(o, s, "it cannot be revoked again")
	case r.Code.compromise():
		return nil
	case s == Destroyed:
		return decideAlive(o)
	case s != Active:
		return wrongState(o, s, "only what is active can be deactivated")
	}
	return nil
}

// decideDestroy lets an object lose its material (section 4.21).
func decideDestroy(o *Object, now fsm.Time) error {
	if err := decideOnline(o); err != nil {
		return err
	}
	if s := o.StateAt(now); s == Active {
		return wrongState(o, s, "revoke it before it is destroyed")
	}
	return nil
}

// decideRecover lets an object come back from the archive (section 4.23).
func decideRecover(o *Object) error {
	if err := decideAlive(o); err != nil {
		return err
	}
	if !o.Archived() {
		return refuse(ReasonWrongState, fault.New(fault.Conflict, "object %s is not archived", o.ID))
	}
	return nil
}

// decideReplace lets another object come in the place of one (sections 4.4, 4.5 and 4.8). That is done once: names move, and a second replacement would
// get none.
func decideReplace(o *Object, shift bool) error {
	if err := decideOnline(o); err != nil {
		return err
	}
	switch {
	case !o.Present && o.Type != Certificate:
		return notPresent(o)
	case shift && o.Dates.Activation == 0 && (o.Dates.ProcessStart != 0 || o.Dates.ProtectStop != 0 || o.Dates.Deactivation != 0):
		return refuse(ReasonWrongState, fault.New(fault.Conflict, "object %s has no activation date: an offset says nothing about its other dates", o.ID))
	}
	return nil
}

func notPresent(o *Object) error {
	return refuse(ReasonNotPresent, fault.New(fault.Conflict, "the value of object %s is not kept on this server", o.ID))
}

// protecting are the uses that an active key alone may have, before its protect stop date; processing is what is left, and may begin at the process start
// date.
const protecting = UseSign | UseEncrypt | UseWrap | UseMACGenerate | UseDerive | UseAgreement | UseSignCert | UseSignCRL

// Use is what somebody wants to do with an object.
type Use struct {
	As UsageMask // one bit, or several that are all needed; 0 asks for no permission of the mask
	// Old says that the caller may process, under keys that are deactivated or compromised, what was protected before: KMIP leaves that to "extraordinary
	// circumstances", and who is trusted with them is the server's to know.
	Old bool
	// Length is how much of a usage limit is taken, in the limit's unit of bytes; of objects it is one.
	Length int64
}

// Permits reports whether an object may be used in a way at a moment: it is there, its state and dates allow it, and so does its usage mask. It is the one
// place where that is decided, and looks at no role and no usage limit.
func (o *Object) Permits(u Use, now fsm.Time) error {
	if err := decideOnline(o); err != nil {
		return err
	}
	s, protects := o.StateAt(now), u.As&protecting != 0
	switch {
	case !o.Present:
		return notPresent(o)
	case s == PreActive, s != Active && protects:
		return wrongState(o, s, "activate it, or use another")
	case s != Active && !u.Old:
		return wrongState(o, s, "it may process what it protected only for who is allowed to")
	case protects && o.Dates.ProtectStop != 0 && o.Dates.ProtectStop <= now:
		return wrongState(o, s, "its protect stop date has come")
	case !protects && o.Dates.ProcessStart > now:
		return wrongState(o, s, "its process start date has not come")
	case o.Attributes.Usage&UseUnrestricted == 0 && o.Attributes.Usage&u.As != u.As:
		return refuse(ReasonMaskRefused, fault.New(fault.Denied, "the cryptographic usage mask of object %s does not allow it", o.ID))
	}
	return nil
}
