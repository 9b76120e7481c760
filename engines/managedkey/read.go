package managedkey

import (
	"context"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Places walks the material of all objects with where it stands.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return materials.Scan(r, fsm.Span{}, func(at fsm.Key, row material) (bool, error) {
		tenant, ok := at.UID()
		if !ok || len(at) < tenantSize+3 {
			return false, fault.New(fault.Corrupt, "the material of a managed object has no id")
		}
		err := visit(binding(tenant, idOf(at)), row.Sealed)
		return err == nil, err
	})
}

// tenantSize is the length of a key's first part: its type and a UID.
const tenantSize = 17

// idOf takes the id out of a key of tenant and id. Ids have no zero bytes, which would be escaped.
func idOf(at fsm.Key) string { return string(at[tenantSize+1 : len(at)-2]) }

// Counts are how many objects a tenant has.
type Counts struct {
	Living    uint64 // with their material, if they have any: what a quota bounds
	Destroyed uint64
}

// CountOf returns how many objects a tenant has, in constant time.
func CountOf(r fsm.Reader, tenant fsm.UID) (Counts, error) {
	n, _, err := counts.Get(r, fsm.K(tenant))
	return Counts{n.Made - n.Destroyed, n.Destroyed}, err
}

// StatesOf counts a tenant's objects by state at a moment. It reads every object, since dates move states, and stops when ctx ends.
func StatesOf(ctx context.Context, r fsm.Reader, tenant fsm.UID, now fsm.Time) (map[State]int, error) {
	out, seen := map[State]int{}, 0
	err := objects.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, o Object) (bool, error) {
		if seen++; seen%page == 0 && ctx.Err() != nil {
			return false, fault.New(fault.NotDone, "the count took too long").Because(context.Cause(ctx))
		}
		out[o.StateAt(now)]++
		return true, nil
	})
	return out, err
}

// List returns up to limit objects of a tenant that visible lets through, nil for all, newest first and the destroyed after the others, from a cursor on,
// and where to go on. An empty cursor is the beginning, and what is returned at the end.
func List(ctx context.Context, r fsm.Reader, tenant fsm.UID, cursor Cursor, limit int, visible func(*Object) bool) (out []Object, next Cursor, err error) {
	limit = max(limit, 1)
	seen := 0
	for _, dead := range []bool{false, true} {
		if cursor.Dead && !dead {
			continue
		}
		span := fsm.Span{Prefix: fsm.K(tenant, side(dead)), Reverse: true}
		if cursor.Dead == dead && cursor.Number > 0 {
			span.After = fsm.K(tenant, side(dead), cursor.Number)
		}
		err := orders.Scan(r, span, func(_ fsm.Key, p place) (bool, error) {
			if seen++; seen%page == 1 && ctx.Err() != nil {
				return false, fault.New(fault.NotDone, "the list took too long").Because(context.Cause(ctx))
			}
			if len(out) == limit {
				last := out[limit-1]
				next = Cursor{last.dead(), last.Number}
				return false, nil
			}
			o, found, err := objects.Get(r, fsm.K(tenant, p.ID))
			if err == nil && !found {
				err = fault.New(fault.Corrupt, "an index has managed object %s, which there is not", p.ID)
			}
			if err == nil && (visible == nil || visible(&o)) {
				out = append(out, o)
			}
			return err == nil, err
		})
		if err != nil || next != (Cursor{}) {
			return out, next, err
		}
	}
	return out, Cursor{}, nil
}

// Cursor is where a list goes on.
type Cursor struct {
	Dead   bool   // among the destroyed
	Number uint64 // below the object with this number; 0: from the newest
}
