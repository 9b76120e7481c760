package cluster_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// sickLog is a log whose disk can hang or fail.
type sickLog struct {
	cluster.LogStore
	hang atomic.Pointer[chan struct{}]
	fail atomic.Bool
}

func (s *sickLog) StoreLogs(logs []*raft.Log) error {
	if c := s.hang.Load(); c != nil {
		<-*c
	}
	if s.fail.CompareAndSwap(true, false) { // once: whoever tries again finds it well
		return errors.New("input/output error")
	}
	return s.LogStore.StoreLogs(logs)
}

// sicken starts a node again on a log that obeys the test.
func (f *fixture) sicken(id string) *sickLog {
	f.stop(id)
	sick, cfg := &sickLog{}, f.configs[id]
	cfg.WrapLog = func(s cluster.LogStore) cluster.LogStore { sick.LogStore = s; return sick }
	identity, err := cluster.LoadIdentity(cfg.Dir)
	require.NoError(f.t, err)
	f.start(cfg, identity, false)
	f.agrees(100)
	return sick
}

func (f *fixture) stop(id string) {
	n := f.nodes[id]
	n.stop()
	require.NoError(f.t, <-n.done)
	delete(f.nodes, id)
}

func (f *fixture) leader() string {
	var leader string
	f.eventually("a leader", func() bool {
		for id, n := range f.nodes {
			if n.Leads() {
				leader = id
			}
		}
		return leader != ""
	})
	return leader
}

// lead makes a node the leader.
func (f *fixture) lead(id string) {
	f.eventually(id+" leads", func() bool {
		if f.nodes[id].Leads() {
			return true
		}
		_, _ = f.nodes[f.leader()].Transfer(f.t.Context(), id) // again until it is fit
		return false
	})
}

func TestALeaderWhoseDiskHangsMakesWayAndEnds(t *testing.T) {
	t.Parallel()
	f := found(t)
	sick := f.sicken("n1")
	f.lead("n1")
	well := make(chan struct{})
	sick.hang.Store(&well)
	defer close(well)
	n := f.nodes["n1"]
	delete(f.nodes, "n1")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := n.Ledger().Commit(ctx, fsm.Request{ID: fsm.UID{3}, Tenant: fsm.RootTenant}, "", func(_ *fsm.View, e *fsm.Entry) error {
		e.Add(noted{"hang", 1})
		return nil
	})
	require.True(t, fault.Is(err, fault.Unknown), "%v", err)
	select {
	case err := <-n.done:
		require.ErrorContains(t, err, "has not finished a write")
	case <-time.After(time.Minute):
		t.Fatal("the node goes on")
	}
	f.agrees(7)
}

func TestAFailedWriteToTheLogIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	f := found(t)
	sick := f.sicken("n2")
	sick.fail.Store(true)
	n := f.nodes["n2"]
	delete(f.nodes, "n2")
	f.agrees(8)
	select {
	case err := <-n.done:
		require.ErrorContains(t, err, "input/output error")
	case <-time.After(time.Minute):
		t.Fatal("the node goes on")
	}
}

// TestANodeStopsUnderLoad: Raft may drop what is on its way when it stops, and nobody may wait for that.
func TestANodeStopsUnderLoad(t *testing.T) {
	t.Parallel()
	for range 6 {
		f := alone(t)
		n := f.nodes["n1"]
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for i := range 16 {
			writers.Go(func() {
				for k := uint64(0); ctx.Err() == nil; k++ {
					_, _ = n.Ledger().Commit(ctx, fsm.Request{ID: fsm.UID{byte(i), byte(k)}, Tenant: fsm.RootTenant}, "", func(_ *fsm.View, e *fsm.Entry) error {
						e.Add(noted{"load", k})
						return nil
					})
				}
			})
		}
		f.eventually("some load", func() bool { return n.Store().Applied() > 50 })
		n.stop()
		select {
		case err := <-n.done:
			require.NoError(t, err)
		case <-time.After(30 * time.Second):
			t.Fatal("the node does not end")
		}
		cancel()
		writers.Wait()
		delete(f.nodes, "n1")
	}
}

// TestAMemberThatGotASnapshotIsSound: what the snapshot covers leaves no hole in its log that looks like damage later.
func TestAMemberThatGotASnapshotIsSound(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			f := foundWith(t, func(c *cluster.Config) { c.LogStore, c.Snapshot, c.Trailing = store, 16<<10, 16<<10 })
			leader := f.nodes[f.leader()]
			f.stop(f.follower())
			var gone string
			for id := range f.configs {
				if f.nodes[id] == nil {
					gone = id
				}
			}
			for i := uint64(0); leader.FirstLogIndex() < leader.Store().Applied()-300 || i < 500; i++ {
				f.commit(leader, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"a", i}} })
				require.Less(t, i, uint64(20000), "the log is never cut")
			}
			id, err := cluster.LoadIdentity(f.configs[gone].Dir)
			require.NoError(t, err)
			f.start(f.configs[gone], id, false)
			f.agrees(3)
			f.stop(gone)
			back := f.start(f.configs[gone], id, false)
			f.agrees(4)
			require.NoError(t, back.CheckStored(t.Context()))
		})
	}
}

func (f *fixture) follower() string {
	leader := f.leader()
	for id := range f.nodes {
		if id != leader {
			return id
		}
	}
	f.t.Fatal("no follower")
	return ""
}

func (f *fixture) remove(leader *node, id string) error {
	return leader.Remove(f.t.Context(), fsm.Request{ID: fsm.UID{4}, Tenant: fsm.RootTenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{4, byte(len(f.nodes))}}}, id)
}

func TestTwoRemovalsInARowKeepTheMajority(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	leader := f.nodes["n1"]
	f.join(leader, "n4")
	f.stop("n4")
	r := func(key byte) fsm.Request {
		return fsm.Request{ID: fsm.UID{key}, Tenant: fsm.RootTenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{key}}}
	}
	require.NoError(t, leader.Remove(t.Context(), r(101), "n2"))
	err := leader.Remove(t.Context(), r(102), "n3")
	require.True(t, fault.Is(err, fault.NotDone) || fault.Is(err, fault.Conflict), "%v", err)
	f.eventually("n2 is out", func() bool {
		err := leader.Remove(t.Context(), r(103), "n3")
		require.Error(t, err, "n1 alone is no majority of n1 and n4")
		return fault.Is(err, fault.Conflict)
	})
	gone := f.nodes["n2"]
	delete(f.nodes, "n2")
	require.ErrorContains(t, <-gone.done, "was removed")
	f.agrees(9)
}

func TestTwoTokensForOneIDAdmitOneNode(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var tokens []string
	for i := range byte(4) {
		r := fsm.Request{ID: fsm.UID{i}, Tenant: fsm.RootTenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{200, i}}}
		token, err := f.nodes["n1"].IssueJoinToken(ctx, r, "n9", string(rune('a'+i)))
		require.NoError(t, err)
		tokens = append(tokens, string(token.Token))
	}
	errs := make(chan error, len(tokens))
	for _, token := range tokens {
		dir, self := t.TempDir(), f.config("n9").Self
		go func() {
			_, err := cluster.Join(ctx, dir, token, self)
			errs <- err
		}()
	}
	admitted := 0
	for range 4 {
		if err := <-errs; err == nil {
			admitted++
		} else {
			require.True(t, fault.Is(err, fault.Conflict), "%v", err)
		}
	}
	require.Equal(t, 1, admitted)
}
