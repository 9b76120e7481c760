package auth

import (
	"context"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// Clock tells the time and lets it pass.
type Clock interface {
	Now() time.Time
	// Wait returns true after d, false when ctx ends first.
	Wait(ctx context.Context, d time.Duration) bool
}

type systemClock struct{}

func (systemClock) Now() time.Time { return chaos.Now() }

func (systemClock) Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// now is the moment by which expiry is judged: log time, or the own clock when that is further.
func (e *Engine) now(v *fsm.View) fsm.Time { return max(v.Now(), fsm.At(e.clock.Now())) }
