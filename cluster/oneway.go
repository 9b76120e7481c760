package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// oneWay is a Raft transport on which everything that arrives goes to Raft's one loop, in a form that mends two mistakes of Raft 1.7.3.
//
// Raft would take heartbeats on a way of their own, in the goroutine of their connection, so that a follower in the middle of a slow write does not
// lose its leader. There it changes its term and its role under the hands of that loop. A candidate that hears from the leader of a later
// term and then gets a late vote of its own election leads in that leader's term: two leaders, both of whose entries are committed, and tables that
// differ (hashicorp/raft#695).
//
// So the loop gets heartbeats too. When it does not take one for a while, it is answered here, if nothing but "yes" can be the answer, and nothing is
// changed: a leader wants to know that there is a follower, in its term and its own.
//
// A follower would commit up to the leader's commit index all that it has: see commitShown.
type oneWay struct {
	Transport
	all  chan raft.RPC
	raft atomic.Pointer[raft.Raft] // nil until it has started
	down <-chan struct{}
}

// Transport is what carries Raft's calls.
type Transport interface {
	raft.Transport
	raft.WithPreVote
}

// beatPatience is how long a heartbeat waits for Raft's loop: well below the leader's lease.
const beatPatience = 100 * time.Millisecond

func newOneWay(t Transport, down <-chan struct{}) *oneWay {
	return &oneWay{Transport: t, all: make(chan raft.RPC), down: down}
}

// run passes on what is no heartbeat, until ctx ends.
func (o *oneWay) run(ctx context.Context) error {
	for {
		select {
		case rpc := <-o.Transport.Consumer():
			rpc.Command = commitShown(rpc.Command)
			o.pass(rpc)
		case <-ctx.Done():
			return nil
		}
	}
}

func (o *oneWay) pass(rpc raft.RPC) {
	select {
	case o.all <- rpc:
	case <-o.down:
		rpc.Respond(nil, raft.ErrRaftShutdown)
	}
}

// commitShown lets a follower commit no more than the entries up to the last one that an append shows it, or says that it follows on (Raft, figure 2: the
// index of the last new entry). Raft commits up to the end of the follower's log. That end may be entries of an earlier leader, which the leader's log
// contradicts: it put the append together before it had more entries, and added its commit index after another node had made it move.
func commitShown(command any) any {
	in, ok := command.(*raft.AppendEntriesRequest)
	if !ok {
		return command
	}
	last := in.PrevLogEntry
	if n := len(in.Entries); n > 0 {
		last = in.Entries[n-1].Index
	}
	if in.LeaderCommitIndex <= last {
		return command
	}
	shown := *in
	shown.LeaderCommitIndex = last
	return &shown
}

// Consumer implements raft.Transport.
func (o *oneWay) Consumer() <-chan raft.RPC { return o.all }

// SetHeartbeatHandler implements raft.Transport. Raft's own handler is the one that must not be called.
func (o *oneWay) SetHeartbeatHandler(func(raft.RPC)) { o.Transport.SetHeartbeatHandler(o.beat) }

func (o *oneWay) beat(rpc raft.RPC) {
	wait := time.NewTimer(beatPatience)
	defer wait.Stop()
	select {
	case o.all <- rpc:
		return
	case <-wait.C:
	}
	in, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok {
		rpc.Respond(nil, errors.New("not a heartbeat"))
		return
	}
	if !o.follows(in) {
		o.pass(rpc)
		return
	}
	rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: in.ProtocolVersion}, Term: in.Term, LastLog: o.raft.Load().LastIndex(), Success: true}, nil)
}

// follows reports whether this node is a follower of who sends a heartbeat, in its term. It may be in a later one a moment after that: so it may after
// any answer.
func (o *oneWay) follows(in *raft.AppendEntriesRequest) bool {
	r := o.raft.Load()
	if r == nil || r.State() != raft.Follower || r.CurrentTerm() != in.Term {
		return false
	}
	_, leader := r.LeaderWithID()
	return string(leader) == string(in.ID)
}
