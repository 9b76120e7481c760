package managedkey

import (
	"regexp"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Attribute names an attribute as KMIP 1.x does, "Cryptographic Length", or a custom attribute, "x-Purpose".
type Attribute string

// Custom returns the attribute that a vendor made up (KMIP 2.1 section 4.16). KMIP 1.x has the vendor "x" for clients.
func Custom(vendor, name string) Attribute { return Attribute(vendor + "-" + name) }

// customName is a vendor's identification, a dash and a name.
var customName = regexp.MustCompile(`^[A-Za-z0-9_.]{1,64}-.+$`)

// Instance is one value of an attribute of an object. The Go type of the value is the one that Rules shows.
type Instance struct {
	Attribute Attribute
	Index     uint32
	Value     any
}

// Rule is a row of the table of attributes (KMIP 1.4 section 3, the table under each attribute).
type Rule struct {
	Attribute Attribute
	Since     int     // the version of KMIP that it came with, 14 for 1.4; its meaning here is the latest
	Until     int     // the last version that has it; 0: all have
	Many      bool    // several instances
	Create    bool    // a client may set it when an object is made or registered
	Modify    bool    // a client may add or change it later
	Delete    bool    // a client may delete it
	States    []State // in which it may be added or changed; nil: in all but the destroyed
	Types     []ObjectType
	By        []Operation // that set or change it by themselves
	access
}

// lookup returns the rule for an attribute.
func lookup(a Attribute) (Rule, error) {
	if i, found := slices.BinarySearchFunc(byName, a, func(i int, a Attribute) int { return strings.Compare(string(rules[i].Attribute), string(a)) }); found {
		return rules[byName[i]], nil
	}
	if len(a) > MaxCustomName || !customName.MatchString(string(a)) {
		return Rule{}, refuse(ReasonUnknownAttribute, fault.Bad("attribute", "there is no such attribute, and a custom one is named \"x-\" and something"))
	}
	return customRule(a), nil
}

// byName are the indexes of rules by name.
var byName = func() []int {
	out := make([]int, len(rules))
	for i := range out {
		out[i] = i
	}
	slices.SortFunc(out, func(a, b int) int { return strings.Compare(string(rules[a].Attribute), string(rules[b].Attribute)) })
	return out
}()

// Rules returns the table of attributes, in the order of KMIP 1.4 section 3, with a zero value of each one's Go type.
func Rules() (all []Rule, zero []any) {
	for _, r := range rules {
		zero = append(zero, r.zero())
	}
	return slices.Clone(rules), zero
}

// applies reports whether objects of a type have the attribute.
func (r Rule) applies(t ObjectType) bool { return r.Types == nil || slices.Contains(r.Types, t) }

func (r Rule) in(s State) bool { return r.States == nil || slices.Contains(r.States, s) }

// attributes lists all attributes of an object that have a value, in the order of Rules, the custom ones last by name.
func (o *Object) attributes(now fsm.Time) (out []Instance) {
	for _, r := range rules {
		if r.applies(o.Type) {
			out = append(out, named(r.Attribute, r.list(o, now))...)
		}
	}
	for _, c := range o.Attributes.Custom {
		out = append(out, named(Attribute(c.Name), customRule(Attribute(c.Name)).list(o, now))...)
	}
	return out
}

// attribute lists the instances of one attribute; an attribute that is unknown, or that the type has not, has none.
func (o *Object) attribute(a Attribute, now fsm.Time) []Instance {
	r, err := lookup(a)
	if err != nil || !r.applies(o.Type) {
		return nil
	}
	return named(a, r.list(o, now))
}

func named(a Attribute, all []Instance) []Instance {
	for i := range all {
		all[i].Attribute = a
	}
	return all
}

func invalid(field, format string, args ...any) error {
	return refuse(ReasonInvalidValue, fault.Bad(field, format, args...))
}

func readOnly(a Attribute) error {
	return refuse(ReasonReadOnly, fault.New(fault.Denied, "attribute %q is not the client's to set", a))
}
