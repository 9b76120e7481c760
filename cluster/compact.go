package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
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
		if n.logs.written.Load() < n.cfg.snapshotEvery() {
			continue
		}
		if err := n.snapshot(); err != nil {
			n.log.Warn("snapshot not taken, will retry", "err", err)
			pause(ctx, 10*time.Second)
		}
	}
	return nil
}

func (n *Node) snapshot() error {
	written, last := n.logs.written.Load(), n.raft.LastIndex()
	if err := n.setTrailing(written, last); err != nil {
		return err
	}
	if err := n.await(n.raft.Snapshot()); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return err
	}
	n.lastSnapshot = last
	n.logs.written.Add(-written)
	return nil
}

// setTrailing converts the bytes to keep into a count, by the average since the last snapshot.
func (n *Node) setTrailing(written int64, last uint64) error {
	entries := max(last-min(n.lastSnapshot, last), 1)
	cfg := n.raft.ReloadableConfig()
	cfg.TrailingLogs = max(uint64(n.cfg.trailing()/max(written/int64(entries), 1)), 128)
	return n.raft.ReloadConfig(cfg)
}

// align brings tables and log to where Raft expects them before it starts, and returns the index of the latest snapshot. Raft does not
// restore at a start (the tables are durable), so tables that were moved aside, or that stand before the latest snapshot, are filled from
// it here; and a log that ends before it, because a crash came between a snapshot from the leader and the removal of what it
// covers, is emptied.
func align(store *fsm.Store, logs raft.LogStore, snaps raft.SnapshotStore) (base uint64, err error) {
	list, err := snaps.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) > 0 {
		base = list[0].Index
		if err := catchUp(store, snaps, list[0]); err != nil {
			return 0, err
		}
	}
	first, last, err := boundsOf(logs)
	if err != nil {
		return 0, err
	}
	if last < base && last > 0 {
		if err := logs.DeleteRange(first, last); err != nil {
			return 0, err
		}
		first, last = 0, 0
	}
	if err := contiguous(store.Applied(), base, first, last); err != nil {
		return 0, err
	}
	if first > base+1 { // the tables would do, but Raft starts from the snapshot
		return 0, fault.New(fault.Corrupt, "the Raft log begins at index %d but the latest snapshot ends at %d: a snapshot was lost; "+
			"move the data directory aside and join as a new node", first, base)
	}
	return base, nil
}

// openSnapshots opens the directory of Raft's snapshots, which raft would make without syncing its name.
func openSnapshots(dir string, log *slog.Logger) (*raft.FileSnapshotStore, error) {
	if err := durable.MakeDir(filepath.Join(dir, "snapshots")); err != nil {
		return nil, fmt.Errorf("make the directory of snapshots: %w", err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnapshots, hclogTo(log))
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return snaps, nil
}

func boundsOf(logs raft.LogStore) (first, last uint64, err error) {
	if first, err = logs.FirstIndex(); err == nil {
		last, err = logs.LastIndex()
	}
	return first, last, err
}

// contiguous names a state whose parts do not join.
func contiguous(applied, base, first, last uint64) error {
	switch {
	case applied > max(last, base):
		return fault.New(fault.Corrupt, "the tables stand at index %d but the Raft log ends at %d: a part of the log was lost; "+
			"move the data directory aside and join as a new node", applied, max(last, base))
	case first > max(applied, base)+1:
		return fault.New(fault.Corrupt, "the Raft log begins at index %d but the tables stand at %d: what lies between was lost; "+
			"move the data directory aside and join as a new node", first, max(applied, base))
	}
	return nil
}

// catchUp restores a snapshot that is ahead of the tables. Its own content says whether it is, where that matters: a restored backup has an
// index in Raft's description that is higher.
func catchUp(store *fsm.Store, snaps raft.SnapshotStore, at *raft.SnapshotMeta) error {
	if store.Applied() >= at.Index {
		return nil
	}
	_, r, err := snaps.Open(at.ID)
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
	_, r, err = snaps.Open(at.ID)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer r.Close()
	return store.Restore(r)
}
