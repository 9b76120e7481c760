package sim

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestALateVoteMakesNoLeader: a candidate of term 2 hears from the leader of term 3, and after that gets a vote of its own election. Raft 1.7.3, which takes
// heartbeats beside its loop, then leads in term 3 too: both leaders' entries are committed at the same indexes, and the tables of the nodes differ
// (hashicorp/raft#695; TestAgreement found it in one seed of some thousands).
func TestALateVoteMakesNoLeader(t *testing.T) {
	onStage(t, func(p *process, s *stage) {
		term := <-s.asked
		done := make(chan raft.RPCResponse, 1)
		s.heartbeat(raft.RPC{RespChan: done, Command: &raft.AppendEntriesRequest{Term: term + 1, Leader: []byte(idOf(1)), RPCHeader: from(1)}})
		<-done
		close(s.vote)
		time.Sleep(10 * time.Millisecond)
		if r := p.agree.Raft(); r.State() == raft.Leader {
			t.Errorf("the candidate of term %d leads in term %d, which has a leader", term, r.CurrentTerm())
		}
	})
}

// TestAFollowerCommitsWhatItWasShown: a follower has an entry of term 2 that was never committed. The leader of term 3 put an empty append together when its
// log ended before that, and added its commit index when it had committed another entry there. Raft 1.7.3 takes that for the follower's own: it applies
// an entry that nobody has agreed to.
func TestAFollowerCommitsWhatItWasShown(t *testing.T) {
	onStage(t, func(p *process, s *stage) {
		close(s.vote)
		appended := func(in raft.AppendEntriesRequest) {
			in.Leader, in.PrevLogEntry, in.PrevLogTerm = []byte(in.ID), 1, 1
			if out, err := serve(p, &in, nil, false); err != nil || !out.(*raft.AppendEntriesResponse).Success {
				t.Errorf("term %d: %+v, %v", in.Term, out, err)
			}
		}
		appended(raft.AppendEntriesRequest{RPCHeader: from(1), Term: 2, LeaderCommitIndex: 1, Entries: []*raft.Log{{Index: 2, Term: 2, Type: raft.LogNoop}}})
		appended(raft.AppendEntriesRequest{RPCHeader: from(2), Term: 3, LeaderCommitIndex: 2})
		if at := p.agree.Raft().CommitIndex(); at != 1 {
			t.Errorf("committed up to %d; the leader has shown it no more than 1", at)
		}
		appended(raft.AppendEntriesRequest{RPCHeader: from(2), Term: 3, LeaderCommitIndex: 2, Entries: []*raft.Log{{Index: 2, Term: 3, Type: raft.LogNoop}}})
		if at := p.agree.Raft().CommitIndex(); at != 2 {
			t.Errorf("committed up to %d; the leader has shown it 2", at)
		}
	})
}

func from(node int) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(idOf(node)), Addr: []byte(idOf(node))}
}

// onStage runs play with node 0 in simulated time, all others being the test.
func onStage(t *testing.T, play func(*process, *stage)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, broken{})
		p := w.newProcess(0)
		s := &stage{transport: p.trans, asked: make(chan uint64, 4), vote: make(chan struct{})}
		p.over = s
		if err := p.open(true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		w.wg.Go(func() { err = p.agree.Run(ctx) })
		synctest.Wait()
		play(p, s)
		cancel()
		w.wg.Wait()
		if err != nil {
			t.Error(err)
		}
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// stage is a transport whose other end is the test: everybody lets this node stand for election, and votes for it when the test says so.
type stage struct {
	*transport
	asked chan uint64   // terms in which votes were asked for
	vote  chan struct{} // closed when they are given
}

func (s *stage) RequestPreVote(_ raft.ServerID, _ raft.ServerAddress, in *raft.RequestPreVoteRequest, out *raft.RequestPreVoteResponse) error {
	*out = raft.RequestPreVoteResponse{RPCHeader: in.RPCHeader, Term: in.Term, Granted: true}
	return nil
}

func (s *stage) RequestVote(_ raft.ServerID, _ raft.ServerAddress, in *raft.RequestVoteRequest, out *raft.RequestVoteResponse) error {
	select {
	case s.asked <- in.Term:
	default:
	}
	<-s.vote
	*out = raft.RequestVoteResponse{RPCHeader: in.RPCHeader, Term: in.Term, Granted: true}
	return nil
}

func (s *stage) AppendEntries(raft.ServerID, raft.ServerAddress, *raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error {
	return errRefused
}

func (s *stage) InstallSnapshot(raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader) error {
	return errRefused
}
