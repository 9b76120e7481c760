package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// The log is bounded in bytes: raft's own trigger and its trailing logs count entries, whose size differs by thousands.
const (
	snapshotEvery = 64 << 20
	trailingBytes = 256 << 20
	keepSnapshots = 2
)

// compact takes a snapshot after every 64 MiB of log and keeps the last 256 MiB behind it for members that lag.
func (n *Node) compact(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, time.Second)
		written := n.logs.written.Load()
		if written < snapshotEvery {
			continue
		}
		if err := n.setTrailing(written); err != nil {
			return err
		}
		err := n.raft.Snapshot().Error()
		if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
			n.log.Warn("snapshot not taken, will retry", "err", err)
			pause(ctx, 10*time.Second)
			continue
		}
		n.logs.written.Add(-written)
	}
	return nil
}

// setTrailing converts the bytes to keep into a count, by the average since the last snapshot.
func (n *Node) setTrailing(written int64) error {
	last := n.raft.LastIndex()
	entries := max(last-min(n.lastSnapshot.Swap(last), last), 1)
	cfg := n.raft.ReloadableConfig()
	cfg.TrailingLogs = max(uint64(trailingBytes/max(written/int64(entries), 1)), 128)
	return n.raft.ReloadConfig(cfg)
}

// align brings the tables to where Raft expects them before it starts. Raft does not restore at a start (the tables are durable), so
// tables that were moved aside, or that stand before the latest snapshot, are filled from it here.
func align(store *fsm.Store, snaps raft.SnapshotStore, lastLog uint64) (base uint64, err error) {
	list, err := snaps.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) > 0 {
		base = list[0].Index
		if err := catchUp(store, snaps, list[0].ID); err != nil {
			return 0, err
		}
	}
	if store.Applied() > max(lastLog, base) {
		return 0, fault.New(fault.Corrupt, "the tables stand at index %d but the Raft log ends at %d: a part of the log was lost; "+
			"move the data directory aside and join as a new node", store.Applied(), max(lastLog, base))
	}
	return base, nil
}

// catchUp restores the snapshot when what it holds is ahead of the tables; its own content says so, not Raft's description.
func catchUp(store *fsm.Store, snaps raft.SnapshotStore, id string) error {
	_, r, err := snaps.Open(id)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	index, err := fsm.SnapshotIndex(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if index <= store.Applied() {
		return nil
	}
	_, r, err = snaps.Open(id)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer r.Close()
	return store.Restore(r)
}
