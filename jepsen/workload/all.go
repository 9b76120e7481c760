package workload

import (
	"bytes"
	"strings"

	"github.com/trstctl/trstctl/jepsen/history"
)

// All are the workloads. A new one has its line here.
func All() []Workload {
	return []Workload{register{}, versions{}, bank{}, token{}, idempotency{}, audit{}}
}

// Writes says whether operations with this F change something.
func Writes(f string) bool {
	_, verb, _ := strings.Cut(f, ".")
	switch verb {
	case "get", "session", "stale", "use":
		return false
	}
	return true
}

// Detailed is a workload that can draw what it found wrong.
type Detailed interface {
	// Visualize writes what there is to see into the run's directory.
	Visualize(h *history.History, dir string) error
}

// value plants a name in a value.
func (e *Env) value(name string) []byte { return append(e.Plant(name), "\n"+name...) }

// nameOf is the name in a value.
func nameOf(value []byte) string { return string(value[bytes.LastIndexByte(value, '\n')+1:]) }
