// Package harness runs clusters of real processes and does to them what the world does: it kills, pauses, restarts and
// cuts them off.
//
// Every cluster lives in a directory of its own on free ports of the loopback, ends with its test, and is checked at its
// end: Check proves that all nodes hold the same state, that their audit chains are whole, and that no planted secret is
// in any file, log or argument list.
package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

// Cluster is some nodes, each a process behind a proxy that can cut it off.
type Cluster struct {
	T      testing.TB
	Dir    string
	Nodes  []*Node
	Token  sdk.Secret
	CA     []byte
	binary string
	opt    Options
}

// Options vary a cluster. The zero value is three nodes on raft-boltdb.
type Options struct {
	Nodes    int
	LogStore string
	Disk     map[int]string // node, from 1 -> directory for its data
	Reserve  int            // MiB, default 16
	Gossip   bool
	KMIP     bool          // each node serves it
	PKI      string        // added to what nodes are configured with below pki, such as ", enable_acme: true"
	Config   string        // more of each node's configuration, YAML
	RootTTL  time.Duration // of the root token; 0: the node's default
	Binary   string        // that the nodes run; empty: the one that Binary builds
}

// builds are the binaries that this test process has built, by their tag.
var builds = struct {
	mu  sync.Mutex // guards the rest
	dir string
	by  map[string]string
}{by: map[string]string{}}

// Binary builds trstctl once for a test process and returns its path.
func Binary(t testing.TB) string { return Build(t, "") }

// Build is Binary with a build tag.
func Build(t testing.TB, tag string) string {
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if path, ok := builds.by[tag]; ok {
		return path
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "trstctl-test-")
		require.NoError(t, err)
		builds.dir = dir
	}
	path := filepath.Join(builds.dir, "trstctl"+tag)
	out, err := exec.Command("go", "build", "-tags", tag, "-o", path, "github.com/trstctl/trstctl/cmd/trstctl").CombinedOutput()
	require.NoError(t, err, "build trstctl: %s", out)
	builds.by[tag] = path
	return path
}

// Clean removes the binaries; TestMain calls it last.
func Clean() {
	if builds.dir != "" {
		os.RemoveAll(builds.dir)
	}
}

// Start brings up a cluster: the first node is founded, the others join.
func Start(t testing.TB, opt Options) *Cluster {
	if opt.Nodes == 0 {
		opt.Nodes = 3
	}
	c := prepare(t, opt)
	c.run(context.Background(), "operator", "keygen", c.KEK())
	first := c.Add()
	first.Start()
	c.init(first)
	for range opt.Nodes - 1 {
		c.Join()
	}
	c.Ready(c.Nodes...)
	return c
}

func prepare(t testing.TB, opt Options) *Cluster {
	if opt.Reserve == 0 {
		opt.Reserve = 16
	}
	dir, err := os.MkdirTemp("", "trstctl-cluster-") // short: a unix socket's path has 107 bytes
	require.NoError(t, err)
	c := &Cluster{T: t, Dir: dir, binary: opt.Binary, opt: opt}
	if c.binary == "" {
		c.binary = Binary(t)
	}
	t.Cleanup(c.end)
	return c
}

// Adopt runs one node on a data directory that fill puts in place, with its KEK file: the stopped directory of a cluster of one, whose root
// token fill returns.
func Adopt(t testing.TB, opt Options, fill func(data, kek string) sdk.Secret) *Cluster {
	c := prepare(t, opt)
	n := c.Add()
	c.Token = fill(n.Data, c.KEK())
	ca, err := os.ReadFile(filepath.Join(n.Data, "tls", "ca.pem"))
	require.NoError(t, err)
	c.CA = ca
	n.Start()
	c.Ready(n)
	return c
}

// KEK is the file with the cluster's key.
func (c *Cluster) KEK() string { return filepath.Join(c.Dir, "kek") }

