package sdk

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Pauses between attempts. Within a round every node is asked almost at once, so that the death of one costs little.
const (
	hop      = 10 * time.Millisecond
	firstGap = 50 * time.Millisecond // after the first round; doubles each round
	lastGap  = 200 * time.Millisecond
)

// nodes are the addresses of a cluster and which of them to ask first.
type nodes struct {
	addresses []string
	first     atomic.Uint32
}

// route says where the next attempt of one call goes, and when. It reads no clock.
type route struct {
	nodes     *nodes
	at        int         // index of the address in turn
	attempts  int         // that failed
	notBefore []time.Time // by address, as Retry-After asked
	hopeless  int         // failures in a row that no repetition will mend
}

func (n *nodes) route() *route {
	return &route{nodes: n, at: int(n.first.Load()), notBefore: make([]time.Time, len(n.addresses))}
}

func (r *route) address() string { return r.nodes.addresses[r.at] }

// answered makes the address in turn the first choice of later calls.
func (r *route) answered() { r.nodes.first.Store(uint32(r.at)) }

// failed notes a failure at the address in turn, moves on and returns how long to pause before asking there.
func (r *route) failed(now time.Time, e *Error) time.Duration {
	r.attempts++
	r.hopeless++
	if !e.hopeless {
		r.hopeless = 0
	}
	if e.Kind != NotDone { // an election ends well within the whole second that Retry-After can say: the pauses here are kinder to both
		r.notBefore[r.at] = now.Add(e.retryAfter)
	}
	r.at = r.next(now)
	return max(r.gap(), r.notBefore[r.at].Sub(now))
}

// lost reports whether every address has failed, one after the other, in a way that only a person can mend.
func (r *route) lost() bool { return r.hopeless >= len(r.nodes.addresses) }

// next returns the first address, in their order from the one after the address in turn, that may be asked now, or else the one that may be soonest.
func (r *route) next(now time.Time) int {
	n := len(r.notBefore)
	best := (r.at + 1) % n
	for i := 1; i <= n; i++ {
		other := (r.at + i) % n
		if !r.notBefore[other].After(now) {
			return other
		}
		if r.notBefore[other].Before(r.notBefore[best]) {
			best = other
		}
	}
	return best
}

// gap returns the pause before the next attempt, with jitter so that clients of a dead node do not march in step.
func (r *route) gap() time.Duration {
	n := len(r.nodes.addresses)
	if r.attempts%n != 0 {
		return rand.N(hop)
	}
	d := min(firstGap<<min(r.attempts/n-1, 10), lastGap)
	return d/2 + rand.N(d/2)
}
