// Package workload has what the clients of a run do, and the checkers that say whether what they were told can have come from a cluster that
// does one thing at a time and forgets nothing.
//
// A workload records every operation as a call and an answer (ok, fail or info: see package history), and checks from the recorded history alone, so
// that a history can be checked again without its cluster. A new engine adds its workload as a file here and a line in All: register.go is the
// example to follow.
package workload

import (
	"context"
	"math/rand/v2"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// Workload is one way of using the cluster.
type Workload interface {
	// Name is the first part of its operations' F, and its scope: it touches no path, token or policy outside of its name.
	Name() string
	// Processes is how many clients it runs at once when nobody says otherwise.
	Processes() int
	// Setup makes what it needs, before the first fault.
	Setup(context.Context, *Env) error
	// Run is one client: it does one operation after the other until ctx ends, and records each. It returns when ctx has ended and its last
	// operation with it. r is its own.
	Run(ctx context.Context, e *Env, process int, r *rand.Rand)
	// Settle looks, when the cluster is at rest after the last heal, at what became of everything, and records that as events of
	// history.Settler: final states, and from the event log the outcomes that nobody knew.
	Settle(context.Context, *Env) error
	// Check judges a history, of which other workloads' events are a part too.
	Check(*history.History) []history.Verdict
}

// Env is the cluster as a workload sees it. Its methods are safe for concurrent use.
type Env struct {
	History *history.Writer
	Nodes   func() []string               // ids of the present members
	Client  func(node string) *sdk.Client // as root through this node alone: linearizable reads, a call ends within CallTime
	Any     *sdk.Client                   // as root, whichever node answers: for Setup and Settle
	Fresh   func() *sdk.Client            // one with a session of its own, for all nodes
	Address func(node string) string
	Dir     string                   // of the run alone, with a short name, and gone with it
	KMIP    func(node string) string // host:port where the node speaks it
	Ages    bool                     // clocks go on by more than an idempotency key lives
	Plant   func(name string) []byte // a value with this name in it that is searched for afterwards wherever it must not be
}

// Node picks a node.
func (e *Env) Node(r *rand.Rand) string {
	all := e.Nodes()
	return all[r.IntN(len(all))]
}
