package admit

import (
	"context"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Queue serves a bounded number of requests at the same time and lets a bounded number wait for a place.
type Queue struct {
	name    string
	places  chan struct{}
	waiting chan struct{}
}

// NewQueue makes a queue; name stands in its refusals.
func NewQueue(name string, places, waiting int) *Queue {
	return &Queue{name, make(chan struct{}, places), make(chan struct{}, waiting)}
}

// Enter takes a place, which the caller gives back with Leave. It refuses with fault.NotDone: at once when the waiting room is
// full too, and when ctx ends first.
func (q *Queue) Enter(ctx context.Context) error {
	select {
	case q.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case q.waiting <- struct{}{}:
		defer func() { <-q.waiting }()
	default:
		return q.full()
	}
	select {
	case q.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return q.full().Because(context.Cause(ctx))
	}
}

// Leave gives the place back.
func (q *Queue) Leave() { <-q.places }

func (q *Queue) full() *fault.Error {
	return fault.New(fault.NotDone, "the queue for %s is full: nothing was done, try again", q.name).After(time.Second)
}
