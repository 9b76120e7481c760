package system

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// devCluster is `trstctl dev` as its user runs it.
type devCluster struct {
	t    *testing.T
	bin  string
	dir  string
	base int
	cmd  *exec.Cmd
}

func newDev(t *testing.T, seal string) *devCluster {
	dir, err := os.MkdirTemp("", "trd-") // short: a unix socket's path has 107 bytes
	require.NoError(t, err)
	d := &devCluster{t: t, bin: harness.Binary(t), dir: dir}
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("%s", d.output())
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	d.start("--nodes", "3", "--base-port", strconv.Itoa(harness.FreePorts(t, 30)), "--seal", seal)
	d.awaitOutput("nodes are ready")
	return d
}

func (d *devCluster) start(args ...string) {
	d.t.Helper()
	log, err := os.OpenFile(d.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	require.NoError(d.t, err)
	defer log.Close()
	d.cmd = exec.Command(d.bin, append([]string{"dev", "--dir", d.dir}, args...)...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	require.NoError(d.t, d.cmd.Start())
}

func (d *devCluster) log() string { return filepath.Join(d.dir, "dev.out") }

func (d *devCluster) output() string {
	b, _ := os.ReadFile(d.log()) // nothing yet
	return string(b)
}

func (d *devCluster) awaitOutput(text string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return strings.Contains(d.output(), text) }, 2*time.Minute, 50*time.Millisecond, "%q in the output", text)
}

// stop ends it as ^C does.
func (d *devCluster) stop() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = d.cmd.Wait()
	d.cmd = nil
}

// killAll is a power cut: the nodes and what runs them.
func (d *devCluster) killAll() {
	for _, n := range d.nodes() {
		require.NoError(d.t, syscall.Kill(n.PID, syscall.SIGKILL))
	}
	require.NoError(d.t, d.cmd.Process.Kill())
	_ = d.cmd.Wait() // killed
	d.cmd = nil
}

type devNode struct {
	ID  string `json:"id"`
	API string `json:"api"`
	PID int    `json:"pid"`
	Dir string `json:"dir"`
}

func (d *devCluster) nodes() (all []devNode) {
	b, err := os.ReadFile(filepath.Join(d.dir, "nodes.json"))
	require.NoError(d.t, err)
	require.NoError(d.t, json.Unmarshal(b, &all))
	return all
}

// command runs trstctl in the cluster's environment.
func (d *devCluster) command(stdin string, args ...string) (out string, code int) {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), "sh", "-c", `. "$0/env" && exec "$@"`, d.dir, d.bin)
	c.Args = append(c.Args, args...)
	c.Env = append(os.Environ(), "HOME="+d.dir, "XDG_CACHE_HOME=")
	c.Stdin = strings.NewReader(stdin)
	b, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(d.t, err, &exit, "%s", b)
	}
	return string(b), c.ProcessState.ExitCode()
}

// must runs it and fails unless it succeeds; right after an election or an unseal a node may say that it is not ready yet.
func (d *devCluster) must(stdin string, args ...string) (out string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool {
		var code int
		out, code = d.command(stdin, args...)
		return code == 0
	}, time.Minute, 200*time.Millisecond, "%v", args)
	return out
}

func (d *devCluster) shares() []string {
	b, err := os.ReadFile(filepath.Join(d.dir, "shares"))
	require.NoError(d.t, err)
	return strings.Fields(string(b))
}

func (d *devCluster) sealed() (all []bool) {
	out, _ := d.command("", "status", "-o", "json")
	var s struct {
		Items []struct {
			Sealed bool   `json:"sealed"`
			Reason string `json:"sealed_reason"`
		} `json:"items"`
	}
	require.NoError(d.t, json.Unmarshal([]byte(out), &s), "%s", out)
	for _, i := range s.Items {
		all = append(all, i.Sealed)
	}
	return all
}

