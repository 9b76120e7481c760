package fsm

import (
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Registry knows how each type of event is applied. It is filled at start, by each feature, and read-only afterwards.
type Registry struct {
	apply map[string]func(*Tx, Meta, []byte) error
	zero  []Event
}

// Newer is an event that came with a version of the cluster: before that is agreed nobody proposes it, and a binary of an older version
// does not know it. Events that do not say are as old as the cluster.
type Newer interface {
	Event
	Since() uint32
}

func since(e Event) uint32 {
	if n, ok := e.(Newer); ok {
		return n.Since()
	}
	return 0
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

// UpTo makes the registry that of a binary which reads up to a version: it does not know what came later.
func (r *Registry) UpTo(version uint32) *Registry {
	r.zero = slices.DeleteFunc(r.zero, func(e Event) bool {
		late := since(e) > version
		if late {
			delete(r.apply, e.EventType())
		}
		return late
	})
	return r
}

// KnownTo returns the events that a binary of a version knows: a founding by it has no others.
func KnownTo(version uint32, events []Event) []Event {
	return slices.DeleteFunc(events, func(e Event) bool { return since(e) > version })
}

// permits refuses an entry that a member could not read.
func permits(v *View, e *Entry) error {
	for _, it := range e.items {
		if need := since(it.event); need > v.Version() {
			return tooEarly(need, v.Version())
		}
	}
	return nil
}

func tooEarly(need, is uint32) error {
	return fault.New(fault.NotDone, "this needs version %d of the cluster, which is at %d: every node must first run a binary that reads it", need, is).After(time.Second)
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
