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
		term := <-s.asked
		done := make(chan raft.RPCResponse, 1)
		s.heartbeat(raft.RPC{RespChan: done, Command: &raft.AppendEntriesRequest{Term: term + 1, Leader: []byte(idOf(1)),
			RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(idOf(1)), Addr: []byte(idOf(1))}}})
		<-done
		close(s.vote)
		time.Sleep(10 * time.Millisecond)
		if r := p.agree.Raft(); r.State() == raft.Leader {
			t.Errorf("the candidate of term %d leads in term %d, which has a leader", term, r.CurrentTerm())
		}
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
