package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// saved is what save and inspect print.
type saved struct {
	Cluster  string `json:"cluster"`
	Index    string `json:"index"`
	Digest   string `json:"digest"`
	Records  uint64 `json:"records"`
	Verified bool   `json:"verified"`
}

// reborn is what restore and recover print.
type reborn struct {
	RootToken string   `json:"root_token"`
	CA        string   `json:"ca_certificate"`
	Cluster   string   `json:"cluster"`
	Epoch     uint32   `json:"epoch"`
	From      string   `json:"from"`
	Digest    string   `json:"digest"`
	Removed   []string `json:"removed"`
}

func save(t *testing.T, c *harness.Cluster, path string) saved {
	t.Helper()
	out, told, code := c.Command("", "operator", "snapshot", "save", path, "-o", "json")
	require.Zero(t, code, told)
	return harness.JSON[saved](t, out)
}

// restore makes a new node the cluster of a backup, and c speaks to it as its root from then on.
func restore(t *testing.T, c *harness.Cluster, path string, flags ...string) (*harness.Node, reborn) {
	t.Helper()
	n := c.Add()
	out, told, code := c.Command("", append([]string{"operator", "snapshot", "restore", path, "-c", n.Config(), "-o", "json"}, flags...)...)
	require.Zero(t, code, told)
	r := harness.JSON[reborn](t, out)
	c.Token, c.CA = sdk.Secret(r.RootToken), []byte(r.CA)
	return n, r
}

// dead asserts that a token is worth nothing at a node.
func dead(t *testing.T, c *harness.Cluster, n *harness.Node, token sdk.Secret) {
	t.Helper()
	client, err := c.ClientOf(n).WithToken(token)
	require.NoError(t, err)
	_, err = client.LookupToken(t.Context(), sdk.Self)
	require.Equal(t, sdk.Unauthenticated, sdk.KindOf(err), "%v", err)
}

// writers put values without a pause until stop, and remember which were acknowledged.
type writers struct {
	mu    sync.Mutex
	acked map[string]string
	wg    sync.WaitGroup
	end   context.CancelFunc
}

func write(t *testing.T, c *harness.Cluster, n int) *writers {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writers{acked: map[string]string{}, end: cancel}
	for i := range n {
		w.wg.Go(func() {
			client := c.Client()
			for k := 0; ctx.Err() == nil; k++ {
				path, value := fmt.Sprintf("load/%d/%d", i, k), string(planted())
				if _, err := client.Put(ctx, sdk.Item{Path: path, Value: []byte(value)}); err == nil {
					w.mu.Lock()
					w.acked[path] = value
					w.mu.Unlock()
				}
			}
		})
	}
	return w
}

func (w *writers) until(t *testing.T, n int) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for k, v := range w.acked {
			out[k] = v
		}
		return len(out) >= n
	}, time.Minute, 5*time.Millisecond)
	return out
}

func (w *writers) stop() {
	w.end()
	w.wg.Wait()
}

func TestABackupTakenUnderLoadBringsTheClusterBack(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	old := c.Token
	put(t, c.Client(), "kept", []byte("one"))
	child, err := c.Client().CreateToken(t.Context(), sdk.Grant{Policies: []string{"root"}})
	require.NoError(t, err)
	load := write(t, c, 4)
	before := load.until(t, 300)
	file := filepath.Join(t.TempDir(), "backup")
	taken := save(t, c, file)
	load.stop()
	put(t, c.Client(), "kept", []byte("lost"))
	put(t, c.Client(), "lost", []byte("lost"))
	for _, n := range c.Nodes {
		n.Kill()
	}

	n, r := restore(t, c, file)
	require.Equal(t, taken.Digest, r.Digest)
	require.Equal(t, taken.Index, r.From)
	require.EqualValues(t, 2, r.Epoch)
	require.Equal(t, []string{"n1", "n2", "n3"}, r.Removed)
	n.Start()
	c.Ready(n)
	for path, want := range before {
		require.Equal(t, want, string(get(t, c.Client(), path)), path)
	}
	require.Equal(t, "one", string(get(t, c.Client(), "kept")))
	dead(t, c, n, old)
	dead(t, c, n, child.Secret)

	// numbers of versions and indexes are not those of the history that was lost
	require.Greater(t, put(t, c.Client(), "kept", []byte("two")), uint64(1_000_000_000))
	require.Greater(t, put(t, c.Client(), "lost", []byte("new")), uint64(1_000_000_000))
	require.Regexp(t, `^2\.\d+$`, indexOf(t, c, n, ""))
	require.Equal(t, "409", indexOf(t, c, n, taken.Index), "an index of the lost history is refused")

	// others join under new ids
	_, err = c.Client().CreateJoinToken(t.Context(), "n2")
	require.Equal(t, sdk.Conflict, sdk.KindOf(err), "%v", err)
	c.Join()
	c.Join()
	leader := c.Leader()
	leader.Kill()
	require.Equal(t, "two", string(get(t, c.Client(), "kept")))
	leader.Start()
	c.Ready(c.Nodes[3:]...)
	c.Check(old, child.Secret, []byte(before["load/0/0"]))
}

