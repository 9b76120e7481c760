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
	"sync"
	"syscall"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Options are what a process gives its node beside the configuration.
type Options struct {
	Log       *slog.Logger
	JoinToken []byte // joins that cluster when the data directory is not a node's yet; the node zeroes it
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
	joins  chan joinRequest
}

// NewNode opens the seals. A missing or badly kept KEK file is refused here, unless there are other seals; an HSM is asked when it is needed.
func NewNode(cfg Config, opt Options) (*Node, error) {
	if err := seal.NoCoreDumps(); err != nil {
		return nil, fmt.Errorf("switch core dumps off: %w", err)
	}
	syscall.Umask(0o077) // nothing that a node makes is for others, its socket included
	log := opt.Log.With("node", cfg.Node)
	seals, err := openSeals(cfg, log)
	if err != nil {
		return nil, err
	}
	return &Node{cfg: cfg, opt: opt, log: log, seals: seals, found: make(chan foundRequest), joins: make(chan joinRequest)}, nil
}

// Run runs the node until ctx ends: as the member that its data directory says it is, or after joining with the token, or
// after an operator's init over the local socket.
func (n *Node) Run(ctx context.Context) error {
	defer n.forget()
	if err := asideOf(n.cfg.Data).unended(); err != nil {
		return err
	}
	if err := private(n.cfg.Data); err != nil {
		return err
	}
	lock, err := cluster.Lock(n.cfg.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	chaos.Point(chaos.BootLocked)
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
	err = n.run(ctx)
	if fault.Is(err, fault.Corrupt) { // what finds damage knows files at most
		err = fmt.Errorf("data directory %s: %w", n.cfg.Data, err)
	}
	return err
}

// private makes the data directory, or refuses one in which others could exchange what the node trusts.
func private(dir string) error {
	if err := durable.MakeDir(dir); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fault.New(fault.Invalid, "data: others may write in %s (mode %04o): see who did, then run `chmod 700 %s`", dir, mode, dir)
	}
	return nil
}

// forget zeroes the keys that the process was given.
func (n *Node) forget() {
	clear(n.opt.JoinToken)
	for _, s := range n.seals {
		s.Close()
	}
}

func (n *Node) run(ctx context.Context) error {
	id, err := cluster.LoadIdentity(n.cfg.Data)
	switch {
	case err == nil:
		return n.runAs(ctx, id)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case len(n.opt.JoinToken) > 0:
		if id, err = n.join(ctx, n.opt.JoinToken); err != nil {
			return err
		}
		return n.runAs(ctx, id)
	}
	n.log.Info("this node belongs to no cluster: run `trstctl operator init` or `trstctl operator join` on this machine, or start it with --join")
	return n.wait(ctx)
}

// wait has an operator say, over the local socket, what this node is to become.
func (n *Node) wait(ctx context.Context) error {
	for {
		select {
		case req := <-n.found:
			return n.runFounder(ctx, req)
		case req := <-n.joins:
			id, err := n.join(ctx, req.token)
			clear(req.token)
			req.joined <- err
			if err == nil {
				return n.runAs(ctx, id)
			}
			n.log.Warn("not joined", "err", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// join asks for membership with a token that is this node's.
func (n *Node) join(ctx context.Context, token []byte) (*cluster.Identity, error) {
	switch node, err := cluster.TokenNode(string(token)); {
	case err != nil:
		return nil, err
	case node != n.cfg.Node:
		return nil, fault.Bad("join", "the join token admits node %q, this is node %q: make one with `trstctl operator token %s`", node, n.cfg.Node, n.cfg.Node)
	}
	n.log.Info("joining a cluster")
	return cluster.Join(ctx, n.cfg.Data, string(token), n.self())
}

func (n *Node) self() cluster.Self { return n.cfg.self(n.opt.Version) }

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
