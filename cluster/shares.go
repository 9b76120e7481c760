package cluster

import (
	"sync"

	"github.com/trstctl/trstctl/fsm"
)

// shares bounds what waits to be written, and how much of that is one tenant's, so that a flood of one leaves room for the others. The
// zero value is empty.
type shares struct {
	mu    sync.Mutex // guards the rest
	bytes int
	held  map[fsm.UID]held
}

type held struct{ entries, bytes int }

// take counts a proposal in, unless it goes beyond a bound.
func (s *shares) take(p *proposal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[p.tenant]
	if s.bytes+len(p.raw) > queueBytes || float64(h.bytes+len(p.raw)) > tenantShare*queueBytes || float64(h.entries+1) > tenantShare*queueEntries {
		return false
	}
	if s.held == nil {
		s.held = map[fsm.UID]held{}
	}
	s.bytes += len(p.raw)
	s.held[p.tenant] = held{h.entries + 1, h.bytes + len(p.raw)}
	return true
}

// give counts a proposal out that take counted in.
func (s *shares) give(p *proposal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[p.tenant]
	s.bytes -= len(p.raw)
	if h.entries == 1 {
		delete(s.held, p.tenant)
		return
	}
	s.held[p.tenant] = held{h.entries - 1, h.bytes - len(p.raw)}
}
