// Package scenario puts clusters, workloads and faults together, runs them, and leaves a directory that holds everything of a run: how it was
// made, the history as JSON lines and as EDN, the nodes' logs, the verdicts, the figures, and a page that shows them.
package scenario

import (
	"fmt"
	"time"

	n "github.com/trstctl/trstctl/jepsen/nemesis"

	"github.com/trstctl/trstctl/jepsen/lab"
)

// Scenario is what is done to a cluster, and what the cluster is.
type Scenario struct {
	Name   string
	Says   string
	Faults []n.Fault
	Rest   [2]time.Duration // between two faults; zero: the nemesis' own

	Nodes     int      // 0: three
	Disk      lab.Disk // empty: plain
	Workloads []string // empty: all
	Snapshot  int      // MiB of log between snapshots and behind them; 0: the node's own
	Trailing  int

	Namespaces bool // it takes network namespaces
	HSM        bool // the nodes are sealed by a SoftHSM token
	Ages       bool // clocks go on by days
	Older      bool // it takes a binary of the version before; all nodes begin with it
}

// All are the scenarios, in the order of a tour.
func All() []Scenario {
	return []Scenario{
		{Name: "calm", Says: "no fault: what the others are compared with"},
		{Name: "partitions", Says: "nodes cut off from each other in every shape, also one way, and flapping",
			Faults: []n.Fault{n.Halves, n.IsolateLeader, n.IsolateOne, n.Ring, n.Bridge, n.Mute, n.Deaf, n.OneWayPair, n.Flapping}},
		{Name: "channels", Says: "one kind of traffic alone fails: Raft's, the clients', gossip", Namespaces: true,
			Faults: []n.Fault{n.RaftOnly, n.APIOnly, n.GossipOnly}},
		{Name: "links", Says: "links that are slow, stall, reset, lose and repeat, or are open at one end", Namespaces: true,
			Faults: []n.Fault{n.Delay, n.DelayOne, n.Loss, n.Duplicate, n.Stall, n.Reset, n.HalfOpen, n.LateAnswers}},
		{Name: "answers", Says: "a leader that nobody hears gets late answers to what it said before", Namespaces: true, Rest: [2]time.Duration{500 * time.Millisecond, 1500 * time.Millisecond},
			Faults: []n.Fault{n.LateAnswers}},
		{Name: "kills", Says: "SIGKILL of the leader, one, a minority, a majority, all; orderly restarts",
			Faults: []n.Fault{n.KillLeader, n.KillOne, n.KillMinority, n.KillMajority, n.KillAll, n.Restart}},
		{Name: "failover", Says: "the leader killed again and again, for the figures", Rest: [2]time.Duration{2 * time.Second, 3 * time.Second},
			Faults: []n.Fault{n.KillLeader}},
		{Name: "pauses", Says: "SIGSTOP for a tenth of a second to ten, mostly of the leader; the freezer",
			Faults: []n.Fault{n.PauseLeader, n.BlinkLeader, n.BlinkLeader, n.PauseOne, n.PauseMajority, n.PauseAll, n.FreezeOne}},
		{Name: "memory", Says: "a node with less memory than it uses", Faults: []n.Fault{n.Memory}},
		{Name: "failpoints", Says: "killed between two steps: during boot, unseal, snapshot, restore, rotation, join", Snapshot: 1, Trailing: 1,
			Faults: []n.Fault{n.Failpoint}},
		{Name: "clocks", Says: "wall clocks that jump, stand still, run wrong and flicker",
			Faults: []n.Fault{n.ClockJump, n.ClockLeader, n.ClockFrozen, n.ClockSkewed, n.ClockStrobes}, Workloads: []string{"register", "versions", "bank", "audit", "idempotency", "transit", "probe"}},
		{Name: "power", Says: "power cuts of one, a majority and all, with everything lost that was not synced, or torn", Disk: lab.Faulty, Namespaces: true,
			Faults: []n.Fault{n.PowerCutOne, n.PowerCutMajority, n.PowerCutAll, n.TornAll}, Snapshot: 1, Trailing: 1},
		{Name: "disks", Says: "syncs that fail, are slow, or hang; no space", Disk: lab.Faulty, Namespaces: true,
			Faults: []n.Fault{n.FailSync, n.SlowSync, n.HangSync, n.NoSpace}},
		{Name: "full", Says: "a small disk that fills up", Disk: lab.Small, Namespaces: true, Faults: []n.Fault{n.Full}},
		{Name: "damage", Says: "flipped bits in the log and tables of one node, a row altered, an old directory put back", Nodes: 3,
			Faults: []n.Fault{n.FlipLog, n.FlipTables, n.OldDirectory, n.AlteredRow}},
		{Name: "members", Says: "nodes removed, replaced and added under load, the leader too; leadership handed over",
			Faults: []n.Fault{n.Transfer, n.Replace, n.Shrink, n.KillLeader}},
		{Name: "snapshots", Says: "short logs: who was away comes back by a snapshot", Snapshot: 1, Trailing: 1,
			Faults: []n.Fault{n.LongAbsence, n.KillLeader, n.Restart}},
		{Name: "seals", Says: "nodes sealed under load, also all of them; keys rotated; restarts meanwhile",
			Faults: []n.Fault{n.SealOne, n.SealMajority, n.SealAll, n.Rotate, n.KillOne}},
		{Name: "hsm", Says: "the HSM that all nodes open with goes away while they are started anew, and comes back", HSM: true,
			Faults: []n.Fault{n.HSMDown, n.Rotate, n.KillAll}},
		{Name: "certificates", Says: "every certificate expires at once while nodes are killed", Workloads: []string{"register", "versions", "bank", "transit", "probe"}, Ages: true,
			Faults: []n.Fault{n.Expired, n.KillOne, n.KillLeader}},
		{Name: "versions", Says: "two versions of the binary in one cluster, nodes changed to and fro", Older: true,
			Workloads: []string{"register", "versions", "bank", "token", "audit", "idempotency", "transit", "kmip", "probe"}, // what the older one knows
			Faults: []n.Fault{n.Upgrade, n.KillOne}},
		{Name: "five", Says: "five nodes, partitions, kills and pauses in turn", Nodes: 5,
			Faults: []n.Fault{n.Halves, n.Ring, n.Bridge, n.IsolateLeader, n.Mute, n.Flapping, n.KillMinority, n.KillMajority, n.KillLeader, n.PauseLeader, n.PauseMajority, n.Transfer}},
	}
}

// ByName finds one.
func ByName(name string) (Scenario, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("there is no scenario %q: see `go run ./jepsen list`", name)
}