// TestAnHSMOpensEveryNodeAndSharesDoWhenItIsGone is what an operator does on the worst day.
func TestAnHSMOpensEveryNodeAndSharesDoWhenItIsGone(t *testing.T) {
	parts.Need(t, "/usr/lib/softhsm/libsofthsm2.so", "softhsm2")
	d := newDev(t, "pkcs11")
	value := string(planted())
	d.must(value, "secret", "put", "db/password", "-")

	d.killAll()
	d.start()
	d.awaitOutput("nodes are ready")
	require.Equal(t, value, d.must("", "secret", "get", "db/password"), "no hand was laid on it")
	require.Contains(t, d.must("", "operator", "seal", "test"), "pkcs11")

	d.killAll()
	tokens := filepath.Join(d.dir, "hsm", "tokens")
	require.NoError(t, os.Rename(tokens, tokens+".away"))
	d.start()
	d.awaitOutput("is sealed")
	require.Contains(t, d.output(), "pkcs11")
	require.Equal(t, []bool{true, true, true}, d.sealed())
	out, code := d.command("", "secret", "get", "db/password")
	require.Equal(t, 6, code, out)
	require.Contains(t, out, "sealed")
	status, _ := d.command("", "status", "-o", "json")
	require.Contains(t, status, "token does not answer", "it says why")

	shares := d.shares()
	out, code = d.command(strings.Replace(shares[0], "trss-", "trss-q", 1), "operator", "unseal")
	require.NotZero(t, code)
	require.Contains(t, out, "mistyped")
	require.NotContains(t, out, shares[0][10:30])
	for i, share := range []string{shares[4], shares[0], shares[2]} { // as three people would, one after the other
		out, code = d.command(share+"\n", "operator", "unseal")
		require.Zero(t, code, out)
		if i < 2 {
			require.Contains(t, out, fmt.Sprintf("%d of 3", i+1))
		}
	}
	require.Equal(t, []bool{false, false, false}, d.sealed())
	require.Equal(t, value, d.must("", "secret", "get", "db/password"))
	d.must("", "operator", "rotate", "root", "--wait=false")

	require.NoError(t, os.Rename(tokens+".away", tokens))
	require.Eventually(t, func() bool { _, code := d.command("", "operator", "seal", "test"); return code == 0 }, time.Minute, 200*time.Millisecond, "the HSM is back")
	require.Eventually(t, func() bool {
		out, _ := d.command("", "operator", "rotate", "status", "-o", "json")
		var s sdk.Page[sdk.Rotation]
		require.NoError(t, json.Unmarshal([]byte(out), &s), "%s", out)
		return len(s.Items) > 0 && s.Items[0].EndedAt.Unix() > 0
	}, time.Minute, 200*time.Millisecond, "what waited for the HSM ends")
	d.killAll()
	d.start()
	d.awaitOutput("nodes are ready")
	require.Equal(t, value, d.must("", "secret", "get", "db/password"), "the HSM opens the new root key")
	d.lacks(value, shares...)
}

// lacks fails when anything that was planted stands in a node's files or logs.
func (d *devCluster) lacks(value string, shares ...string) {
	for _, n := range d.nodes() {
		require.NoError(d.t, filepath.WalkDir(n.Dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if os.IsNotExist(err) { // tables that were compacted meanwhile
				return nil
			}
			for _, p := range append([]string{value}, shares...) {
				require.NotContains(d.t, string(b), p, path)
			}
			return err
		}))
		b, err := os.ReadFile(n.Dir + ".log")
		require.NoError(d.t, err)
		for _, p := range append([]string{value}, shares...) {
			require.NotContains(d.t, string(b), p)
		}
	}
}

// TestOneSealedNodeIsNoMatterAndAllSealedServeNothing: with two of three sealed the third leads and serves.
func TestOneSealedNodeIsNoMatterAndAllSealedServeNothing(t *testing.T) {
	d := newDev(t, "shamir")
	value := string(planted())
	d.must(value, "secret", "put", "a", "-")
	for _, id := range []string{"n1", "n2"} {
		d.must("", "operator", "seal", "--node", id)
	}
	require.Equal(t, []bool{true, true, false}, d.sealed())
	d.must(value, "secret", "put", "b", "-", "--address", d.nodes()[2].API)
	require.Eventually(t, func() bool {
		_, code := d.command("", "secret", "get", "b", "--address", d.nodes()[2].API)
		return code == 0
	}, time.Minute, 100*time.Millisecond)
	out, code := d.command("", "secret", "get", "b", "--address", d.nodes()[0].API, "--timeout", "2s")
	require.Equal(t, 6, code, out)

	require.NoError(t, syscall.Kill(d.nodes()[1].PID, syscall.SIGKILL))
	d.must("", "dev", "restart", "n2", "--dir", d.dir)
	require.Equal(t, []bool{true, true, false}, d.sealed(), "an operator's sealing outlives a restart")
	d.must("", "operator", "seal", "--socket", filepath.Join(d.nodes()[2].Dir, "trstctl.sock"))
	require.Equal(t, []bool{true, true, true}, d.sealed())
	out, code = d.command(value, "secret", "put", "c", "-", "--timeout", "2s")
	require.Equal(t, 6, code, out)

	wrong := append([]string{}, d.shares()[:2]...)
	wrong = append(wrong, d.shares()[1]) // the same twice is no third one
	out, code = d.command(strings.Join(wrong, "\n"), "operator", "unseal")
	require.Zero(t, code, out)
	require.Contains(t, out, "2 of 3")
	out, code = d.command(strings.Join(d.shares(), "\n"), "operator", "unseal")
	require.Zero(t, code, out)
	require.Equal(t, []bool{false, false, false}, d.sealed())
	require.Equal(t, value, d.must("", "secret", "get", "b"))
	d.generatesRoot()
}

