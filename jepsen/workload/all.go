package workload

import (
	"bytes"

	"github.com/trstctl/trstctl/jepsen/history"
)

// All are the workloads. A new one has its line here.
func All() []Workload {
	return []Workload{register{}, versions{}, bank{}, token{}, idempotency{}, audit{}, probe{}}
}

// Writes says whether operations with this F are the writes by which availability is measured.
func Writes(f string) bool { return f == "probe.put" }

// Detailed is a workload that can draw what it found wrong.
type Detailed interface {
	// Visualize writes what there is to see into the run's directory.
	Visualize(h *history.History, dir string) error
}

// value plants a name in a value.
func (e *Env) value(name string) []byte { return append(e.Plant(name), "\n"+name...) }

// nameOf is the name in a value.
func nameOf(value []byte) string { return string(value[bytes.LastIndexByte(value, '\n')+1:]) }
