package managedkey

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/trstctl/trstctl/fsm"
)

// term is a condition that an index answers: the hash of an attribute and its value.
type term [16]byte

// termOf returns the term of an attribute's value; none when no index has it: of other attributes, and of a value that is given in part.
func termOf(a Attribute, v any) (t term, indexed bool, err error) {
	switch v := v.(type) {
	case Name:
		return asTerm(string(a), strconv.FormatUint(uint64(v.Type), 10), v.Value), v.Type != 0 && v.Value != "", nil
	case AltName:
		return asTerm(string(a), strconv.FormatUint(uint64(v.Type), 10), v.Value), v.Type != 0 && v.Value != "", nil
	case Application:
		return asTerm(string(a), v.Namespace, v.Data), v.Namespace != "" && v.Data != "", nil
	case Link:
		return asTerm(string(a), strconv.FormatUint(uint64(v.Type), 10), v.Target), v.Type != 0 && v.Target != "", nil
	case string:
		return asTerm(string(a), v), a == AttrGroup, nil
	case Field:
		b, err := fsm.Encode(v)
		return asTerm(string(a), string(b)), v.Kind != Structure, err
	}
	return t, false, nil
}

func asTerm(parts ...string) term { return term(hash(parts...)) }

// terms returns what the index has of an object, in order.
func (o *Object) terms() ([]term, error) {
	var all []term
	add := func(a Attribute, v any) error {
		t, indexed, err := termOf(a, v)
		if indexed {
			all = append(all, t)
		}
		return err
	}
	for _, a := range []Attribute{AttrName, AttrAltName, AttrApplication, AttrLink, AttrGroup} {
		for _, i := range o.attribute(a, 0) {
			if err := add(a, i.Value); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range o.Attributes.Custom {
		for _, f := range c.Values {
			if err := add(Attribute(c.Name), f.Value); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(all, func(a, b term) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all), nil
}