// generatesRoot: when every token is lost, as many people as open the cluster make a new one, on the leader's machine.
func (d *devCluster) generatesRoot() {
	d.t.Helper()
	var token string
	require.Eventually(d.t, func() bool { // of the three one leads
		for _, n := range d.nodes() {
			out, code := d.command(strings.Join(d.shares()[1:4], "\n"), "operator", "generate-root", "--socket", filepath.Join(n.Dir, "trstctl.sock"), "-o", "raw")
			if code == 0 {
				token = out
				return true
			}
			require.Contains(d.t, out, "does not lead")
		}
		return false
	}, time.Minute, 200*time.Millisecond)
	file := filepath.Join(d.dir, "new-token")
	require.NoError(d.t, os.WriteFile(file, []byte(token), 0o600))
	require.Contains(d.t, d.must("", "token", "lookup", "--token-file", file), "root")
	require.Contains(d.t, d.must("", "audit", "list", "--order", "desc", "--limit", "20"), "break-glass")
	out, code := d.command(strings.Join(d.shares()[1:3], "\n"), "operator", "generate-root", "--socket", filepath.Join(d.nodes()[0].Dir, "trstctl.sock"))
	require.NotZero(d.t, code, out)
}

// TestKeysRotateUnderLoadAndKills: writers, readers, a rotation of everything, and the leader killed in its middle.
func TestKeysRotateUnderLoadAndKills(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	value := planted()
	var items []sdk.Item
	for i := range 900 {
		items = append(items, sdk.Item{Path: "bulk/" + strconv.Itoa(i), Value: value})
	}
	_, err := c.Client().Import(t.Context(), items)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	written := make(chan int)
	go func() {
		n := 0
		defer func() { written <- n }()
		for ctx.Err() == nil {
			if _, err := c.Client().Put(ctx, sdk.Item{Path: "live/" + strconv.Itoa(n), Value: value}); err == nil {
				n++
			}
		}
	}()
	for round := range 2 {
		c.Eventually("a rotation begins", func(ctx context.Context) error {
			_, err := c.Client().RotateRoot(ctx, true)
			if sdk.KindOf(err) == sdk.Conflict { // the one before is under way, or an attempt that was lost
				return nil
			}
			return err
		})
		killed := c.Leader()
		killed.Kill()
		require.Equal(t, value, get(t, c.Client(), "bulk/"+strconv.Itoa(round)))
		killed.Start()
		c.Eventually("it ends", func(ctx context.Context) error {
			all, err := c.Client().Rotations(ctx)
			if err != nil {
				return err
			}
			for _, r := range all {
				if r.EndedAt.Unix() <= 0 {
					return fmt.Errorf("%s has %d values left", r.Key, r.Remaining)
				}
			}
			return nil
		})
	}
	stop()
	n := <-written
	require.Positive(t, n)
	for i := range n {
		require.Equal(t, value, get(t, c.Client(), "live/"+strconv.Itoa(i)))
	}
	for i := 0; i < len(items); i += 37 {
		require.Equal(t, value, get(t, c.Client(), items[i].Path))
	}
	for _, n := range c.Nodes { // from the seal alone, at every node
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	c.Ready(c.Nodes...)
	require.Equal(t, value, get(t, c.Client(), "bulk/5"))
	c.Check(value)
}
