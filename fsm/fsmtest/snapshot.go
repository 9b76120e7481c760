package fsmtest

import (
	"bytes"
	"errors"
	"io"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// sink is where Raft would keep a snapshot.
type sink struct{ bytes.Buffer }

func (*sink) ID() string    { return "fsmtest" }
func (*sink) Cancel() error { return nil }
func (*sink) Close() error  { return nil }

// persist takes a snapshot of s as Raft does.
func (c *checker) persist(s *fsm.Store) []byte {
	c.Helper()
	var out sink
	snap, err := s.FSM().Snapshot()
	if err == nil {
		defer snap.Release()
		err = snap.Persist(&out)
	}
	if err != nil {
		c.Fatalf("snapshot: %v", err)
	}
	return out.Bytes()
}

func restore(f raft.FSM, b []byte) error { return f.Restore(io.NopCloser(bytes.NewReader(b))) }

// snapshots restores snapshots of many moments, each as Raft does into a store that lags behind, and as an operator does into one
// that is further on. There it applies the rest of the log, some of which is already in the snapshot, as when Raft replays.
func (c *checker) snapshots() {
	c.Helper()
	source, behind, target := c.open(c.TempDir()), c.open(c.TempDir()), c.open(c.TempDir())
	c.apply(target, c.logs...)
	for i, every := 1, max(1, len(c.logs)/6); i <= len(c.logs); i++ {
		c.apply(source, c.logs[i-1])
		if i%every != 0 {
			continue
		}
		b := c.persist(source)
		if err := errors.Join(restore(behind.FSM(), b), target.Restore(bytes.NewReader(b))); err != nil {
			c.Fatalf("restore: %v", err)
		}
		c.same(behind, uint64(i), "restored over an earlier state")
		c.same(target, uint64(i), "restored over a later state")
		c.apply(target, c.logs[max(0, i-2):]...)
		c.same(target, c.last(), "snapshot and the rest of the log")
	}
}

// damage cuts a snapshot short and flips bits in it.
func (c *checker) damage() {
	c.Helper()
	half := c.last() / 2
	source, target := c.open(c.TempDir()), c.open(c.TempDir())
	c.apply(source, c.logs...)
	c.apply(target, c.logs[:half]...)
	whole := c.persist(source)
	for _, at := range places(len(whole)) {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x04
		for name, b := range map[string][]byte{"a flipped bit": flipped, "a lost end": whole[:at]} {
			if restore(target.FSM(), b) == nil {
				c.Fatalf("a snapshot of %d bytes with %s at byte %d is accepted", len(whole), name, at)
			}
			c.same(target, half, "after a damaged snapshot was refused")
		}
	}
	c.apply(target, c.logs[half:]...)
	c.same(target, c.last(), "the rest of the log after a damaged snapshot was refused")
}

// places are bytes of a snapshot of n: its magic, its first frame's length, checksum and content, its trailer's count and sum.
func places(n int) []int { return []int{0, 10, 14, 16, n / 3, n / 2, n - 40, n - 1} }

// rebuild replays the event log into an empty store.
func (c *checker) rebuild(v *fsm.View) {
	c.Helper()
	found, err := fsm.VerifyChain(c.Context(), v)
	if err != nil {
		c.Fatalf("chain: %v", err)
	}
	if seq, head := v.Head(); found.Records != seq || found.Head != head {
		c.Fatalf("chain: %d records verified of %d", found.Records, seq)
	}
	rebuilt := c.open(c.TempDir())
	if err := fsm.Rebuild(c.Context(), v, rebuilt); err != nil {
		c.Fatalf("rebuild: %v", err)
	}
	c.same(rebuilt, c.last(), "rebuilt from the event log")
}
