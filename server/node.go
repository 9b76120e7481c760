// Package server binds everything to one process: configuration, the cluster, the engines, the API. node.go and member.go are
// the one place that knows all concrete types; they read from top to bottom.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
)

// Options are what a process gives its node beside the configuration.
type Options struct {
	Log       *slog.Logger
	JoinToken string // joins that cluster when the data directory is not a node's yet
	Version   string // of the binary
}

// Node is one process of a cluster, or one that waits to become so.
type Node struct {
	cfg   Config
	opt   Options
	log   *slog.Logger
	seals []seal.Seal

	mu     sync.Mutex // guards member
	member *member    // nil until the directory is a node's
	found  chan foundRequest
}

// NewNode opens the seals. A missing or badly kept KEK file is refused here.
func NewNode(cfg Config, opt Options) (*Node, error) {
	if err := seal.NoCoreDumps(); err != nil {
		return nil, fmt.Errorf("switch core dumps off: %w", err)
	}
	s, err := seal.OpenFile(cfg.Seal.File)
	if err != nil {
		return nil, err
	}
	log := opt.Log.With("node", cfg.Node)
	return &Node{cfg: cfg, opt: opt, log: log, seals: []seal.Seal{s}, found: make(chan foundRequest)}, nil
}

// Run runs the node until ctx ends: as the member that its data directory says it is, or after joining with the token, or
// after an operator's init over the local socket.
func (n *Node) Run(ctx context.Context) error {
	if err := os.MkdirAll(n.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	lock, err := cluster.Lock(n.cfg.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := n.clearIncomplete(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	local, err := n.listenLocal()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer local.Close()
	wg.Go(func() { cancel(local.serve()) })
	return n.run(ctx)
}

func (n *Node) run(ctx context.Context) error {
	id, err := cluster.LoadIdentity(n.cfg.Data)
	switch {
	case err == nil:
		return n.runAs(ctx, id)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case n.opt.JoinToken != "":
		n.log.Info("joining a cluster")
		if id, err = cluster.Join(ctx, n.cfg.Data, n.opt.JoinToken, n.self()); err != nil {
			return err
		}
		return n.runAs(ctx, id)
	}
	n.log.Info("this node belongs to no cluster: run `trstctl operator init` on this machine, or start it with --join")
	select {
	case req := <-n.found:
		return n.runFounder(ctx, req)
	case <-ctx.Done():
		return nil
	}
}

func (n *Node) self() cluster.Self {
	s := cluster.Self{Cluster: n.cfg.Cluster.Advertise, API: n.cfg.API.Advertise, Version: n.opt.Version}
	if n.cfg.Gossip.Enabled {
		s.Gossip = n.cfg.Gossip.Advertise
	}
	return s
}

// runAs runs the member that the data directory says this is.
func (n *Node) runAs(ctx context.Context, id *cluster.Identity) error {
	if id.Node != n.cfg.Node {
		return fmt.Errorf("node: the data directory is that of node %q, the configuration says %q", id.Node, n.cfg.Node)
	}
	m, err := n.open(id, false)
	if err != nil {
		return err
	}
	n.publish(m)
	return m.run(ctx)
}

func (n *Node) publish(m *member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.member = m
}

func (n *Node) current() *member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.member
}

// incomplete marks a founding that has not ended: what stands beside it was never anyone's, and the next start removes it.
const incomplete = "INIT-INCOMPLETE"

func (n *Node) clearIncomplete() error {
	marker := filepath.Join(n.cfg.Data, incomplete)
	if _, err := os.Stat(marker); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	n.log.Warn("an init did not end: what it left is removed, run `trstctl operator init` again")
	for _, name := range []string{"node.json", "tls", "raft", "tables", "snapshots"} {
		if err := os.RemoveAll(filepath.Join(n.cfg.Data, name)); err != nil {
			return fmt.Errorf("remove an incomplete init: %w", err)
		}
	}
	return os.Remove(marker)
}

type foundRequest struct {
	rootTTL time.Duration
	reply   chan foundReply
}

type foundReply struct {
	token   []byte
	cluster fsm.UID
	ca      []byte
	err     error
}

// runFounder makes this node a cluster of one and runs it. A crash before the end leaves the marker, and nothing that
// anyone has seen.
func (n *Node) runFounder(ctx context.Context, req foundRequest) error {
	fail := func(err error) error {
		req.reply <- foundReply{err: err}
		return err
	}
	marker := filepath.Join(n.cfg.Data, incomplete)
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return fail(fmt.Errorf("begin init: %w", err))
	}
	f, err := cluster.Found(n.cfg.Data, n.cfg.Node, n.self())
	if err != nil {
		return fail(err)
	}
	m, err := n.open(f.ID, true)
	if err != nil {
		return fail(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- m.run(ctx) }()
	token, err := m.found(ctx, f, req.rootTTL)
	if err == nil {
		err = os.Remove(marker)
	}
	if err != nil {
		m.stop(err)
		<-ran // ends with the same error
		return fail(err)
	}
	n.publish(m)
	req.reply <- foundReply{token: token, cluster: f.ID.Cluster, ca: f.ID.CA()}
	return <-ran
}