// indexOf reads a secret at session level and returns the index header of the answer, or the status that is no success.
func indexOf(t *testing.T, c *harness.Cluster, n *harness.Node, seen string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+n.API+"/api/v1/secrets/store/kept?at=session", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+string(c.Token))
	if seen != "" {
		r.Header.Set("X-Trstctl-Index", seen)
	}
	resp, err := c.HTTP().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprint(resp.StatusCode)
	}
	return resp.Header.Get("X-Trstctl-Index")
}

// TestARestoreThatIsKilledBeginsAnew kills it as soon as each of the things that it makes is there.
func TestARestoreThatIsKilledBeginsAnew(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1})
	for i := range 200 {
		put(t, c.Client(), fmt.Sprintf("k/%d", i), planted())
	}
	file := filepath.Join(t.TempDir(), "backup")
	taken := save(t, c, file)
	for _, n := range c.Nodes {
		n.Kill()
	}
	n := c.Add()
	for _, made := range []string{"RESTORE-INCOMPLETE", "tables/CURRENT", "tls/node.key", "snapshots", "raft/bolt", "tls/node.pem"} {
		cmd := exec.Command(harness.Binary(t), "operator", "snapshot", "restore", file, "-c", n.Config())
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		waitFor(t, filepath.Join(n.Data, made), ended)
		require.NoError(t, ignoreEnded(cmd.Process.Signal(syscall.SIGKILL)))
		<-ended
		if _, err := os.Stat(filepath.Join(n.Data, "RESTORE-INCOMPLETE")); err == nil {
			_, told, code := c.Command("", "server", "-c", n.Config())
			require.NotZero(t, code)
			require.Contains(t, told, "did not end: run `trstctl operator snapshot restore` again", made)
			continue
		}
		if _, err := os.Stat(filepath.Join(n.Data, "node.json")); err == nil { // it was quicker than its end
			_, told, code := c.Command("", "operator", "verify", n.Data)
			require.Zero(t, code, told)
			require.NoError(t, os.RemoveAll(n.Data))
			continue
		}
		require.NoDirExists(t, filepath.Join(n.Data, "tables"), "%s: without the mark it is a whole node or nothing", made)
	}
	out, told, code := c.Command("", "operator", "snapshot", "restore", file, "-c", n.Config(), "-o", "json")
	require.Zero(t, code, told)
	var r reborn
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, taken.Digest, r.Digest)
	c.Token, c.CA = sdk.Secret(r.RootToken), []byte(r.CA)
	n.Start()
	c.Ready(n)
	c.Check()
}

// waitFor returns when path is there, or when the process has ended.
func waitFor(t *testing.T, path string, ended <-chan struct{}) {
	t.Helper()
	for {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		select {
		case <-ended: // it was too quick: then it is a whole node, which the caller sees to
			return
		default:
		}
	}
}

func ignoreEnded(err error) error {
	if err == os.ErrProcessDone {
		return nil
	}
	return err
}

// TestTheLeaderTakesBackupsAndTriesThem also brings the cluster back from one of them.
func TestTheLeaderTakesBackupsAndTriesThem(t *testing.T) {
	dir := t.TempDir()
	c := harness.Start(t, harness.Options{Config: fmt.Sprintf("backup: {every: 1m, keep: 2, dir: %q, scratch: %q}\n", dir, t.TempDir())})
	var first string
	c.Eventually("a backup that has passed its drill", func(ctx context.Context) error {
		page, err := c.Client().Events(ctx, sdk.EventQuery{Type: "backup.drill.passed", Limit: 10})
		if err != nil || len(page.Items) == 0 {
			return fmt.Errorf("none yet: %w", err)
		}
		var e struct {
			Name    string
			Records uint64
		}
		require.NoError(t, json.Unmarshal(page.Items[0].Events[0].Data, &e))
		require.NotZero(t, e.Records)
		first = e.Name
		return nil
	})
	for _, n := range c.Nodes { // every node can be asked how the backups are
		c.Eventually(n.ID+" to show it", func(ctx context.Context) error {
			text, err := c.ClientOf(n).Metrics(ctx)
			if err == nil && !strings.Contains(string(text), "trstctl_backup_last_drill_ok 1") {
				err = fmt.Errorf("not in its metrics")
			}
			return err
		})
	}
	file := filepath.Join(dir, first)
	out, told, code := c.Command("", "operator", "snapshot", "inspect", file, "-c", c.Nodes[0].Config(), "-o", "json")
	require.Zero(t, code, told)
	require.True(t, harness.JSON[saved](t, out).Verified)
	for _, n := range c.Nodes {
		n.Kill()
	}
	n, r := restore(t, c, file)
	require.EqualValues(t, 2, r.Epoch)
	n.Start()
	c.Ready(n)
	c.Eventually("a backup of the new epoch", func(ctx context.Context) error {
		names, err := filepath.Glob(filepath.Join(dir, "*-000002.*.trstbak"))
		if len(names) == 0 {
			return fmt.Errorf("none yet: %w", err)
		}
		return err
	})
	c.Check()
}
