package admit

import (
	"context"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// patience is how long a request may wait for a place: whoever holds them all that long will not be done in the next moment either,
// and the caller can ask another node meanwhile.
const patience = time.Second

// Queue serves a bounded number of requests at the same time and lets a bounded number wait, a moment, for a place. One owner may hold
// three quarters of the places, so that a flood of one leaves room for the others.
type Queue struct {
	name    string
	places  chan struct{}
	waiting chan struct{}
	share   int

	mu   sync.Mutex // guards held
	held map[string]int
}

// NewQueue makes a queue; name stands in its refusals.
func NewQueue(name string, places, waiting int) *Queue {
	return &Queue{name: name, places: make(chan struct{}, places), waiting: make(chan struct{}, waiting), share: (3*places + 3) / 4, held: map[string]int{}}
}

// Place is a request's place in a queue. One goroutine at a time uses it.
type Place struct {
	queue *Queue
	owner string // "" until somebody is known
}

// Enter takes a place, which the caller leaves. It refuses with fault.NotDone: at once when the waiting room is full too,
// otherwise after a second, or when ctx ends first.
func (q *Queue) Enter(ctx context.Context) (*Place, error) {
	select {
	case q.places <- struct{}{}:
		return &Place{queue: q}, nil
	default:
	}
	select {
	case q.waiting <- struct{}{}:
		defer func() { <-q.waiting }()
	default:
		return nil, q.full()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case q.places <- struct{}{}:
		return &Place{queue: q}, nil
	case <-ctx.Done():
		return nil, q.full().Because(context.Cause(ctx))
	}
}

// Depth is how many places are taken, and how many requests wait for one.
func (q *Queue) Depth() (taken, waiting int) { return len(q.places), len(q.waiting) }

func (q *Queue) full() *fault.Error {
	return fault.New(fault.NotDone, "the queue for %s is full: nothing was done, try again", q.name).After(time.Second)
}

// Charge counts the place as owner's, once, or refuses with fault.NotDone when owner holds its share already.
func (p *Place) Charge(owner string) error {
	if p.owner != "" {
		return nil
	}
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[owner] >= q.share {
		return fault.New(fault.NotDone, "the tenant's share of the queue for %s is taken: nothing was done, try again", q.name).After(time.Second)
	}
	q.held[owner]++
	p.owner = owner
	return nil
}

// Leave gives the place back.
func (p *Place) Leave() {
	p.queue.release(p.owner)
	<-p.queue.places
}

func (q *Queue) release(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[owner]--; q.held[owner] <= 0 {
		delete(q.held, owner)
	}
}
