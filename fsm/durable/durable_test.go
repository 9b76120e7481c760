package durable

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADirectoryIsMadeWithAllAboveIt(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "a", "b", "c")
	for range 2 { // and again, when it is there
		require.NoError(t, MakeDir(path))
	}
	for dir := path; dir != top; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), dir)
	}
	require.NoError(t, SyncDir(path))
	require.Error(t, SyncDir(filepath.Join(top, "none")))
	require.NoError(t, os.WriteFile(filepath.Join(top, "file"), nil, 0o600))
	require.Error(t, MakeDir(filepath.Join(top, "file")))
	require.Error(t, MakeDir(filepath.Join(top, "file", "below")))
	require.NoError(t, os.Symlink(path, filepath.Join(top, "link")))
	require.NoError(t, MakeDir(filepath.Join(top, "link")), "a link to a directory is one")
	t.Chdir(top)
	require.NoError(t, MakeDir("relative/one"))
	require.NoError(t, MakeDir("."))
}