func (c *Cluster) init(n *Node) {
	local, err := sdk.NewLocal(filepath.Join(n.Data, "trstctl.sock"))
	require.NoError(c.T, err)
	c.Eventually("the first node's socket", func(ctx context.Context) error {
		_, err := local.Status(ctx)
		return err
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f, err := local.Init(ctx, sdk.InitOptions{RootTTL: c.opt.RootTTL})
	require.NoError(c.T, err)
	c.Token, c.CA = f.RootToken, []byte(f.CACertificate)
}

// Join adds a node with a fresh token and waits until it is a voter.
func (c *Cluster) Join() *Node {
	n := c.Add()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t, err := c.Client().CreateJoinToken(ctx, n.ID)
	require.NoError(c.T, err)
	n.Start("TRSTCTL_JOIN_TOKEN=" + string(t.Secret))
	c.Eventually(n.ID+" a voter", func(ctx context.Context) error {
		all, err := c.Client().Members(ctx)
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.ID == n.ID && m.Voter {
				return nil
			}
		}
		return fmt.Errorf("not among %d members as a voter", len(all))
	})
	return n
}

// Add configures one more node, which its caller starts.
func (c *Cluster) Add() *Node {
	i := len(c.Nodes) + 1
	n := &Node{c: c, ID: fmt.Sprintf("n%d", i), Data: filepath.Join(c.Dir, fmt.Sprintf("n%d", i)), Address: fmt.Sprintf("127.0.0.%d", 10+i)}
	if d := c.opt.Disk[i]; d != "" {
		n.Data = d
	}
	if c.opt.KMIP {
		n.KMIP, n.HTTPS = net.JoinHostPort("127.0.0.1", FreePort(c.T)), net.JoinHostPort("127.0.0.1", FreePort(c.T))
	}
	n.API, n.PKI, n.Cluster = net.JoinHostPort("127.0.0.1", FreePort(c.T)), net.JoinHostPort("127.0.0.1", FreePort(c.T)), net.JoinHostPort(n.Address, FreePort(c.T))
	n.Proxy = newProxy(c.T, n.Cluster)
	c.Nodes = append(c.Nodes, n)
	n.configure()
	return n
}

// Client speaks to all nodes as root, whichever answers.
func (c *Cluster) Client() *sdk.Client { return c.ClientOf(c.Nodes...) }

// ClientOf speaks to these nodes only.
func (c *Cluster) ClientOf(nodes ...*Node) *sdk.Client { return c.client("", nodes) }

// ClientIn speaks to all nodes as root who acts in a tenant.
func (c *Cluster) ClientIn(tenant string) *sdk.Client { return c.client(tenant, c.Nodes) }

func (c *Cluster) client(tenant string, nodes []*Node) *sdk.Client {
	o := sdk.Options{CACert: c.CA, Token: c.Token, Tenant: tenant, Timeout: 20 * time.Second, Attempt: 3 * time.Second}
	for _, n := range nodes {
		o.Addresses = append(o.Addresses, "https://"+n.API)
	}
	client, err := sdk.New(o)
	require.NoError(c.T, err)
	return client
}

// HTTP returns a client that trusts the cluster's CA, for what the SDK does not say.
func (c *Cluster) HTTP() *http.Client {
	roots := x509.NewCertPool()
	require.True(c.T, roots.AppendCertsFromPEM(c.CA))
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}}}
}

// Leader returns the node that leads, when one does.
func (c *Cluster) Leader() *Node {
	var leader *Node
	c.Eventually("a leader", func(ctx context.Context) error {
		for _, n := range c.Nodes {
			if n.Running() && c.ClientOf(n).Leads(ctx) == nil {
				leader = n
				return nil
			}
		}
		return fmt.Errorf("none leads")
	})
	return leader
}

// Follower returns a running node that does not lead.
func (c *Cluster) Follower() *Node {
	leader := c.Leader()
	for _, n := range c.Nodes {
		if n != leader && n.Running() {
			return n
		}
	}
	c.T.Fatal("no follower runs")
	return nil
}

// Ready waits until the nodes may receive traffic.
func (c *Cluster) Ready(nodes ...*Node) {
	for _, n := range nodes {
		c.Eventually(n.ID+" ready", c.ClientOf(n).Ready)
	}
}

// Eventually asks until ok returns nil, for at most a minute; what it says last is the failure.
func (c *Cluster) Eventually(what string, ok func(context.Context) error) {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	for ctx.Err() == nil {
		one, stop := context.WithTimeout(ctx, 3*time.Second)
		err = ok(one)
		stop()
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	c.T.Fatalf("waited for %s: %v\n%s", what, err, c.logs())
}

// run runs a command of trstctl as an operator would and returns its standard output.
func (c *Cluster) run(ctx context.Context, args ...string) []byte {
	cmd := exec.CommandContext(ctx, c.binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, c.Env()
	require.NoError(c.T, cmd.Run(), "trstctl %v: %s", args, errs.String())
	return out.Bytes()
}

// Env is what a shell needs to speak to the cluster.
func (c *Cluster) Env() []string {
	ca := filepath.Join(c.Dir, "ca.pem")
	if c.CA != nil {
		require.NoError(c.T, os.WriteFile(ca, c.CA, 0o600))
	}
	addrs := ""
	for _, n := range c.Nodes {
		addrs += ",https://" + n.API
	}
	if addrs != "" {
		addrs = addrs[1:]
	}
	return append(os.Environ(), "TRSTCTL_ADDRS="+addrs, "TRSTCTL_CACERT="+ca, "TRSTCTL_TOKEN="+string(c.Token))
}

// Command runs a command of trstctl and returns what it printed and its exit code.
func (c *Cluster) Command(stdin string, args ...string) (stdout, stderr string, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = bytes.NewBufferString(stdin), &out, &errs, c.Env()
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		require.NoError(c.T, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// logs is the end of every node's log, for a failure's message.
func (c *Cluster) logs() string {
	var b bytes.Buffer
	for _, n := range c.Nodes {
		text, _ := os.ReadFile(n.logPath())
		fmt.Fprintf(&b, "--- %s (running: %v)\n%s\n", n.ID, n.Running(), text[max(0, len(text)-3000):])
	}
	return b.String()
}

func (c *Cluster) end() {
	for _, n := range c.Nodes {
		n.Resume()
		n.Kill()
		n.Proxy.close()
	}
	if c.T.Failed() {
		c.T.Logf("the cluster's files are kept in %s", c.Dir)
		c.T.Log(c.logs())
		return
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		c.T.Errorf("remove the cluster: %v", err)
	}
}

// JSON decodes what a command printed.
func JSON[T any](t testing.TB, text string) (v T) {
	require.NoError(t, json.Unmarshal([]byte(text), &v), "%s", text)
	return v
}
