// Package sim tests without processes, from seeds.
//
// TestEngines drives the real engines over a real state machine, with the leader's workers and a log of one node, and compares every answer with a
// model that has neither log nor views nor keys (model_test.go). Other entries come between a decision and its own, keys of requests are used again, the
// vault is stopped or crashes with what its tables had not synced; in the end the log gives the same state again, whole, from a snapshot, and
// rebuilt from its records.
//
// TestAgreement runs three nodes' cluster.Agreement, Raft and Pebble included, in a bubble of testing/synctest, over messages, disks and a clock that are
// made up: messages are lost, late and held, nodes crash with what they had not synced, or pause. Histories are checked with porcupine, what was
// refused or is unknown against the event log, and the tables of all nodes against each other. What it does not have: TLS and connections,
// membership, forwarding, clocks that differ.
//
// Everything random comes from the seed, and a test that fails prints it:
//
//	TRSTCTL_SIM_SEED=7 go run ./jepsen/sim/exact ./jepsen/sim -run TestAgreement     one seed, exactly as before
//	TRSTCTL_SIM_SEEDS=5000 go run ./jepsen/sim/exact ./jepsen/sim -timeout 0          many, from TRSTCTL_SIM_FIRST on
//	TRSTCTL_SIM_TRACE=/tmp/trace ...                                                  with a line for everything that happened
//	TRSTCTL_SIM_OFTEN=pauses ...                                                      with more of them than of anything else, up to the first seed that fails; or late-answers
//
// A plain `go test` runs the same seeds, but the runtime has choices of its own there, as which ready case a select takes, and two runs part after a few
// hundred messages. jepsen/sim/exact takes them away; TestReplay measures that.
//
// TestBroken and TestWrongModels show that all this can fail: they break one thing after the other, and want each found. So do the mutants of the
// product (-tags exact,mutants; see fsm/mutant).
package sim
