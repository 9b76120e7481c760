package cluster

import (
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
)

// Figures are what a node measures of itself, for its metrics. Taking them asks no other node and costs no disk access but a directory's list.
type Figures struct {
	Status
	Voter     bool
	Age       time.Duration // of the state
	Contact   time.Duration // since the leader was heard of; 0 of the leader itself
	LogBytes  int64         // written to the Raft log since the last snapshot
	Snapshot  time.Time     // of the newest; zero when there is none
	FreeBytes int64         // on the data directory's disk
	Reserve   int64         // below it writes are refused
	BadClock  bool          // a majority's clocks differ too much from this leader's

	Healthy       int    // voters without a problem, as this node has seen them
	Quarantined   bool   // its tables differ from a majority's
	DigestIndex   uint64 // at which it has compared its tables last, 0 for not yet
	GossipMembers int    // that it sees in gossip, itself included; 0 when it does not gossip
	Deeds         Deeds
}

// Figures measures this node.
func (n *Node) Figures() Figures {
	f := Figures{Status: n.Status(), Age: n.Age(), LogBytes: n.logs.written.Load(), Snapshot: n.newestSnapshot(),
		FreeBytes: n.disk.free.Load(), Reserve: n.cfg.Reserve, BadClock: n.clock.wrong(),
		Quarantined: n.quarantined.Load() != nil, GossipMembers: int(n.gossipMembers.Load()), Deeds: n.deeds.count()}
	_, f.Healthy, _ = n.Tolerance()
	if points := n.digests.latest(); len(points) > 0 {
		f.DigestIndex = points[len(points)-1].Index
	}
	_, self := n.voters()
	f.Voter = self == 1
	if n.raft.State() != raft.Leader {
		f.Contact = time.Since(n.raft.LastContact())
		if n.raft.LastContact().IsZero() {
			f.Contact = f.Age // none since the start
		}
	}
	return f
}

func (n *Node) newestSnapshot() (at time.Time) {
	all, err := os.ReadDir(filepath.Join(n.cfg.Dir, "snapshots"))
	if err != nil {
		return at // a metric that is missing says it
	}
	for _, e := range all {
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) != ".tmp" && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}
