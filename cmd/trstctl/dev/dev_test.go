package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

// started is a dev that runs in this process, with fake nodes as children.
type started struct {
	dir  string
	stop context.CancelFunc
	end  chan error
	log  *journal
}

// journal is a writer for several goroutines.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer // under mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func options(t *testing.T, dir string) Options {
	exe, err := os.Executable()
	require.NoError(t, err)
	return Options{Dir: dir, Nodes: 3, LogStore: "bolt", Executable: exe, Err: io.Discard, Out: io.Discard,
		Keygen: func(path string) error { return os.WriteFile(path, make([]byte, 32), 0o600) }}
}

// begin runs dev until it says what to type next.
func begin(t *testing.T, o Options) *started {
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{o.Dir, cancel, make(chan error, 1), &journal{}}
	ready, said := io.Pipe()
	o.Out, o.Err = said, s.log
	go func() {
		err := Run(ctx, o)
		_ = said.CloseWithError(io.EOF)
		s.end <- err
	}()
	t.Cleanup(cancel)
	first := make([]byte, 4096)
	_, err := ready.Read(first)
	require.NoError(t, err, s.log)
	return s
}

func (s *started) finish(t *testing.T) {
	s.stop()
	require.NoError(t, <-s.end, s.log)
}

// shortDir is a directory whose sockets' paths stay within the system's limit.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "dev")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func TestTheWholeLifeOfACluster(t *testing.T) {
	dir := shortDir(t)
	s := begin(t, options(t, dir))

	nodes, err := readNodes(dir)
	require.NoError(t, err)
	require.Len(t, nodes, 3)
	for _, n := range nodes {
		require.NotZero(t, n.PID)
		require.NotContains(t, argumentsOf(n.PID), "join-n", "a token in an argument list")
		require.NoFileExists(t, n.Dir+".join-token")
	}
	e, err := ReadEnv(EnvFile(dir))
	require.NoError(t, err)
	require.Equal(t, "trs.root", string(e.Token))
	require.Len(t, e.Addresses, 3)
	require.FileExists(t, e.CACert)
	require.NoFileExists(t, filepath.Join(dir, "init.json"))
	for _, private := range []string{"env", "kek", "nodes.json", "n1.yaml", "n1.log"} {
		info, err := os.Stat(filepath.Join(dir, private))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), private)
	}
	require.ErrorContains(t, Run(t.Context(), options(t, dir)), "another trstctl dev runs")

	t.Run("restart", func(t *testing.T) { restartDead(t, dir) })
	s.finish(t)
	stopped, err := readNodes(dir)
	require.NoError(t, err)
	require.Zero(t, stopped[0].PID)
	_, err = Restart(t.Context(), dir, "n2")
	require.ErrorContains(t, err, "no trstctl dev runs")

	again := begin(t, options(t, dir))
	same, err := readNodes(dir)
	require.NoError(t, err)
	for i := range same {
		require.Equal(t, nodes[i].API, same[i].API)
	}
	again.finish(t)
}

func restartDead(t *testing.T, dir string) {
	_, err := Restart(t.Context(), dir, "n9")
	require.True(t, sdk.Is(err, sdk.NotFound), "%v", err)
	nodes, err := readNodes(dir)
	require.NoError(t, err)
	_, err = Restart(t.Context(), dir, "n2")
	require.True(t, sdk.Is(err, sdk.Conflict), "%v", err)
	require.NoError(t, syscall.Kill(nodes[1].PID, syscall.SIGKILL))
	var pid int
	require.Eventually(t, func() bool { // until the death is noticed
		pid, err = Restart(t.Context(), dir, "n2")
		return !sdk.Is(err, sdk.Conflict)
	}, patience, interval)
	require.NoError(t, err)
	after, err := readNodes(dir)
	require.NoError(t, err)
	require.Equal(t, pid, after[1].PID)
	require.NotEqual(t, nodes[1].PID, pid)
}

func TestACrashBeforeEnvKeepsTheRootToken(t *testing.T) {
	dir := shortDir(t)
	begin(t, options(t, dir)).finish(t)
	e, err := ReadEnv(EnvFile(dir))
	require.NoError(t, err)
	ca, err := os.ReadFile(e.CACert)
	require.NoError(t, err)
	require.NoError(t, os.Remove(EnvFile(dir)))
	require.NoError(t, os.Remove(e.CACert))
	require.ErrorContains(t, Run(t.Context(), options(t, dir)), "root token", "nothing to resume from")

	b, err := json.Marshal(founded{sdk.Text(e.Token), string(ca)})
	require.NoError(t, err)
	require.NoError(t, writeFile(filepath.Join(dir, "init.json"), b))
	begin(t, options(t, dir)).finish(t)
	resumed, err := ReadEnv(EnvFile(dir))
	require.NoError(t, err)
	require.Equal(t, e, resumed)
}

func TestANodeThatFailsIsShownWithItsLog(t *testing.T) {
	dir := shortDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "refuse-n2"), nil, 0o600))
	require.ErrorContains(t, Run(t.Context(), options(t, dir)), "told to fail")
	require.NoError(t, os.Remove(filepath.Join(dir, "refuse-n2")))
	begin(t, options(t, dir)).finish(t)
}

func TestAnotherNumberOfNodesIsRefused(t *testing.T) {
	dir := shortDir(t)
	o := options(t, dir)
	_, err := o.lay(t.Context())
	require.NoError(t, err)
	o.Nodes = 5
	_, err = o.lay(t.Context())
	require.ErrorContains(t, err, "--nodes 3")
	o.Nodes = 0
	nodes, err := o.lay(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes, 3)
}
