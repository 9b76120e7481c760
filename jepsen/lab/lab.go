// Package lab runs a cluster of real trstctl processes and lets others break it: each node in a network namespace of its own, or behind proxies
// where that is not allowed, with a data directory of its own on a plain directory, a file system that loses what was not synced, or a small
// disk.
//
// Nothing of a lab outlives its harness: inside Sandbox the kernel ends it, and what is left in files and control groups is swept away by the next run.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/jepsen/network"
	"github.com/trstctl/trstctl/sdk"
)

// Options describe a cluster.
type Options struct {
	Nodes    int
	Store    string // bolt or wal
	Disk     Disk   // on which the nodes live
	Binary   string // that they run, built with -tags chaos
	Older    string // another binary, for nodes that are told to run it; empty: none
	Logs     string // directory for the nodes' logs
	Env      []string
	Snapshot int  // MiB of log between snapshots; 0: the node's default
	Trailing int  // MiB of log behind them
	HSM      bool // the nodes are sealed by a SoftHSM token
	Seed     uint64
}

// Disk is the kind of a node's disk.
type Disk string

// Kinds of disk.
const (
	Plain  Disk = "plain"
	Faulty Disk = "faulty" // faultfs
	Small  Disk = "small"  // a tmpfs of smallMiB
)

// CallTime bounds a workload's call.
const CallTime = 3 * time.Second

// Lab is a running cluster.
type Lab struct {
	opt   Options
	place *Place
	Net   network.Network
	Root  sdk.Secret
	CA    []byte
	seals string // of the nodes' configurations

	mu    sync.Mutex // guards the rest
	nodes []*Node    // in the order in which they were added; removed ones are not in it
	added int
	ahead time.Duration    // of all clocks of the lab
	next  []string         // environment of the next node's first start
	ever  map[string]*Node // those that have left too
}

// Start founds a cluster and waits until all nodes are ready.
func Start(ctx context.Context, o Options) (l *Lab, err error) {
	l = &Lab{opt: o, ever: map[string]*Node{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.place, err = NewPlace(); err != nil {
		return l, err
	}
	if l.Net, err = l.connect(); err != nil {
		return l, err
	}
	if _, err = l.Command(ctx, "operator", "keygen", l.kek()); err != nil {
		return l, err
	}
	if l.seals, err = l.sealed(ctx); err != nil {
		return l, err
	}
	if err = l.found(ctx); err != nil {
		return l, err
	}
	for range o.Nodes - 1 {
		if _, err = l.Join(ctx); err != nil {
			return l, err
		}
	}
	return l, l.AllReady(ctx)
}

func (l *Lab) connect() (network.Network, error) {
	if Sandboxed() {
		return network.NewNamespaces(l.opt.Seed)
	}
	return network.NewProxies(l.opt.Seed)
}

func (l *Lab) kek() string { return filepath.Join(l.place.Dir, "kek") }

// found makes the first node a cluster of one.
func (l *Lab) found(ctx context.Context) error {
	n, err := l.add()
	if err != nil {
		return err
	}
	if err := errors.Join(l.makeHSMKey(ctx, n), n.Start()); err != nil {
		return err
	}
	local, err := n.Local()
	if err != nil {
		return err
	}
	if err := Until(ctx, "the first node's socket", func(ctx context.Context) error {
		_, err := local.Status(ctx)
		return err
	}); err != nil {
		return err
	}
	f, err := local.Init(ctx, sdk.InitOptions{RootTTL: 30 * 24 * time.Hour})
	if err != nil {
		return fmt.Errorf("found the cluster: %w", err)
	}
	l.Root, l.CA = f.RootToken, []byte(f.CACertificate)
	return nil
}

// Join adds a node and waits until it is a voter.
func (l *Lab) Join(ctx context.Context) (*Node, error) {
	any := l.Any()
	n, err := l.add()
	if err != nil {
		return nil, err
	}
	n.Next(l.takeNext()...)
	token, err := any.CreateJoinToken(ctx, n.ID)
	if err != nil {
		return nil, fmt.Errorf("token for %s: %w", n.ID, err)
	}
	n.joinToken = token.Secret
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, Until(ctx, n.ID+" to be a voter", func(ctx context.Context) error {
		if !n.Running() {
			if err := n.Start(); err != nil { // a fault ended it on its way: it goes on from where it was
				return err
			}
		}
		all, err := l.Any().Members(ctx)
		if err == nil && !slices.ContainsFunc(all, func(m sdk.Member) bool { return m.ID == n.ID && m.Voter }) {
			err = errors.New("it is none yet")
		}
		return err
	})
}

// Forward moves all clocks of the lab ahead for good: those of nodes that run, of nodes that will, and of the clients.
func (l *Lab) Forward(by time.Duration) (err error) {
	l.mu.Lock()
	l.ahead += by
	l.mu.Unlock()
	for _, n := range l.Nodes() {
		c, bad := n.Control()
		if bad == nil {
			bad = c.Jump(by)
		}
		err = errors.Join(err, bad)
	}
	return err
}

func (l *Lab) skew() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ahead
}

func (l *Lab) now() time.Time { return time.Now().Add(l.skew()) }

// NextJoins adds to the environment of the first start of the next node that joins.
func (l *Lab) NextJoins(env ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = append(l.next, env...)
}

func (l *Lab) takeNext() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	env := l.next
	l.next = nil
	return env
}

