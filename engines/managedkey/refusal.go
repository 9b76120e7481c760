package managedkey

import (
	"errors"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Reason says more closely than a fault's kind why an operation was refused. Each has a result reason of KMIP 2.1 (section 11.55) that says the same; KMIP
// 1.4 has fewer, and shows Permission Denied for most.
type Reason uint8

// Reasons.
const (
	NoReason                Reason = iota // the kind of the fault says all
	ReasonObjectNotFound                  // there is none of that id for this tenant
	ReasonObjectDestroyed                 // its attributes are there, its material is not
	ReasonObjectArchived                  // recover it first
	ReasonObjectExists                    // an id that was asked for was given before
	ReasonWrongState                      // of the life cycle
	ReasonWrongType                       // of the object
	ReasonUnknownAttribute                // not one of this package, and no custom attribute's name
	ReasonAttributeNotFound               // the object has no instance of it
	ReasonInstanceNotFound                // it has, and none of that index or value
	ReasonReadOnly                        // the client may not set, change or delete it, or not any more
	ReasonSingleValued                    // it has its one instance already
	ReasonMultiValued                     // say which instance
	ReasonInvalidValue                    // of an attribute
	ReasonNameTaken                       // by another object of the tenant
	ReasonUsageExceeded                   // the usage limits allow less
	ReasonMaskRefused                     // the usage mask does not allow it
	ReasonNotPresent                      // the key value is not on this server
	ReasonSensitiveKey                    // it leaves wrapped or not at all
	ReasonNotExtractable                  // it does not leave
	ReasonLimitReached                    // a count or size of this package
	ReasonReplaced                        // it was re-keyed, and its replacement lives
)

// Refusal is a refusal with its reason. It wraps the fault that says what a caller can do about it.
type Refusal struct {
	Reason Reason
	fault  *fault.Error
}

// Error implements error.
func (r *Refusal) Error() string { return r.fault.Error() }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return r.fault }

// ReasonOf returns the reason in err's chain, NoReason if there is none.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Reason
	}
	return NoReason
}

func refuse(r Reason, f *fault.Error) error { return &Refusal{r, f} }

// notFound is the answer for ids that nothing has, that another tenant has, and that are no ids: they cannot be told apart.
func notFound(id string) error {
	if checkID(id) != nil {
		return refuse(ReasonObjectNotFound, fault.New(fault.NotFound, "there is no such managed object"))
	}
	return refuse(ReasonObjectNotFound, fault.New(fault.NotFound, "there is no managed object %s", id))
}

func wrongState(o *Object, s State, what string) error {
	return refuse(ReasonWrongState, fault.New(fault.Conflict, "object %s is %s: %s", o.ID, s, what))
}

// String returns the state's name as KMIP has it, in lower case.
func (s State) String() string {
	names := [...]string{"of no state", "pre-active", "active", "deactivated", "compromised", "destroyed", "destroyed and compromised"}
	if int(s) >= len(names) {
		s = 0
	}
	return names[s]
}
