package managedkey

import (
	"cmp"
	"context"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// candidate is an object that an index has, by its number.
type candidate struct {
	number uint64
	id     string
}

// page is how many rows of an index are read at once.
const page = 128

// walker reads one range of an index, a page at a time, so that several can be read side by side.
type walker struct {
	r     fsm.Reader
	table fsm.Table[place]
	span  fsm.Span
	read  []candidate
	ended bool
}

// head returns the candidate that is next, false at the end.
func (w *walker) head() (candidate, bool, error) {
	if len(w.read) == 0 && !w.ended {
		if err := w.fill(); err != nil {
			return candidate{}, false, err
		}
	}
	if len(w.read) == 0 {
		return candidate{}, false, nil
	}
	return w.read[0], true, nil
}

func (w *walker) fill() error {
	var last fsm.Key
	w.read = make([]candidate, 0, page)
	err := w.table.Scan(w.r, w.span, func(k fsm.Key, p place) (bool, error) {
		number, ok := k.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "an index of managed objects has an entry without a number")
		}
		w.read, last = append(w.read, candidate{number, p.ID}), slices.Clone(k)
		return len(w.read) < page, nil
	})
	w.span.After, w.ended = last, len(w.read) < page
	return err
}

// walk is a search: walkers whose candidates it takes in order, and objects of the stage, which are what the stage says and stand in no index.
type walk struct {
	s       *Stage
	oldest  bool // first; newest otherwise
	walkers []*walker
	staged  []candidate
	mine    map[string]bool // ids of what the stage had when the search began
	looked  int
}

// newWalk begins a search: by a term, or by all objects when that is nil; beyond the number of an object, 0 for none.
func (s *Stage) newWalk(t *term, storage StorageMask, oldest bool, beyond uint64) (*walk, error) {
	w := &walk{s: s, oldest: oldest, mine: map[string]bool{}}
	for _, dead := range []bool{false, true} {
		if wanted := storage&DestroyedToo != 0; dead && !wanted || !dead && storage&(Online|Archived) == 0 {
			continue
		}
		at, table := fsm.K(s.tenant, side(dead)), orders
		if t != nil {
			at, table = fsm.K(s.tenant, side(dead), t[:]), indexed
		}
		span := fsm.Span{Prefix: at, Reverse: !oldest}
		if beyond > 0 {
			span.After = append(slices.Clone(at), fsm.K(beyond)...)
		}
		w.walkers = append(w.walkers, &walker{r: s.r, table: table, span: span})
	}
	return w, w.stage(beyond)
}

// stage takes the objects of the stage, in order. Those that it made stand behind all others.
func (w *walk) stage(beyond uint64) error {
	n, _, err := counts.Get(w.s.r, fsm.K(w.s.tenant))
	if err != nil {
		return err
	}
	for id, o := range w.s.over.objects {
		number := o.Number
		if number == 0 {
			number = n.Made + 1 + uint64(slices.Index(w.s.over.made, id))
		}
		w.mine[id] = true
		if beyond == 0 || w.oldest == (number > beyond) && number != beyond {
			w.staged = append(w.staged, candidate{number, id})
		}
	}
	slices.SortFunc(w.staged, func(a, b candidate) int { return w.order(a, b) })
	return nil
}

func (w *walk) order(a, b candidate) int {
	if w.oldest {
		return cmp.Compare(a.number, b.number)
	}
	return cmp.Compare(b.number, a.number)
}

// next returns the next object, false at the end. It looks at MaxWalk objects at most, and stops when ctx ends.
func (w *walk) next(ctx context.Context) (o Object, number uint64, more bool, err error) {
	for {
		c, staged, found, err := w.pick()
		if err != nil || !found {
			return Object{}, 0, false, err
		}
		if w.looked++; w.looked > MaxWalk {
			return Object{}, 0, false, refuse(ReasonLimitReached,
				fault.New(fault.Limit, "the search has passed %d objects: say more of what it is for, a name or a group", MaxWalk))
		}
		if w.looked%page == 1 && ctx.Err() != nil {
			return Object{}, 0, false, fault.New(fault.NotDone, "the search took too long").Because(context.Cause(ctx))
		}
		switch {
		case staged:
			return *w.s.over.objects[c.id], c.number, true, nil
		case w.mine[c.id]:
			continue
		}
		o, found, err = objects.Get(w.s.r, fsm.K(w.s.tenant, c.id))
		if err == nil && !found {
			err = fault.New(fault.Corrupt, "an index has managed object %s, which there is not", c.id)
		}
		return o, c.number, err == nil, err
	}
}

// pick takes the candidate that is first in order.
func (w *walk) pick() (first candidate, staged, found bool, err error) {
	var from *walker
	for _, each := range w.walkers {
		c, more, err := each.head()
		if err != nil {
			return candidate{}, false, false, err
		}
		if more && (from == nil || w.order(c, first) < 0) {
			first, from = c, each
		}
	}
	if len(w.staged) > 0 && (from == nil || w.order(w.staged[0], first) <= 0) {
		first, w.staged = w.staged[0], w.staged[1:]
		return first, true, true, nil
	}
	if from == nil {
		return candidate{}, false, false, nil
	}
	from.read = from.read[1:]
	return first, false, true, nil
}
