// Package admit decides whether a request may take a place now: by how fast its caller comes, and by how many others are
// being served on the same surface. It refuses at once rather than letting requests pile up, and its own memory is bounded.
package admit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/trstctl/trstctl/fsm/fault"
)

// keep is how many callers each generation of a Rate remembers.
const keep = 16384

// Rate bounds requests per second of each caller by a token bucket. It remembers at most two generations of callers; one that
// is forgotten begins with a full bucket, which costs at most one burst more.
type Rate struct {
	perSecond rate.Limit
	burst     int

	mu       sync.Mutex // guards both generations
	now, old map[string]*rate.Limiter
}

// NewRate allows each caller perSecond requests, and as many at once. 0 or less allows everything.
func NewRate(perSecond int) *Rate {
	return &Rate{perSecond: rate.Limit(perSecond), burst: perSecond, now: map[string]*rate.Limiter{}}
}

// Allow takes one request from caller's bucket, or refuses with fault.RateLimited.
func (r *Rate) Allow(caller string, at time.Time) error {
	if r.burst <= 0 || r.of(caller).AllowN(at, 1) {
		return nil
	}
	return fault.New(fault.RateLimited, "more than %d requests a second", r.burst).After(time.Second)
}

func (r *Rate) of(caller string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, found := r.now[caller]
	if found {
		return l
	}
	if l = r.old[caller]; l == nil {
		l = rate.NewLimiter(r.perSecond, r.burst)
	}
	if len(r.now) >= keep {
		r.old, r.now = r.now, make(map[string]*rate.Limiter, keep/4)
	}
	r.now[caller] = l
	return l
}
