package logstore

import (
	"errors"
	"fmt"
	"io/fs"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// reopenTail mends what raft-wal 0.4.2 does not: a process that ends between sealing a full segment and turning to the next one leaves a tail that
// takes no more entries, and with it a log that refuses every write for good. What such a tail holds goes into a new segment with room
// for more. Up to the moment when that one takes its place nothing is changed.
func reopenTail(dir string, meta types.MetaStore) error {
	state, err := meta.Load(dir)
	if err != nil || len(state.Segments) == 0 {
		return err
	}
	last := &state.Segments[len(state.Segments)-1]
	if !last.SealTime.IsZero() {
		return nil
	}
	files := segment.NewFiler(dir, walfs.New())
	old, err := files.RecoverTail(*last)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was not made yet, which raft-wal knows
	}
	if err != nil {
		return err
	}
	if sealed, _, err := old.Sealed(); err != nil || !sealed {
		return errors.Join(err, old.Close())
	}
	err = moveTail(files, old, last, state.NextSegmentID)
	if err = errors.Join(err, old.Close()); err != nil {
		return fmt.Errorf("reopen a segment of the Raft log that was sealed too early: %w", err)
	}
	state.NextSegmentID++
	return meta.CommitState(state)
}

// moveTail copies a tail into a segment of its own number, with twice the room, and has info describe that.
func moveTail(files *segment.Filer, old types.SegmentWriter, info *types.SegmentInfo, id uint64) error {
	to := *info
	to.ID, to.BaseIndex, to.SizeLimit = id, info.MinIndex, min(2*info.SizeLimit, 1<<30)
	if err := files.Delete(to.BaseIndex, to.ID); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an attempt that was cut off
		return err
	}
	w, err := files.Create(to)
	if err != nil {
		return err
	}
	*info = to
	return errors.Join(copyEntries(old, w, to.BaseIndex), w.Close())
}

// copyBytes is about how much is appended at once.
const copyBytes = 1 << 20

func copyEntries(from, to types.SegmentWriter, first uint64) error {
	var batch []types.LogEntry
	size := 0
	for i := first; i <= from.LastIndex(); i++ {
		b, err := from.GetLog(i)
		if err != nil {
			return err
		}
		batch = append(batch, types.LogEntry{Index: i, Data: append([]byte(nil), b.Bs...)})
		size += len(b.Bs)
		b.Close()
		if size < copyBytes && i < from.LastIndex() {
			continue
		}
		if err := to.Append(batch); err != nil {
			return err
		}
		batch, size = nil, 0
	}
	return nil
}
