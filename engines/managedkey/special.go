package managedkey

import (
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// dated is an attribute that is a moment.
type dated func(*Object) *fsm.Time

func (d dated) list(o *Object, _ fsm.Time) []Instance {
	if at := *d(o); at != 0 {
		return []Instance{{Value: at}}
	}
	return nil
}

func (d dated) add(o *Object, v any) (uint32, error) { return 0, d.set(o, 0, v) }

// set keeps 1970-01-01 as its first nanosecond: clients send that date to say "from ever", and 0 stands for no date.
func (d dated) set(o *Object, _ uint32, v any) error {
	at, err := typed[fsm.Time](v)
	if at == 0 {
		at = 1
	}
	if err == nil {
		*d(o) = at
	}
	return err
}

func (d dated) remove(o *Object, _ uint32) { *d(o) = 0 }
func (d dated) zero() any                  { return fsm.Time(0) }

// limits are usage limits: a client gives total and unit, and may change them as long as nothing was taken (section 3.21).
type limits struct{}

func (limits) list(o *Object, _ fsm.Time) []Instance {
	if o.Attributes.Limits == nil {
		return nil
	}
	return []Instance{{Value: *o.Attributes.Limits}}
}

func (l limits) add(o *Object, v any) (uint32, error) { return 0, l.set(o, 0, v) }

func (limits) set(o *Object, _ uint32, v any) error {
	u, err := typed[UsageLimits](v)
	switch {
	case err != nil:
		return err
	case u.Total < 0 || u.Unit != ByteUnit && u.Unit != ObjectUnit:
		return invalid("usage limits", "have a total of 0 or more, of bytes or of objects")
	case o.used():
		return refuse(ReasonReadOnly, fault.New(fault.Denied, "the usage limits of object %s stand: something was taken from them", o.ID))
	}
	o.Attributes.Limits = &UsageLimits{u.Total, u.Total, u.Unit}
	return nil
}

func (limits) remove(o *Object, _ uint32) { o.Attributes.Limits = nil }
func (limits) zero() any                  { return UsageLimits{} }

// used reports whether something was taken from the usage limits.
func (o *Object) used() bool {
	return o.Attributes.Limits != nil && o.Attributes.Limits.Count < o.Attributes.Limits.Total
}

// sensitive is the attribute of that name; it does not go back.
type sensitive struct{}

func (sensitive) list(o *Object, _ fsm.Time) []Instance {
	return []Instance{{Value: o.Attributes.Sensitive}}
}

func (s sensitive) add(o *Object, v any) (uint32, error) { return 0, s.set(o, 0, v) }

func (sensitive) set(o *Object, _ uint32, v any) error {
	to, err := typed[bool](v)
	if err == nil && o.Attributes.Sensitive && !to {
		err = refuse(ReasonReadOnly, fault.New(fault.Denied, "object %s is sensitive and stays so", o.ID))
	}
	if err == nil {
		o.Attributes.Sensitive = to
	}
	return err
}

func (sensitive) remove(*Object, uint32) {}
func (sensitive) zero() any              { return false }

// extractable is the attribute of that name; it does not come back.
type extractable struct{}

func (extractable) list(o *Object, _ fsm.Time) []Instance {
	return []Instance{{Value: o.Attributes.Extractable}}
}

func (e extractable) add(o *Object, v any) (uint32, error) { return 0, e.set(o, 0, v) }

func (extractable) set(o *Object, _ uint32, v any) error {
	to, err := typed[bool](v)
	if err == nil && !o.Attributes.Extractable && to {
		err = refuse(ReasonReadOnly, fault.New(fault.Denied, "object %s is not extractable and stays so", o.ID))
	}
	if err == nil {
		o.Attributes.Extractable = to
		o.Attributes.NeverExtractable = o.Attributes.NeverExtractable && !to
	}
	return err
}

func (extractable) remove(*Object, uint32) {}
func (extractable) zero() any              { return true }

// customAccess reads and writes the values of a custom attribute.
type customAccess struct{ name string }

func customRule(a Attribute) Rule {
	mine := !strings.HasPrefix(string(a), "y-") // which KMIP 1.x reserves for servers
	return Rule{Attribute: a, Since: 10, Many: true, Create: mine, Modify: mine, Delete: mine, By: making, access: customAccess{string(a)}}
}

func (c customAccess) find(o *Object) (int, bool) {
	return slices.BinarySearchFunc(o.Attributes.Custom, c.name, func(a CustomAttribute, name string) int {
		switch {
		case a.Name < name:
			return -1
		case a.Name > name:
			return 1
		}
		return 0
	})
}

func (c customAccess) list(o *Object, _ fsm.Time) (out []Instance) {
	if i, found := c.find(o); found {
		for _, v := range o.Attributes.Custom[i].Values {
			out = append(out, Instance{Index: v.Index, Value: v.Value})
		}
	}
	return out
}

func (c customAccess) value(v any) (Field, error) {
	f, err := typed[Field](v)
	if err == nil {
		err = f.check("custom attribute")
	}
	return f, err
}

func (c customAccess) add(o *Object, v any) (uint32, error) {
	f, err := c.value(v)
	if err != nil {
		return 0, err
	}
	if count := customValues(o); count >= MaxCustom {
		return 0, refuse(ReasonLimitReached, fault.New(fault.Limit, "object %s has %d values of custom attributes, the most it may", o.ID, count))
	}
	all := slices.Clone(o.Attributes.Custom)
	i, found := c.find(o)
	if !found {
		all = slices.Insert(all, i, CustomAttribute{Name: c.name})
	}
	index := all[i].Values.next()
	all[i].Values = all[i].Values.with(f)
	o.Attributes.Custom = all
	return index, nil
}

func customValues(o *Object) (count int) {
	for _, a := range o.Attributes.Custom {
		count += len(a.Values)
	}
	return count
}

func (c customAccess) set(o *Object, index uint32, v any) error {
	f, err := c.value(v)
	if err != nil {
		return err
	}
	c.change(o, func(m Many[Field]) Many[Field] {
		m[m.at(index)].Value = f
		return m
	})
	return nil
}

func (c customAccess) remove(o *Object, index uint32) {
	c.change(o, func(m Many[Field]) Many[Field] {
		return slices.DeleteFunc(m, func(i Indexed[Field]) bool { return i.Index == index })
	})
}

// change replaces the values of the attribute, which is there, by what f makes of a copy of them.
func (c customAccess) change(o *Object, f func(Many[Field]) Many[Field]) {
	i, _ := c.find(o)
	all := slices.Clone(o.Attributes.Custom)
	if all[i].Values = f(slices.Clone(all[i].Values)); len(all[i].Values) == 0 {
		all = slices.Delete(all, i, i+1)
	}
	if len(all) == 0 {
		all = nil
	}
	o.Attributes.Custom = all
}

func (c customAccess) zero() any { return Field{} }
