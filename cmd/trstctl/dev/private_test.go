package dev

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOthersCannotReachIn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	require.ErrorContains(t, Run(t.Context(), options(t, dir)), "chmod 700")

	// A log that was made a link to somebody's file beforehand is not followed.
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("mine"), 0o600))
	o := options(t, t.TempDir())
	d := &cluster{opt: o, spawner: newSpawner()}
	defer close(d.spawner.requests)
	n := Node{ID: "n1", Dir: filepath.Join(o.Dir, "n1")}
	require.NoError(t, os.Symlink(victim, n.log()))
	_, err := d.startChild(n, "")
	require.ErrorContains(t, err, "open the log")
}
