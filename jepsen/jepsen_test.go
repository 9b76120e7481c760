package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/scenario"
)

func TestAKilledHarnessLeavesNothing(t *testing.T) {
	temp, dir := t.TempDir(), t.TempDir()
	jepsen := filepath.Join(dir, "jepsen")
	out, err := exec.Command("go", "build", "-o", jepsen, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	c := exec.Command(jepsen, "run", "--scenario", "kills", "--time", "10m", "--seed", "1", "--out", filepath.Join(dir, "runs"))
	c.Env = append(os.Environ(), "TMPDIR="+temp)
	told, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer func() { _ = c.Wait() }()
	lines := bufio.NewScanner(told)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=fault") {
	}
	require.Contains(t, lines.Text(), "msg=fault", "it never came to its first fault")
	require.NotEmpty(t, processesOf(t, temp), "nodes run")
	require.NoError(t, c.Process.Kill())

	require.Eventually(t, func() bool { return len(processesOf(t, temp)) == 0 || !lab.CanSandbox() }, time.Minute, 50*time.Millisecond, "processes live on")
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), temp)

	t.Setenv("TMPDIR", temp)
	require.Eventually(t, func() bool { // the kernel may still be taking the namespaces down: a harness that ends is taken for one that lives
		require.NoError(t, lab.Sweep()) // as the next run does first
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		return len(left) == 0
	}, time.Minute, 100*time.Millisecond)
	require.Empty(t, processesOf(t, temp))
	groups, err := filepath.Glob("/sys/fs/cgroup/*/tj-*")
	require.NoError(t, err)
	for _, g := range groups {
		b, err := os.ReadFile(filepath.Join(g, "cgroup.procs"))
		require.NoError(t, err)
		require.NotEmpty(t, b, "%s is empty and left behind", g) // another run's has processes
	}
}

// processesOf finds those that have the directory in their environment.
func processesOf(t *testing.T, dir string) (pids []int) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, path := range all {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(env, []byte(dir)) {
			continue // it ended, or is not ours
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		require.NoError(t, err)
		if syscall.Kill(pid, 0) == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestEveryScenarioOfATourAndAHuntIsThere(t *testing.T) {
	for _, s := range short {
		_, err := scenario.ByName(s.scenario)
		require.NoError(t, err)
	}
	for name, list := range hunts {
		for _, s := range list {
			if s == simulation { // which is no scenario
				continue
			}
			_, err := scenario.ByName(s.scenario)
			require.NoError(t, err, name)
		}
	}
	seen := map[string]bool{}
	for _, s := range scenario.All() {
		require.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
		require.NotEmpty(t, s.Says, s.Name)
	}
}
