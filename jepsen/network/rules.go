package network

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// path is the way of some traffic.
type path struct {
	from, to string
	class    Class
}

func (p path) back() path { return path{p.to, p.from, p.class} }

// effect is what all rules together do to a path.
type effect struct {
	drop, stall, reset bool
	delay, jitter      time.Duration
	lost, doubled      float64
}

type ruleset []Rule

func (s ruleset) effect(p path) (e effect) {
	for i := range s {
		if s[i].covers(p) {
			e.add(&s[i])
		}
	}
	return e
}

func (r *Rule) covers(p path) bool {
	return p.from != p.to && (r.From == "" || r.From == p.from) && (r.To == "" || r.To == p.to) && r.Class.covers(p.class)
}

// covers reports whether a rule for this class is also one for another.
func (c Class) covers(other Class) bool {
	return c == "" || c == other || c == API && other == KMIP
}

func (e *effect) add(r *Rule) {
	e.drop, e.stall, e.reset = e.drop || r.Drop, e.stall || r.Stall, e.reset || r.Reset
	e.delay, e.jitter = e.delay+r.Delay, e.jitter+r.Jitter
	e.lost, e.doubled = either(e.lost, r.Loss), either(e.doubled, r.Duplicate)
}

// either is the probability that one of two independent events happens.
func either(a, b float64) float64 { return a + b - a*b }

// wait is how long the way takes for whom luck, 0 to 1, was drawn.
func (e effect) wait(luck float64) time.Duration {
	return e.delay + time.Duration(luck*float64(e.jitter))
}

func (e effect) blocks() bool { return e.drop || e.stall }

// check refuses rules that make no sense anywhere.
func (r Rule) check() error {
	switch {
	case r.Class != "" && r.Class != API && r.Class != KMIP && r.Class != Raft && r.Class != Gossip:
		return fmt.Errorf("there is no class %q of traffic", r.Class)
	case r.Delay < 0 || r.Jitter < 0:
		return errors.New("a delay cannot be negative")
	case !share(r.Loss) || !share(r.Duplicate):
		return errors.New("loss and duplicate are shares from 0 to 1")
	}
	return nil
}

func share(f float64) bool { return f >= 0 && f <= 1 } // false for NaN

// dice draw from a seed what happens by chance. Every host has its own, so that its luck does not depend on how much others send.
type dice struct {
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

func newDice(seed, host uint64) *dice { return &dice{rand: rand.New(rand.NewPCG(seed, host))} }

// roll draws from 0 up to but without 1.
func (d *dice) roll() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Float64()
}

// hit is true for a share of its calls. It draws only where chance decides.
func (d *dice) hit(share float64) bool { return share > 0 && d.roll() < share }
