package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhatAKilledHarnessLeftIsSweptAway has a place whose lock nobody holds any more, with a process, a frozen group and files in it.
func TestWhatAKilledHarnessLeftIsSweptAway(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p, err := NewPlace()
	require.NoError(t, err)
	mine, theirs := exec.Command("sleep", "600"), exec.Command("sleep", "600")
	mine.Env = append(os.Environ(), p.mark())
	for _, c := range []*exec.Cmd{mine, theirs} {
		require.NoError(t, c.Start())
		require.NoError(t, p.started(c.Process.Pid))
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = mine.Wait() }()
	defer func() { _ = theirs.Process.Kill(); _ = theirs.Wait() }()
	if CanSandbox() {
		g, err := newGroup(filepath.Base(p.Dir), "n1")
		require.NoError(t, err)
		require.NoError(t, g.add(mine.Process.Pid))
		require.NoError(t, g.freeze(true))
		defer func() {
			require.NoDirExists(t, g.freezer)
			require.NoDirExists(t, g.memory)
		}()
	}

	other, err := NewPlace()
	require.NoError(t, err)
	require.DirExists(t, p.Dir, "its harness lives")
	require.NoError(t, p.lock.Close()) // as the kernel does when it is killed

	require.NoError(t, Sweep())
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the process of the place lives on")
	}
	require.NoDirExists(t, p.Dir)
	require.DirExists(t, other.Dir)
	require.NoError(t, theirs.Process.Signal(syscall.Signal(0)), "a process id that is somebody else's by now")
	require.NoError(t, other.Close())
	require.NoDirExists(t, other.Dir)
}
