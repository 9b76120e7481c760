// Package jepsen checks that histories of concurrent puts, puts with cas and gets, made while nodes are killed, paused and cut off,
// could have been made by one secret store that does one thing at a time (linearizability, checked with porcupine).
package jepsen

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// call is what a client asked for.
type call struct {
	path  string
	write bool
	cas   int // -1: none
	value string
}

// result is what it was told. unknown: it may have happened, at any time after the call.
type result struct {
	unknown  bool
	conflict bool
	version  int // of the put, or of what get found; 0: not found
	value    string
}

// register is the state of one path.
type register struct {
	version int
	value   string
}

// model is a versioned register for each path.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, op := range history {
			p := op.Input.(call).path
			by[p] = append(by[p], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range by {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		return step(state.(register), input.(call), output.(result))
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

func step(s register, in call, out result) (bool, register) {
	switch {
	case !in.write:
		return out.version == s.version && out.value == s.value, s
	case in.cas >= 0 && in.cas != s.version:
		return out.unknown || out.conflict, s // no effect
	case out.conflict:
		return false, s
	}
	next := register{s.version + 1, in.value}
	return out.unknown || out.version == next.version, next
}
