package cluster

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSpaceIsWatchedOnEveryFileSystem has the Raft log on a file system of its own, which runs full alone.
func TestSpaceIsWatchedOnEveryFileSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system takes root")
	}
	const mib = 1 << 20
	dir := t.TempDir()
	raft := filepath.Join(dir, "raft")
	require.NoError(t, os.Mkdir(raft, 0o700))
	require.NoError(t, syscall.Mount("tmpfs", raft, "tmpfs", 0, "size=16m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(raft, 0)) })

	d, err := newDisk(dir, 4*mib, 2*mib, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.False(t, d.low())
	require.NoError(t, d.layBallast())
	for _, path := range []string{dir, raft} {
		info, err := os.Stat(filepath.Join(path, "ballast"))
		require.NoError(t, err, "one on each")
		require.EqualValues(t, 2*mib, info.Size())
	}
	require.NoError(t, os.WriteFile(filepath.Join(raft, "filler"), make([]byte, 12*mib), 0o600))
	require.NoError(t, d.look())
	require.True(t, d.low(), "the log's file system is nearly full")
	require.LessOrEqual(t, d.free.Load(), int64(2*mib))

	_ = os.WriteFile(filepath.Join(raft, "rest"), make([]byte, 4*mib), 0o600) // as much as fits
	again, err := newDisk(dir, 4*mib, 2*mib, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(raft, "ballast"), "a start on a full disk gives it back")
	require.FileExists(t, filepath.Join(dir, "ballast"), "there is space here")
	require.GreaterOrEqual(t, again.free.Load(), int64(2*mib))
}
