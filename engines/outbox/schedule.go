package outbox

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// poll is how long new messages may wait before anybody looks.
const poll = 100 * time.Millisecond

// schedule says which messages are to be tried when. It is one goroutine's.
type schedule struct {
	policy  Policy
	seen    Place // up to which messages were taken up
	all     map[destinationKey]*destination
	order   []*destination // in which they have their turn
	next    int            // whose turn it is
	running int
	tenants map[fsm.UID]int // calls that run
}

type destinationKey struct {
	tenant            fsm.UID
	kind, destination string
}

// destination is what is slow or fails together.
type destination struct {
	key      destinationKey
	lanes    map[string]*lane
	ready    []*lane // whose first message may be tried now
	later    pauses  // whose first message has failed
	running  int
	failures int       // in a row
	until    time.Time // it is left alone, when it has tripped
}

// lane is a queue of messages that are delivered one at a time.
type lane struct {
	name  string
	queue []Place
	tries uint64 // of the first
	due   time.Time
}

// call is a try that is due.
type call struct {
	*destination
	*lane
	at    Place
	tries uint64 // before this one
}

func newSchedule(p Policy) *schedule {
	return &schedule{policy: p, all: map[destinationKey]*destination{}, tenants: map[fsm.UID]int{}}
}

// add takes up a message behind those of its lane.
func (s *schedule) add(o fsm.Owed) {
	key := destinationKey{o.Tenant, o.Kind, o.Destination}
	d := s.all[key]
	if d == nil {
		d = &destination{key: key, lanes: map[string]*lane{}}
		s.all[key], s.order = d, append(s.order, d)
	}
	l := d.lanes[o.Lane]
	if l == nil {
		l = &lane{name: o.Lane}
		d.lanes[o.Lane], d.ready = l, append(d.ready, l)
	}
	l.queue = append(l.queue, Place{o.Seq, o.Pos})
}

// start returns the tries that are due and may run, and counts them as running.
func (s *schedule) start(now time.Time) (calls []call) {
	for range len(s.order) {
		d := s.order[s.next%len(s.order)]
		s.next++
		d.wake(now)
		for len(d.ready) > 0 && s.may(d, now) {
			l := d.ready[0]
			d.ready = d.ready[1:]
			d.running, s.running = d.running+1, s.running+1
			s.tenants[d.key.tenant]++
			calls = append(calls, call{d, l, l.queue[0], l.tries})
		}
	}
	return calls
}

// wake makes ready whose pause is over.
func (d *destination) wake(now time.Time) {
	for len(d.later) > 0 && !d.later[0].due.After(now) {
		d.ready = append(d.ready, heap.Pop(&d.later).(*lane))
	}
}

// may reports whether another call to d may run.
func (s *schedule) may(d *destination, now time.Time) bool {
	if s.running >= s.policy.Calls || s.tenants[d.key.tenant] >= s.policy.PerTenant {
		return false
	}
	if d.failures >= s.policy.Trips {
		return d.running == 0 && !d.until.After(now)
	}
	return d.running < s.policy.PerDestination
}

// finish notes what a try came to.
func (s *schedule) finish(t tried, now time.Time) {
	d, l := t.destination, t.lane
	d.running, s.running = d.running-1, s.running-1
	if s.tenants[d.key.tenant]--; s.tenants[d.key.tenant] == 0 {
		delete(s.tenants, d.key.tenant)
	}
	switch t.outcome {
	case Failed:
		l.tries++
		d.failures++
		d.until = now.Add(s.policy.pause(uint64(max(d.failures-s.policy.Trips, 0)) + 1))
		d.pause(l, now.Add(s.policy.pause(l.tries)))
	case unsure:
		d.pause(l, now.Add(s.policy.pause(1)))
	default:
		if t.outcome == Arrived {
			d.failures = 0
		}
		s.advance(d, l)
	}
}

func (d *destination) pause(l *lane, until time.Time) {
	l.due = until
	heap.Push(&d.later, l)
}

// advance goes on with a lane's next message. What is empty is forgotten.
func (s *schedule) advance(d *destination, l *lane) {
	l.queue, l.tries = l.queue[1:], 0
	if len(l.queue) > 0 {
		d.ready = append(d.ready, l)
		return
	}
	if delete(d.lanes, l.name); len(d.lanes) > 0 {
		return
	}
	delete(s.all, d.key)
	for i, o := range s.order {
		if o == d {
			s.order = append(s.order[:i], s.order[i+1:]...)
			return
		}
	}
}

// pause is how long is waited after so many failures.
func (p Policy) pause(failures uint64) time.Duration {
	d := p.First << min(failures-1, 30)
	if d > p.Most || d <= 0 {
		d = p.Most
	}
	return d - rand.N(d/2+1)
}

// wait waits for what comes first: the end of a try, the end of a pause, or that it is time to look.
func (s *schedule) wait(ctx context.Context, outcomes <-chan tried) {
	timer := time.NewTimer(s.idle(chaos.Now()))
	defer timer.Stop()
	select {
	case t := <-outcomes:
		s.finish(t, chaos.Now())
		for len(outcomes) > 0 {
			s.finish(<-outcomes, chaos.Now())
		}
	case <-timer.C:
	case <-ctx.Done():
	}
}

// idle is how long nothing is due, poll at most.
func (s *schedule) idle(now time.Time) time.Duration {
	wait := poll
	for _, d := range s.order {
		if len(d.later) > 0 {
			wait = min(wait, max(d.later[0].due.Sub(now), time.Millisecond))
		}
	}
	return wait
}

// pauses is a heap of lanes, the one that is due next first.
type pauses []*lane

func (p pauses) Len() int           { return len(p) }
func (p pauses) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p pauses) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pauses) Push(l any)        { *p = append(*p, l.(*lane)) }
func (p *pauses) Pop() any {
	old := *p
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*p = old[:len(old)-1]
	return l
}
