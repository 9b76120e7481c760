package fsm

import (
	"fmt"
	"slices"
)

// Registry knows how each type of event is applied. It is filled at start, by each feature, and read-only afterwards.
type Registry struct {
	apply map[string]func(*Tx, Meta, []byte) error
	zero  []Event
}

// NewRegistry lets each feature register its events.
func NewRegistry(features ...func(*Registry)) *Registry {
	r := &Registry{apply: map[string]func(*Tx, Meta, []byte) error{}}
	for _, f := range features {
		f(r)
	}
	return r
}

// On registers how events of type E are applied. A second registration of a type is a defect and panics at start.
func On[E Event](r *Registry, apply func(*Tx, Meta, E) error) {
	var zero E
	name := zero.EventType()
	if _, taken := r.apply[name]; taken {
		panic("fsm.On: event " + name + " is registered twice")
	}
	r.zero = append(r.zero, zero)
	r.apply[name] = func(tx *Tx, m Meta, data []byte) error {
		var e E
		if err := Decode(data, &e); err != nil {
			return fmt.Errorf("decode %s: %w", name, err)
		}
		return apply(tx, m, e)
	}
}

// Events returns a zero value of each type of event, in the order of registration.
func (r *Registry) Events() []Event { return slices.Clone(r.zero) }

// Types returns the names of the event types that are known, in no order.
func (r *Registry) Types() []string {
	names := make([]string, 0, len(r.apply))
	for n := range r.apply {
		names = append(names, n)
	}
	return names
}
