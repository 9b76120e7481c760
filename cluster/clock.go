package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

const (
	clockLimit  = 5 * time.Minute
	clockMemory = 10 * time.Second // for how long what a voter's clock said counts
)

// uptime is a clock that nobody sets and that goes on while the machine sleeps: for ages, which a wall clock would falsify.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil { // only an unknown clock is refused
		panic(err)
	}
	return time.Duration(t.Nano())
}

// stopwatch is where ages are read; nil is uptime.
type stopwatch func() time.Duration

func (s stopwatch) read() time.Duration {
	if s == nil {
		return uptime()
	}
	return s()
}

// clockCheck compares this node's clock with the other voters'. The zero value has seen none.
type clockCheck struct {
	ages stopwatch

	mu   sync.Mutex // guards the rest
	seen map[string]sighting
	off  time.Duration // of this node from the median
	term uint64        // in which that was judged
}

type sighting struct {
	off time.Duration // of the voter from this node
	at  time.Duration // uptime
}

// saw notes what a voter's clock says, in Unix nanoseconds.
func (c *clockCheck) saw(id string, clock int64) {
	off := time.Duration(clock - chaos.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]sighting{}
	}
	c.seen[id] = sighting{off, c.ages.read()}
}

// judge finds the median of what is known of the voters and of this node itself. Between two in the middle, as when one of three is
// not heard, the doubt is to this node's benefit: who of two is wrong cannot be told.
func (c *clockCheck) judge(term uint64, voters []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offs := []time.Duration{0}
	for _, id := range voters {
		if s, known := c.seen[id]; known && c.ages.read()-s.at <= clockMemory {
			offs = append(offs, s.off)
		}
	}
	slices.Sort(offs)
	low, high := offs[(len(offs)-1)/2], offs[len(offs)/2]
	c.term, c.off = term, -min(max(0, low), high)
}

// checkClock asks the voters for their clocks, waits for a majority of answers and judges by what is known then; later answers count the next
// time.
func (n *Agreement) checkClock(ctx context.Context, term uint64) error {
	voters, self := n.voters()
	answers := make(chan error, len(voters))
	for _, id := range voters {
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTime)
			defer cancel()
			r, err := n.voice.Confirm(ctx, id, term)
			if err == nil {
				n.clock.saw(id, r.Clock)
			}
			answers <- err
		}()
	}
	need := (len(voters)+self)/2 + 1 - self
	for range voters {
		if need <= 0 {
			break
		}
		if <-answers == nil {
			need--
		}
	}
	if need > 0 {
		return errors.New("no majority of the voters says what time it is")
	}
	n.clock.judge(term, voters)
	return nil
}

// watchClock is the leader's worker that judges its clock again every second, and says when log time has run ahead of everybody's.
func (n *Agreement) watchClock(ctx context.Context) error {
	for said := n.ages.read() - time.Hour; ctx.Err() == nil; pause(ctx, time.Second) {
		if err := n.checkClock(ctx, n.raft.CurrentTerm()); err != nil && ctx.Err() == nil {
			n.log.Debug("clocks not compared", "err", err)
		}
		v, err := n.store.View()
		if err != nil {
			continue
		}
		if ahead := v.Now().Sub(fsm.At(chaos.Now())); ahead > clockLimit && !n.clock.wrong() && n.ages.read()-said > time.Minute {
			n.log.Error("log time is ahead of the clocks of the majority: it stands still until they reach it", "ahead", ahead)
			said = n.ages.read()
		}
		v.Close()
	}
	return nil
}

// wrong reports a clock with which this node must not lead.
func (c *clockCheck) wrong() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off.Abs() > clockLimit
}

// judgedIn reports whether the clock has been judged in a term.
func (c *clockCheck) judgedIn(term uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term == term
}

// fit reports whether a voter's clock is near the median, as far as is known.
func (c *clockCheck) fit(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.seen[id]
	return !known || (s.off+c.off).Abs() <= clockLimit
}
