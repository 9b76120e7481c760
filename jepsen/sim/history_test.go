package sim

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
)

type outcome string

const (
	done     outcome = "done"
	conflict outcome = "conflict"
	notDone  outcome = "not done"
	unknown  outcome = "unknown"
)

// operation is one thing that a client asked for, and what came of it.
type operation struct {
	client     int
	node       int
	key        string
	write      bool
	expect     int // of a write; -1: none
	level      cluster.Level
	bound      time.Duration // of a stale read
	least      uint64        // of a session's read
	call, back time.Duration
	outcome    outcome
	version    uint64
	value      string
}

func (o operation) String() string {
	if o.write {
		return fmt.Sprintf("write %s=%s after %d, from %v: %s, version %d", o.key, o.value, o.expect, o.call, o.outcome, o.version)
	}
	return fmt.Sprintf("%s read of %s at node %d (bound %v, least %d), from %v: version %d, %s", o.level, o.key, o.node, o.bound, o.least, o.call, o.version, o.value)
}

type history []operation

// check holds the history against the writes that the event log has in the end, and returns what is wrong.
func (h history) check(log []wrote) (out problems) {
	settled := h.settle(log, &out)
	for _, o := range settled {
		if !o.write && o.outcome == done && o.level != cluster.Linearizable {
			settled.bounded(o, &out)
		}
	}
	if verdict := porcupine.CheckOperationsTimeout(registerModel, settled.operations(), 20*time.Second); verdict != porcupine.Ok {
		out.add("the history of %d operations is not linearizable (%s)", len(settled), verdict)
	}
	return out
}

// settle finds what became of each write. What is "not done" was not, and nothing was done twice.
func (h history) settle(log []wrote, out *problems) (settled history) {
	at, next := map[string]wrote{}, map[string]uint64{}
	for _, e := range log {
		next[e.Key]++
		if e.Version != next[e.Key] {
			out.add("version %d of %s is the %d. in the log", e.Version, e.Key, next[e.Key])
		}
		if twice, was := at[e.Value]; was {
			out.add("write %s took effect twice, as version %d and %d", e.Value, twice.Version, e.Version)
		}
		at[e.Value] = e
	}
	for _, o := range h {
		e, took := at[o.value]
		switch {
		case !o.write:
		case o.outcome == done && (!took || e.Version != o.version):
			out.add("an acknowledged write is not there: %s; the log says %+v", o, e)
		case (o.outcome == notDone || o.outcome == conflict) && took:
			out.add("a refused write took effect: %s; the log says %+v", o, e)
		case o.outcome == unknown && took:
			o.version = e.Version
		}
		if o.outcome == notDone || o.outcome == unknown && !took {
			continue
		}
		settled = append(settled, o)
	}
	return settled
}

// bounded holds a read of older state against what had been acknowledged in time.
func (h history) bounded(o operation, out *problems) {
	if o.version < o.least {
		out.add("a session went back: %s", o)
	}
	most := o.bound
	if o.level == cluster.Session {
		most = cluster.MaxAge
	}
	for _, w := range h {
		if w.key == o.key && w.write && w.outcome == done && w.back < o.call-most && w.version > o.version {
			out.add("older than allowed: %s; acknowledged at %v: %s", o, w.back, w)
			return
		}
	}
}

// operations are what porcupine judges: writes and linearizable reads. What is unknown has no end.
func (h history) operations() (ops []porcupine.Operation) {
	for _, o := range h {
		if !o.write && o.level != cluster.Linearizable {
			continue
		}
		end := int64(o.back)
		if o.outcome == unknown {
			end = int64(time.Hour)
		}
		ops = append(ops, porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.call), Output: o, Return: end})
	}
	return ops
}

// registerModel is a versioned register for each key.
var registerModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) (out [][]porcupine.Operation) {
		for _, k := range keys {
			var of []porcupine.Operation
			for _, op := range all {
				if op.Input.(operation).key == k {
					of = append(of, op)
				}
			}
			out = append(out, of)
		}
		return out
	},
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		s, o := state.(register), input.(operation)
		fits := o.expect < 0 || uint64(o.expect) == s.Version
		switch {
		case !o.write:
			return o.version == s.Version && o.value == s.Value, s
		case o.outcome == conflict:
			return !fits, s
		}
		next := register{s.Version + 1, o.value}
		return fits && o.version == next.Version, next
	},
	Equal: func(a, b any) bool { return a == b },
}

// written reads the writes of the event log.
func written(v *fsm.View) (out []wrote, err error) {
	err = fsm.History(v, 0, false, func(r fsm.Record) (bool, error) {
		for _, e := range r.Events {
			var w wrote
			if e.Type != w.EventType() {
				continue
			}
			if err := fsm.Decode(e.Data, &w); err != nil {
				return false, err
			}
			out = append(out, w)
		}
		return true, nil
	})
	return out, err
}
