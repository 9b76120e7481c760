package rig

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	mostJump = 30 * 365 * 24 * time.Hour
	mostRate = 1000
)

// clock is a wall clock that can be set and runs as fast as it is told. The zero value is right.
type clock struct {
	mu  sync.Mutex // held while it is turned
	set atomic.Pointer[setting]
}

// setting is how a clock was set last. It is never changed.
type setting struct {
	at   time.Time // when that was
	off  time.Duration
	rate float64
}

// offset is how far the clock is from the machine's at a moment.
func (s *setting) offset(at time.Time) time.Duration {
	passed := at.Sub(s.at)
	return s.off + time.Duration(float64(passed)*(s.rate-1))
}

func (c *clock) now() time.Time {
	t := time.Now()
	if s := c.set.Load(); s != nil {
		return moved(t, s.offset(t))
	}
	return t
}

func (c *clock) read() (now time.Time, offset time.Duration, rate float64) {
	t, s := time.Now(), c.set.Load()
	if s == nil {
		return t, 0, 1
	}
	offset = s.offset(t)
	return moved(t, offset), offset, s.rate
}

// jump sets the clock forward, or back.
func (c *clock) jump(by time.Duration) error {
	if by.Abs() > 2*mostJump { // the sum would not fit
		return tooFar()
	}
	return c.turn(func(s *setting) { s.off += by })
}

// run has the clock go so fast: 0 stops it, 1 is right.
func (c *clock) run(rate float64) error {
	if !(rate >= 0 && rate <= mostRate) {
		return fmt.Errorf("a rate is between 0 and %d", mostRate)
	}
	return c.turn(func(s *setting) { s.rate = rate })
}

func (c *clock) turn(how func(*setting)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	next := setting{at: now, rate: 1}
	if s := c.set.Load(); s != nil {
		next.off, next.rate = s.offset(now), s.rate
	}
	how(&next)
	if next.off.Abs() > mostJump {
		return tooFar()
	}
	c.set.Store(&next)
	return nil
}

func tooFar() error { return fmt.Errorf("a clock is at most %s away from the machine's", mostJump) }

func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set.Store(nil)
}

// reading is how package time keeps a time.Time that has a monotonic reading: a flag, 33 bits of seconds since 1885, 30 bits of nanoseconds; then
// the monotonic reading. TestAJumpShowsInTheWallAndNotInDifferences fails when that changes.
type reading struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

const hasMonotonic = 1 << 63

var wallEpoch = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// moved returns t with another wall clock and the same monotonic reading, which is how a reading looks after the clock was set. Package time has no
// way to make one, and without the monotonic reading a jump would look like a pause, or like time that runs backwards, to code that is right.
func moved(t time.Time, by time.Duration) time.Time {
	to := t.Round(0).Add(by)
	since := to.Unix() - wallEpoch
	r := (*reading)(unsafe.Pointer(&t))
	if r.wall&hasMonotonic == 0 || since < 0 || since >= 1<<33 {
		return to
	}
	r.wall = hasMonotonic | uint64(since)<<30 | uint64(to.Nanosecond())
	return t
}
