package transit

import (
	"context"
	"sync"

	"github.com/trstctl/trstctl/fsm"
)

// place names a version of a key, for ever.
type place struct {
	tenant  fsm.UID
	key     fsm.UID
	version uint64
}

// allowance is how many messages this node may still encrypt under each version whose nonces are drawn, out of the blocks that it has reserved. It is
// forgotten when the process ends: what was left of a block is lost then, never used twice.
type allowance struct {
	mu   sync.Mutex // guards left and asking
	left map[place]uint64
	// asking are the reservations that are under way; each is closed when it is over.
	asking map[place]chan struct{}
}

func newAllowance() *allowance {
	return &allowance{left: map[place]uint64{}, asking: map[place]chan struct{}{}}
}

// take takes n messages, at most a block. It has reserve, which is called for one caller at a time, get another block when too few are left.
func (a *allowance) take(ctx context.Context, p place, n uint64, reserve func(context.Context) error) error {
	for {
		a.mu.Lock()
		if a.left[p] >= n {
			a.left[p] -= n
			a.mu.Unlock()
			return nil
		}
		over, mine := a.asking[p], false
		if over == nil {
			over, mine = make(chan struct{}), true
			a.asking[p] = over
		}
		a.mu.Unlock()
		if mine {
			if err := a.refill(ctx, p, over, reserve); err != nil {
				return err
			}
			continue
		}
		select {
		case <-over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (a *allowance) refill(ctx context.Context, p place, over chan struct{}, reserve func(context.Context) error) error {
	err := reserve(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.asking, p)
	close(over)
	if err == nil {
		a.left[p] += block
	}
	return err
}

// forget drops what is left for versions that gone is true of.
func (a *allowance) forget(gone func(place) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p := range a.left {
		if gone(p) {
			delete(a.left, p)
		}
	}
}
