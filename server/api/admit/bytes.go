package admit

import (
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Bytes bounds the memory that what callers send, or do not read, may fill: in all, and for each of them.
type Bytes struct {
	name      string
	all, each int64

	mu   sync.Mutex // guards the rest
	sum  int64
	held map[string]int64
}

// NewBytes makes a bound; name stands in its refusals.
func NewBytes(name string, all, each int64) *Bytes {
	return &Bytes{name: name, all: all, each: each, held: map[string]int64{}}
}

// Take counts n bytes as caller's, who gives them back, or refuses with fault.NotDone.
func (b *Bytes) Take(caller string, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sum+n > b.all || b.held[caller]+n > b.each {
		return fault.New(fault.NotDone, "the %s that are under way fill the memory they may: nothing was done, try again", b.name).After(time.Second)
	}
	b.sum += n
	b.held[caller] += n
	return nil
}

// Give gives n bytes back.
func (b *Bytes) Give(caller string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum -= n
	if b.held[caller] -= n; b.held[caller] <= 0 {
		delete(b.held, caller)
	}
}
