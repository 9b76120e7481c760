package managedkey

import (
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// access reads and writes the attribute's place in an object. Writers get objects that are their own.
type access interface {
	list(o *Object, now fsm.Time) []Instance
	// add puts another value in, set one in the place of the instance at an index, remove takes one out.
	add(o *Object, v any) (index uint32, err error)
	set(o *Object, index uint32, v any) error
	remove(o *Object, index uint32)
	zero() any
}

// typed converts a value to the type that an attribute has.
func typed[T any](v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, invalid("value", "is a %T, not a %T", v, t)
	}
	return t, nil
}

// single is an attribute with one value; the zero value stands for none.
type single[T any] struct {
	at     func(*Object) *T
	check  func(T) error // nil: any will do
	always bool          // the zero value is one
}

func (s single[T]) list(o *Object, _ fsm.Time) []Instance {
	v := *s.at(o)
	if !s.always && reflect.ValueOf(&v).Elem().IsZero() {
		return nil
	}
	return []Instance{{Value: v}}
}

func (s single[T]) add(o *Object, v any) (uint32, error) { return 0, s.set(o, 0, v) }

func (s single[T]) set(o *Object, _ uint32, v any) error {
	t, err := typed[T](v)
	if err == nil && s.check != nil {
		err = s.check(t)
	}
	if err == nil {
		*s.at(o) = t
	}
	return err
}

func (s single[T]) remove(o *Object, _ uint32) {
	var none T
	*s.at(o) = none
}

func (s single[T]) zero() any {
	var none T
	return none
}

// pointed is an attribute with one value that is nil when there is none.
type pointed[T any] struct {
	at    func(*Object) **T
	check func(T) error
}

func (p pointed[T]) list(o *Object, _ fsm.Time) []Instance {
	if v := *p.at(o); v != nil {
		return []Instance{{Value: *v}}
	}
	return nil
}

func (p pointed[T]) add(o *Object, v any) (uint32, error) { return 0, p.set(o, 0, v) }

func (p pointed[T]) set(o *Object, _ uint32, v any) error {
	t, err := typed[T](v)
	if err == nil && p.check != nil {
		err = p.check(t)
	}
	if err == nil {
		*p.at(o) = &t
	}
	return err
}

func (p pointed[T]) remove(o *Object, _ uint32) { *p.at(o) = nil }

func (p pointed[T]) zero() any {
	var none T
	return none
}

// several is an attribute with instances.
type several[T any] struct {
	at    func(*Object) *Many[T]
	most  int
	check func(T) error
}

func (s several[T]) list(o *Object, _ fsm.Time) (out []Instance) {
	for _, v := range *s.at(o) {
		out = append(out, Instance{Index: v.Index, Value: v.Value})
	}
	return out
}

func (s several[T]) value(o *Object, v any) (T, error) {
	t, err := typed[T](v)
	if err == nil && s.check != nil {
		err = s.check(t)
	}
	return t, err
}

func (s several[T]) add(o *Object, v any) (uint32, error) {
	t, err := s.value(o, v)
	if err != nil {
		return 0, err
	}
	all := s.at(o)
	if len(*all) >= s.most {
		return 0, refuse(ReasonLimitReached, fault.New(fault.Limit, "object %s has %d values of the attribute, the most it may", o.ID, len(*all)))
	}
	*all = all.with(t)
	return (*all)[len(*all)-1].Index, nil
}

func (s several[T]) set(o *Object, index uint32, v any) error {
	t, err := s.value(o, v)
	if err != nil {
		return err
	}
	all := slices.Clone(*s.at(o))
	all[all.at(index)].Value = t
	*s.at(o) = all
	return nil
}

func (s several[T]) remove(o *Object, index uint32) {
	*s.at(o) = slices.DeleteFunc(slices.Clone(*s.at(o)), func(i Indexed[T]) bool { return i.Index == index })
	if len(*s.at(o)) == 0 {
		*s.at(o) = nil
	}
}

func (s several[T]) zero() any {
	var none T
	return none
}

// shown is an attribute that nobody sets: it follows from the object.
type shown[T any] func(o *Object, now fsm.Time) []T

func (s shown[T]) list(o *Object, now fsm.Time) (out []Instance) {
	for i, v := range s(o, now) {
		out = append(out, Instance{Index: uint32(i), Value: v})
	}
	return out
}

func (s shown[T]) add(*Object, any) (uint32, error) { return 0, readOnly("it") }
func (s shown[T]) set(*Object, uint32, any) error   { return readOnly("it") }
func (s shown[T]) remove(*Object, uint32)           {}
func (s shown[T]) zero() any {
	var none T
	return none
}
