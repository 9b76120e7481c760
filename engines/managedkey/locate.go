package managedkey

import (
	"context"
	"slices"

	"github.com/trstctl/trstctl/fsm"
)

// Query is a search for objects (KMIP 1.4 section 4.9). An object is found when all of it holds.
type Query struct {
	// Match has attributes and what they must be: one of several values is enough. A date is met exactly, or lies in a range when it is given twice; a usage
	// mask is met when the object has all its bits; of a structure, the fields that are not zero are compared, of a custom attribute all.
	Match   []Value
	Member  GroupMember // of the group in Match; 0: any
	Storage StorageMask // 0: online alone, and the destroyed when Match asks for their state
	Max     int         // objects to return; 0: MaxLocate
	Offset  int         // objects to pass over
	Total   bool        // count all that there are
	Visible func(*Object) bool
}

// Found are the objects that a search found.
type Found struct {
	IDs   []string // newest first; fresh members of a group oldest first, so that they are used up in turn
	Total int      // of all that match, when it was asked for
	More  bool     // there are more than were returned
}

// Locate searches. A name, another name, application data, a link, a custom attribute and a group are looked up; without one of those the search passes
// over all objects from the newest on, and is refused after MaxWalk.
//
// With MemberDefault it returns one object of the group, each time the one behind the last, in the order in which they were made, and begins anew behind
// the newest: that is noted, and has to be committed.
func (s *Stage) Locate(ctx context.Context, q Query) (found Found, err error) {
	err = s.do(func() error {
		p, err := s.plan(q)
		if err != nil {
			return err
		}
		if q.Member == MemberDefault {
			found, err = s.locateDefault(ctx, p)
			return err
		}
		found, err = p.run(ctx, 0)
		return err
	})
	return found, err
}

// run carries the search out, beyond the number of an object.
func (p *plan) run(ctx context.Context, beyond uint64) (found Found, err error) {
	if p.id != "" {
		return p.one()
	}
	w, err := p.s.newWalk(p.term, p.Storage, p.Member != 0, beyond)
	if err != nil {
		return found, err
	}
	for matched := 0; ; {
		o, _, more, err := w.next(ctx)
		if err != nil || !more {
			return found, err
		}
		if !p.holds(&o) {
			continue
		}
		matched++
		if p.Total {
			found.Total = matched
		}
		switch {
		case matched <= p.Offset:
		case len(found.IDs) < p.Max:
			found.IDs = append(found.IDs, o.ID)
		default:
			if found.More = true; !p.Total {
				return found, nil
			}
		}
	}
}

// one is a search that names the object.
func (p *plan) one() (found Found, err error) {
	o, exists, err := p.s.find(p.id)
	if err != nil || !exists || !p.holds(&o) {
		return Found{}, err
	}
	if found.Total = 1; p.Offset == 0 {
		found.IDs = []string{o.ID}
	}
	return found, nil
}

// locateDefault returns the member of a group that follows the one that was returned last.
func (s *Stage) locateDefault(ctx context.Context, p *plan) (Found, error) {
	last, err := s.lastServed(p.group)
	if err != nil {
		return Found{}, err
	}
	p.Max, p.Offset, p.Total = 1, 0, false
	found, err := p.run(ctx, last)
	if err == nil && len(found.IDs) == 0 && last > 0 {
		found, err = p.run(ctx, 0)
	}
	if err != nil || len(found.IDs) == 0 {
		return Found{}, err
	}
	number, err := s.number(found.IDs[0])
	if err != nil {
		return Found{}, err
	}
	s.over.groups[p.group] = number
	s.emit(GroupServed{p.group, number})
	return Found{IDs: found.IDs}, nil
}

// lastServed returns the number of the object that a group gave last as its default, 0 when it gave none.
func (s *Stage) lastServed(group string) (uint64, error) {
	if n, known := s.over.groups[group]; known {
		return n, nil
	}
	if err := s.guard(groupStream(group)); err != nil {
		return 0, err
	}
	row, _, err := groups.Get(s.r, fsm.K(s.tenant, group))
	return row.Number, err
}

// number is that of an object. One that this stage made gets it when it is applied: until then it is taken to be behind all that are there.
func (s *Stage) number(id string) (uint64, error) {
	o, _, err := s.find(id)
	if err != nil || o.Number > 0 {
		return o.Number, err
	}
	n, _, err := counts.Get(s.r, fsm.K(s.tenant))
	return n.Made + 1 + uint64(slices.Index(s.over.made, id)), err
}
