package managedkey

import (
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// give sets the attributes that a client gave for an object that is being made.
func (o *Object) give(values []Value) error {
	var singles []Attribute
	for _, v := range values {
		r, err := lookup(v.Attribute)
		switch {
		case err != nil:
			return err
		case !r.applies(o.Type):
			return foreign(r.Attribute)
		case !r.Create:
			return readOnly(r.Attribute)
		case !r.Many && slices.Contains(singles, r.Attribute):
			return singleValued(r.Attribute)
		}
		if !r.Many {
			singles = append(singles, r.Attribute)
		}
		if err := o.assign(r, v.Value); err != nil {
			return err
		}
	}
	return o.Dates.check()
}

// assign adds a value to an object that is being made. What the material says of itself a client may repeat and not contradict.
func (o *Object) assign(r Rule, v any) error {
	if r.Attribute == AttrAlgorithm || r.Attribute == AttrLength || r.Attribute == AttrCertType {
		if had := r.list(o, 0); len(had) > 0 && had[0].Value != v {
			return invalid(string(r.Attribute), "is not what the material has")
		}
	}
	_, err := r.add(o, v)
	return err
}

func foreign(a Attribute) error {
	return refuse(ReasonUnknownAttribute, fault.Bad("attribute", "%q is no attribute of objects of this type", a))
}

func singleValued(a Attribute) error {
	return refuse(ReasonSingleValued, fault.Bad("attribute", "%q has one value", a))
}

// remember sets what an import brings.
func (o *Object) remember(p Past, now fsm.Time) error {
	for _, at := range []fsm.Time{p.Initial, p.Compromise, p.Occurrence} {
		if at > now {
			return invalid("date", "of an imported object lies in the future")
		}
	}
	if p.Initial != 0 {
		o.Dates.Initial = p.Initial
	}
	o.Dates.Compromise, o.Dates.Occurrence, o.Attributes.Revocation = p.Compromise, p.Occurrence, p.Revocation
	o.Attributes.AlwaysSensitive = o.Attributes.Sensitive && p.AlwaysSensitive
	o.Attributes.NeverExtractable = o.bound() && p.NeverExtractable
	if u := o.Attributes.Limits; u != nil && p.UsageLeft != nil {
		if *p.UsageLeft < 0 || *p.UsageLeft > u.Total {
			return invalid("usage limits", "have 0 to %d left", u.Total)
		}
		o.Attributes.Limits = &UsageLimits{u.Total, *p.UsageLeft, u.Unit}
	}
	return nil
}
