package workload

import (
	"bytes"

	"github.com/trstctl/trstctl/jepsen/history"
)

// All are the workloads. A new one has its line here.
func All() []Workload {
	return []Workload{newRegister(), versions{}, bank{}, token{}, idempotency{}, audit{}, transit{}, newKMIP(), newLease(), probe{}}
}

// Writes says whether operations with this F are the writes by which availability is measured.
func Writes(f string) bool { return f == "probe.put" }

// Detailed is a workload that can draw what it found wrong.
type Detailed interface {
	// Visualize writes a page into the run's directory and returns its name; empty when there is nothing to see.
	Visualize(h *history.History, dir string) (file string, err error)
}

// value plants a name in a value.
func (e *Env) value(name string) []byte { return append(e.Plant(name), "\n"+name...) }

// nameOf is the name in a value.
func nameOf(value []byte) string { return string(value[bytes.LastIndexByte(value, '\n')+1:]) }
