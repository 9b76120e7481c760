package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestABackupOfANewerClusterIsRefused(t *testing.T) {
	require.NoError(t, readable(backup.Header{Version: cluster.Version}))
	err := readable(backup.Header{Version: cluster.Version + 1})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.ErrorContains(t, err, "use a newer one")
}

// TestARestoreTakesAnEmptyDirectoryOnly: what a node that never was one leaves does not count.
func TestARestoreTakesAnEmptyDirectoryOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lock", "trstctl.sock", "lost+found", "seals"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, emptyDirectory(dir))
	for _, name := range []string{"node.json", "tables", "raft", "anything"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.True(t, fault.Is(emptyDirectory(dir), fault.Conflict), name)
		require.NoError(t, os.Remove(path))
	}
}

// TestAnUnfinishedRestoreIsClearedAsAWhole also after a crash between any two of its own removals.
func TestAnUnfinishedRestoreIsClearedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, mark(dir, "", restoring))
	for _, name := range []string{"tables", "snapshots", "raft", "tls"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "x"), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "node.json.new"), nil, 0o600))
	require.NoError(t, clearRestore(dir))
	require.NoError(t, emptyDirectory(dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tables"), 0o700))
	require.NoError(t, clearRestore(dir), "without the mark nothing is touched")
	require.DirExists(t, filepath.Join(dir, "tables"))
}
