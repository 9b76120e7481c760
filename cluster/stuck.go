package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

const (
	stuckLooks = 10 // seconds of this process's own time, for a follower that does not move
	applyLooks = 20
)

// watchReplication is the leader's worker that helps a follower which answers and yet receives nothing of what is committed. First it cuts
// the connections on which it is replicated to, so that they are made anew; when that does not help, it hands leadership over: the
// replication of another leader is another.
func (n *Node) watchReplication(ctx context.Context) error {
	stuck, committed := map[string]*stuckFollower{}, n.raft.CommitIndex()
	for ctx.Err() == nil {
		pause(ctx, time.Second)
		first, err := n.logs.FirstIndex()
		if err != nil {
			continue
		}
		for _, id := range n.followers() {
			if stuck[id] == nil {
				stuck[id] = &stuckFollower{}
			}
			at, silent := n.watch.sightOf(id)
			if s := stuck[id]; s.look(at.last.Last, silent, first, committed) && time.Duration(s.looks)*time.Second > n.sending(s.last) {
				n.unstick(ctx, id, s)
			}
		}
		committed = n.raft.CommitIndex()
	}
	return nil
}

// sending is how long the next entries after an index may be on their way at the pace that patient allows: a follower has them all or none.
func (n *Node) sending(after uint64) time.Duration {
	size := int64(0)
	for i := range uint64(maxAppend) {
		var l raft.Log
		if n.logs.GetLog(after+1+i, &l) != nil {
			break
		}
		size += weight(&l)
	}
	return time.Duration(2*size) * time.Second / patientPace
}

func (n *Node) followers() (ids []string) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if string(s.ID) != n.id.Node {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// stuckFollower counts the looks at which a follower stood at the same index.
type stuckFollower struct {
	last     uint64
	looks    int
	restarts int // that did not help
}

// look notes that a follower has the log up to last and reports whether something has to be done. What was committed before the look before
// it should have. Whoever needs a snapshot, because the log begins after its end, moves only when it has all of it.
func (s *stuckFollower) look(last uint64, silent time.Duration, first, committed uint64) bool {
	moved := last != s.last
	s.last = last
	switch {
	case moved || last >= committed:
		s.looks, s.restarts = 0, 0
		return false
	case last == 0 || silent > healthTime || last+1 < first:
		s.looks = 0
		return false
	}
	s.looks++
	return s.looks%stuckLooks == 0
}

func (n *Node) unstick(ctx context.Context, id string, s *stuckFollower) {
	if s.restarts++; s.restarts == 1 {
		n.log.Warn("a member answers and receives nothing: its replication is begun anew", "member", id, "index", s.last, "seconds", s.looks)
		n.deeds.restarted.Add(1)
		n.port.links.cut(func(peer, proto string) bool { return peer == id && proto == protoRaft })
		return
	}
	n.deeds.handedOver.Add(1)
	to, err := n.Transfer(ctx, "")
	n.log.Warn("a member receives nothing although its replication was begun anew: leadership is handed over", "member", id, "index", s.last, "to", to, "err", err)
}

// watchApply ends a node whose state machine has been inside the same step for long, when the others are a majority without it: they can do
// better, and a start replays. A leader without commits is watchProgress's.
func (n *Node) watchApply(ctx context.Context) error {
	for seen, times := uint64(0), 0; ctx.Err() == nil; {
		pause(ctx, time.Second)
		now := n.store.Applying()
		if times++; now == 0 || now != seen {
			times = 0
		}
		if seen = now; times < applyLooks || !n.dispensable(ctx) {
			continue
		}
		return fmt.Errorf("the state machine has been at the entries after index %d for %d s: the node ends, a start applies them again", n.store.Applied(), times)
	}
	return nil
}

// dispensable reports whether the other voters that answer are a majority without this node.
func (n *Node) dispensable(ctx context.Context) bool {
	others, self := n.voters()
	return len(n.answering(ctx))-1 > (len(others)+self)/2 && n.raft.State() != raft.Leader
}