// Remove ends a node's membership for ever, and its process.
func (l *Lab) Remove(ctx context.Context, n *Node) error {
	others := l.Except(n)
	if err := Until(ctx, n.ID+" to be removed", func(ctx context.Context) error {
		err := others.RemoveMember(ctx, n.ID)
		switch {
		case sdk.Is(err, sdk.NotFound):
			return nil
		case sdk.Is(err, sdk.Conflict): // it leads: another has to first
			_, bad := others.TransferFrom(ctx, n.ID, "")
			return errors.Join(err, bad)
		}
		return err
	}); err != nil {
		return err
	}
	l.mu.Lock()
	l.nodes = slices.DeleteFunc(slices.Clone(l.nodes), func(o *Node) bool { return o == n })
	l.mu.Unlock()
	return n.close()
}

// Nodes returns the present members.
func (l *Lab) Nodes() []*Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes
}

// IDs are theirs.
func (l *Lab) IDs() (ids []string) {
	for _, n := range l.Nodes() {
		ids = append(ids, n.ID)
	}
	return ids
}

// Node returns a member, nil if it is none.
func (l *Lab) Node(id string) *Node {
	for _, n := range l.Nodes() {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Leader returns the node that says it leads, in the latest term of those that do.
func (l *Lab) Leader(ctx context.Context) (leader *Node, err error) {
	err = Until(ctx, "a leader", func(ctx context.Context) error {
		var term uint64
		for _, n := range l.Nodes() {
			if s, err := n.Status(ctx); err == nil && s.State == "leader" && s.Term >= term {
				leader, term = n, s.Term
			}
		}
		if leader == nil {
			return errors.New("none leads")
		}
		return nil
	})
	return leader, err
}

// AllReady waits until every member may receive traffic.
func (l *Lab) AllReady(ctx context.Context) error {
	for _, n := range l.Nodes() {
		if err := Until(ctx, n.ID+" to be ready", n.Client().Ready); err != nil {
			return err
		}
	}
	return nil
}

// Planted returns where a secret must not be: the nodes' data directories, logs and processes.
func (l *Lab) Planted() (dirs []string) {
	for _, n := range l.Nodes() {
		dirs = append(dirs, n.Data)
	}
	return append(dirs, l.opt.Logs)
}

// Close ends everything.
func (l *Lab) Close() (err error) {
	for _, n := range l.Nodes() {
		err = errors.Join(err, n.close())
	}
	if l.Net != nil {
		err = errors.Join(err, l.Net.Close())
	}
	if l.place != nil {
		err = errors.Join(err, l.place.Close())
	}
	return err
}

// Command runs trstctl once and returns what it printed.
func (l *Lab) Command(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, l.opt.Binary, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("trstctl %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

// Logs is the directory of the nodes' logs.
func (l *Lab) Logs() string { return l.opt.Logs }

// Until asks until ok returns nil or ctx ends; what it said last is the error.
func Until(ctx context.Context, what string, ok func(context.Context) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := ok(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, err)
		}
	}
}

func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	return nil
}
