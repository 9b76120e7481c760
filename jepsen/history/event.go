// Package history keeps what happened in a run: each operation as the event of its call and the event of its answer, each fault as
// it began and ended, in one order and with one clock, the harness's own.
//
// An operation's answer is ok (it happened), fail (it did not, and never will) or info (nobody can say; it may still happen). A call without an
// answer counts as info. Histories are files of JSON lines (history.jsonl); EDN writes the same for checkers that read Jepsen's form.
package history

import (
	"encoding/json"
	"time"
)

// Type is the kind of an event.
type Type string

// The types, in Jepsen's words.
const (
	Invoke Type = "invoke"
	OK     Type = "ok"
	Fail   Type = "fail"
	Info   Type = "info"
)

// Processes that are no clients.
const (
	Nemesis = -1 // what does faults
	Watcher = -2 // what looks at the cluster meanwhile
	Settler = -3 // what looks afterwards, when the cluster is at rest
)

// Event is one line.
type Event struct {
	Index   int             `json:"index"`
	Time    time.Duration   `json:"time"`    // since the run began
	Process int             `json:"process"` // from 0; one does one thing at a time
	Type    Type            `json:"type"`
	F       string          `json:"f"`               // workload and operation, such as register.put; for a fault its name
	Node    string          `json:"node,omitempty"`  // that was asked
	Value   json.RawMessage `json:"value,omitempty"` // of a call: what was asked; of an answer: what came back
	Error   string          `json:"error,omitempty"`
}

// Op is an operation with its answer.
type Op struct {
	Index   int // of the call
	Process int
	F       string
	Node    string
	Call    time.Duration
	Return  time.Duration // of an answer that is info: when the client gave up
	Type    Type          // OK, Fail or Info
	In, Out json.RawMessage
	Error   string
}

// History is a whole run.
type History struct{ Events []Event }

// Ops returns the operations of clients whose F is f, or begins with f and a dot; empty: all. They are in the order of their calls.
func (h *History) Ops(f string) (ops []Op) {
	open := map[int]int{} // process -> index in ops
	for _, e := range h.Events {
		if e.Process < 0 || !named(e.F, f) {
			continue
		}
		if e.Type == Invoke {
			open[e.Process] = len(ops)
			ops = append(ops, Op{Index: e.Index, Process: e.Process, F: e.F, Node: e.Node, Call: e.Time, Return: e.Time, Type: Info, In: e.Value})
			continue
		}
		if i, known := open[e.Process]; known {
			ops[i].Return, ops[i].Type, ops[i].Out, ops[i].Error = e.Time, e.Type, e.Value, e.Error
			delete(open, e.Process)
		}
	}
	end := h.End()
	for _, i := range open { // the run ended before they were answered
		ops[i].Return = end
	}
	return ops
}

// Of returns the events of a process, such as Nemesis or Settler, whose F is f or begins with f and a dot.
func (h *History) Of(process int, f string) (out []Event) {
	for _, e := range h.Events {
		if e.Process == process && named(e.F, f) {
			out = append(out, e)
		}
	}
	return out
}

// End is the time of the last event.
func (h *History) End() time.Duration {
	if len(h.Events) == 0 {
		return 0
	}
	return h.Events[len(h.Events)-1].Time
}

func named(f, prefix string) bool {
	return prefix == "" || f == prefix || len(f) > len(prefix) && f[:len(prefix)] == prefix && f[len(prefix)] == '.'
}

// Verdict is what one checker says of a history.
type Verdict struct {
	Checker string `json:"checker"`
	OK      bool   `json:"ok"`
	Unknown bool   `json:"unknown,omitempty"` // the checker could not decide in its time; not OK
	Checked int    `json:"checked"`           // operations, nodes or whatever it looked at: a verdict about nothing says nothing
	Detail  string `json:"detail,omitempty"`  // what is wrong, or what was measured
	File    string `json:"file,omitempty"`    // in the run's directory: a counterexample to look at
}
