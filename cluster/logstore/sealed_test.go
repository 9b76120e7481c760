package logstore

import (
	"os"
	"path/filepath"
	"testing"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
	"github.com/stretchr/testify/require"
)

// sealTail does what raft-wal does when a segment is full, up to where a kill may come: the file is sealed, and nobody has noted that.
func sealTail(t *testing.T, dir string) (file string) {
	dir = filepath.Join(dir, WAL)
	var meta metadb.BoltMetaDB
	state, err := meta.Load(dir)
	require.NoError(t, err)
	info := state.Segments[len(state.Segments)-1]
	w, err := segment.NewFiler(dir, walfs.New()).RecoverTail(info)
	require.NoError(t, err)
	_, err = w.ForceSeal()
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, meta.Close())
	return filepath.Join(dir, segment.FileName(info))
}

func TestALogThatWasSealedTooEarlyTakesEntries(t *testing.T) {
	dir := t.TempDir()
	s := open(t, WAL, dir)
	fill(t, s, 1, 50)
	require.NoError(t, s.DeleteRange(1, 10))
	for last := uint64(50); last < 200; last += 50 { // each time anew
		require.NoError(t, s.Close())
		sealTail(t, dir)
		s = open(t, WAL, dir)
		holds(t, s, 11, last)
		fill(t, s, last+1, last+50)
		holds(t, s, 11, last+50)
	}
	require.NoError(t, s.DeleteRange(150, 200))
	fill(t, s, 150, 160)
	require.NoError(t, s.Close())
	holds(t, open(t, WAL, dir), 11, 160)
}

// TestASealThatWasTornIsNone: the index of a segment was begun, and its end did not reach the disk.
func TestASealThatWasTornIsNone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, WAL, dir)
	fill(t, s, 1, 50)
	require.NoError(t, s.Close())
	file := sealTail(t, dir)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	b[end-20] ^= 0xff // within the index
	require.NoError(t, os.WriteFile(file, b, 0o600))
	s = open(t, WAL, dir)
	fill(t, s, 51, 60)
	holds(t, s, 1, 60)
}

// TestACopyThatWasCutOffIsMadeAnew: its file is there, and nobody has heard of it.
func TestACopyThatWasCutOffIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	s := open(t, WAL, dir)
	fill(t, s, 1, 50)
	require.NoError(t, s.Close())
	sealTail(t, dir)
	var meta metadb.BoltMetaDB
	state, err := meta.Load(filepath.Join(dir, WAL))
	require.NoError(t, err)
	require.NoError(t, meta.Close())
	half := types.SegmentInfo{ID: state.NextSegmentID, BaseIndex: 1}
	require.NoError(t, os.WriteFile(filepath.Join(dir, WAL, segment.FileName(half)), []byte("half"), 0o600))
	s = open(t, WAL, dir)
	fill(t, s, 51, 60)
	holds(t, s, 1, 60)
}
