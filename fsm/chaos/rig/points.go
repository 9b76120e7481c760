package rig

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"
)

// What a point does when it is hit.
const (
	Kill  = "kill"  // SIGKILL to the own process
	Pause = "pause" // whoever hits it waits
	Hang  = "hang"  // for ever: until it is disarmed
)

// points are the places at which something may happen. Which there are never changes.
type points struct {
	by    map[string]*point
	order []string
	log   atomic.Pointer[slog.Logger]
	kill  func() // does not return; tests have another
}

type point struct {
	hits  atomic.Uint64
	armed atomic.Pointer[charge]
}

// charge goes off once and stays to be seen until the point is disarmed or armed anew.
type charge struct {
	arm      Arm
	left     atomic.Int64  // hits to come, with the one at which it goes off
	released chan struct{} // closed when it is taken away
}

func (p *points) init(names []string) {
	p.by, p.order, p.kill = map[string]*point{}, names, killSelf
	for _, n := range names {
		p.by[n] = &point{}
	}
}

// killSelf leaves nothing to chance: whoever has hit the point does not go on while the signal is on its way.
func killSelf() {
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}

func (p *points) pass(name string) {
	at := p.by[name]
	if at == nil {
		panic(unknownPoint(name))
	}
	hit := at.hits.Add(1)
	if c := at.armed.Load(); c != nil && c.left.Add(-1) == 0 {
		p.goOff(c, hit)
	}
}

func (p *points) goOff(c *charge, hit uint64) {
	if log := p.log.Load(); log != nil {
		log.Warn("chaos: a point goes off", "point", c.arm.Point, "do", c.arm.Do, "hit", hit, "for", time.Duration(c.arm.For).String())
	}
	switch c.arm.Do {
	case Kill:
		p.kill()
	case Pause:
		select {
		case <-time.After(time.Duration(c.arm.For)):
		case <-c.released:
		}
	case Hang:
		<-c.released
	}
}

func (p *points) arm(a Arm) error {
	at := p.by[a.Point]
	switch {
	case at == nil:
		return unknownPoint(a.Point)
	case a.Do != Kill && a.Do != Pause && a.Do != Hang:
		return fmt.Errorf("a point can %s, %s or %s, not %q", Kill, Pause, Hang, a.Do)
	case a.Hit < 1:
		return fmt.Errorf("hits are counted from 1")
	case (a.Do == Pause) != (a.For > 0):
		return fmt.Errorf("a pause, and nothing else, is for some time")
	}
	c := &charge{arm: a, released: make(chan struct{})}
	c.left.Store(int64(a.Hit))
	at.replace(c)
	return nil
}

// disarm takes away what one point, or with "" all, would do, and lets go whoever waits there.
func (p *points) disarm(name string) error {
	if name == "" {
		for _, at := range p.by {
			at.replace(nil)
		}
		return nil
	}
	at := p.by[name]
	if at == nil {
		return unknownPoint(name)
	}
	at.replace(nil)
	return nil
}

func (at *point) replace(c *charge) {
	if old := at.armed.Swap(c); old != nil {
		close(old.released)
	}
}

func (p *points) state() (out []Point) {
	for _, n := range p.order {
		s := Point{Name: n, Hits: p.by[n].hits.Load()}
		if c := p.by[n].armed.Load(); c != nil {
			s.Armed, s.Fired = &c.arm, c.left.Load() <= 0
		}
		out = append(out, s)
	}
	return out
}
