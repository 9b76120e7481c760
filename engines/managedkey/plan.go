package managedkey

import (
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// plan is a search with its conditions worked out.
type plan struct {
	Query
	s     *Stage
	tests []func(*Object) bool
	id    string
	term  *term
	group string
}

func (s *Stage) plan(q Query) (*plan, error) {
	p := &plan{Query: q, s: s}
	if len(q.Match) > MaxTerms {
		return nil, refuse(ReasonLimitReached, fault.New(fault.Limit, "a search has %d conditions at most", MaxTerms))
	}
	if q.Offset < 0 || q.Max < 0 {
		return nil, invalid("maximum items", "is not negative, nor is the offset")
	}
	if p.Max == 0 || p.Max > MaxLocate {
		p.Max = MaxLocate
	}
	for i, m := range q.Match {
		if err := p.condition(i, m); err != nil {
			return nil, err
		}
	}
	if p.Storage == 0 {
		p.Storage = Online | p.destroyed()
	}
	return p, p.member()
}

// destroyed is DestroyedToo when the search is for a state that only what was destroyed has: before KMIP 2.0 no bit of the mask says so.
func (p *plan) destroyed() StorageMask {
	if slices.ContainsFunc(p.Match, func(v Value) bool { return v.Value == Destroyed || v.Value == DestroyedCompromised }) {
		return DestroyedToo
	}
	return 0
}

// condition works out one condition, and takes note of an index that answers it.
func (p *plan) condition(i int, m Value) error {
	r, err := lookup(m.Attribute)
	if err != nil {
		return err
	}
	if zero := r.zero(); reflect.TypeOf(m.Value) != reflect.TypeOf(zero) {
		return invalid(string(m.Attribute), "is a %T, not a %T", zero, m.Value)
	}
	switch v := m.Value.(type) {
	case fsm.Time:
		p.tests = append(p.tests, p.date(i, r, v))
		return nil
	case string:
		if m.Attribute == AttrUniqueID {
			p.id = v
		}
		if m.Attribute == AttrGroup {
			p.group = v
		}
	}
	t, indexed, err := termOf(m.Attribute, m.Value)
	if err == nil && indexed && (p.term == nil || m.Attribute != AttrGroup) {
		p.term = &t
	}
	p.tests = append(p.tests, func(o *Object) bool { return meets(o, r, m.Value, p.s.now) })
	return err
}

// date is the condition on a date, with its other end if there is one.
func (p *plan) date(i int, r Rule, at fsm.Time) func(*Object) bool {
	from, to := at, at
	for j, m := range p.Match {
		if other, date := m.Value.(fsm.Time); date && j != i && m.Attribute == r.Attribute {
			from, to = min(from, other), max(to, other)
		}
	}
	return func(o *Object) bool {
		all := r.list(o, p.s.now)
		if len(all) == 0 || !r.applies(o.Type) {
			return false
		}
		has := all[0].Value.(fsm.Time)
		return from <= has && has <= to
	}
}

// member adds what the search wants of the members of a group.
func (p *plan) member() error {
	switch {
	case p.Member == 0:
		return nil
	case p.group == "":
		return invalid("object group member", "takes an object group")
	case p.Member == MemberFresh:
		p.tests = append(p.tests, func(o *Object) bool { return o.Attributes.Fresh })
	case p.Member != MemberDefault:
		return invalid("object group member", "is none that KMIP has")
	}
	return nil
}

func meets(o *Object, r Rule, want any, now fsm.Time) bool {
	if !r.applies(o.Type) {
		return false
	}
	switch want := want.(type) {
	case UsageMask:
		return o.Attributes.Usage&want == want
	case bool:
		if r.Attribute == AttrPresent {
			return o.Present == want
		}
	}
	return slices.ContainsFunc(r.list(o, now), func(i Instance) bool { return covers(i.Value, want) })
}

// covers reports whether a value has everything that is wanted of it: the fields of a structure that are not zero.
func covers(has, want any) bool {
	h, w := reflect.ValueOf(has), reflect.ValueOf(want)
	if _, custom := want.(Field); custom || w.Kind() != reflect.Struct {
		return reflect.DeepEqual(has, want)
	}
	for i := range w.NumField() {
		if !w.Field(i).IsZero() && !reflect.DeepEqual(h.Field(i).Interface(), w.Field(i).Interface()) {
			return false
		}
	}
	return true
}

// holds reports whether an object is one that the search is for.
func (p *plan) holds(o *Object) bool {
	status := Online
	switch {
	case o.dead():
		status = DestroyedToo
	case o.Archived():
		status = Archived
	}
	if p.Storage&status == 0 {
		return false
	}
	for _, test := range p.tests {
		if !test(o) {
			return false
		}
	}
	return p.Visible == nil || p.Visible(o)
}
