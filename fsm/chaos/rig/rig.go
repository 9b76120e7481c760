// Package rig is what a chaos build has more than another: a wall clock that can be turned, points at which the process ends or waits, and a socket
// by which both are asked for. Only binaries built with -tags chaos, and the harness that speaks to them, have it.
package rig

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"
)

// Rig is the clock and the points of a process.
type Rig struct {
	clock  clock
	points points
}

// New makes one with a right clock and these points, none of which is armed.
func New(names []string) *Rig {
	r := &Rig{}
	r.points.init(names)
	return r
}

// Now is the wall clock as it was turned.
func (r *Rig) Now() time.Time { return r.clock.now() }

// Pass is called where a point is. A name that is none ends the process: the list of points is wrong.
func (r *Rig) Pass(name string) { r.points.pass(name) }

// Log is told what points do, from now on.
func (r *Rig) Log(log *slog.Logger) { r.points.log.Store(log) }

// Do carries out a request.
func (r *Rig) Do(q Request) (a Answer) {
	if err := q.one(); err != nil {
		return Answer{Error: err.Error()}
	}
	var err error
	switch {
	case q.Jump != nil:
		err = r.clock.jump(time.Duration(*q.Jump))
	case q.Rate != nil:
		err = r.clock.run(*q.Rate)
	case q.Reset != nil:
		r.clock.reset()
	case q.Arm != nil:
		err = r.points.arm(*q.Arm)
	case q.Disarm != nil:
		err = r.points.disarm(*q.Disarm)
	case q.State != nil:
		a.State = r.state(*q.State)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// state describes the process.
func (r *Rig) state(q Asked) *State {
	if q.GC {
		debug.FreeOSMemory() // collects, and gives back to the system, so that this can be compared too
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now, offset, rate := r.clock.read()
	return &State{Now: now, Offset: Duration(offset), Rate: rate, Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc, Points: r.points.state()}
}

func unknownPoint(name string) error { return fmt.Errorf("there is no point %q", name) }
