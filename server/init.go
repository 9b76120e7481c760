package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A file in the data directory says what the start after a crash in the middle of an init may do. Neither: the answer was written.
const (
	// incomplete: the founding has not ended, or its answer reached nobody. What stands beside it was never anyone's, and is removed.
	incomplete = "INIT-INCOMPLETE"
	// answering: the root token was on its way to the caller. Somebody may have it, so the cluster stays; if nobody has, it cannot be used,
	// and its directory is removed by hand.
	answering = "INIT-ANSWERING"
)

// clearIncomplete brings a data directory in order that an init left behind.
func (n *Node) clearIncomplete() error {
	if n.marked(restoring) {
		return fault.New(fault.Conflict, "data: a restore into %s did not end: run `trstctl operator snapshot restore` again, it begins anew", n.cfg.Data)
	}
	if n.marked(recovering) {
		return fault.New(fault.Conflict, "data: a recovery of %s did not end: run `trstctl operator recover` again, it goes on", n.cfg.Data)
	}
	if n.marked(answering) {
		n.log.Warn("the node ended while it answered an init: the cluster stands; if nobody has its root token, stop the node, remove its data directory and run `trstctl operator init` again")
		return n.mark(answering, "")
	}
	if !n.marked(incomplete) {
		return nil
	}
	n.log.Warn("an init did not end: what it left is removed, run `trstctl operator init` again")
	if err := wipe(n.cfg.Data); err != nil { // the mark goes last, in a power cut too
		return fmt.Errorf("remove an incomplete init: %w", err)
	}
	return n.mark(incomplete, "")
}

// wipe removes what makes a directory a node's, durably.
func wipe(dir string) error {
	for _, name := range []string{"node.json", "node.json.new", "tls", "raft", "tables", "snapshots", "journal"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}

func (n *Node) marked(name string) bool { return marked(n.cfg.Data, name) }

func (n *Node) mark(from, to string) error { return mark(n.cfg.Data, from, to) }

func marked(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// mark puts one mark in the place of another; "" stands for none. It is on disk when it returns.
func mark(dir, from, to string) (err error) {
	at := func(name string) string { return filepath.Join(dir, name) }
	switch {
	case from == "":
		err = os.WriteFile(at(to), nil, 0o600)
	case to == "":
		err = os.Remove(at(from))
	default:
		err = os.Rename(at(from), at(to))
	}
	if err != nil {
		return fmt.Errorf("mark how far the data directory is: %w", err)
	}
	return durable.SyncDir(dir)
}

type foundRequest struct {
	rootTTL  time.Duration
	people   keyring.People
	reply    chan foundReply
	answered chan error // once: nil when the reply was written to the caller
}

type foundReply struct {
	token   []byte
	shares  []seal.Share
	cluster fsm.UID
	ca      []byte
	audit   string // fingerprint of the audit key
	err     error
}

// runFounder makes this node a cluster of one and runs it. It ends, and the next start begins anew, when the root token could not be given to
// anyone.
func (n *Node) runFounder(ctx context.Context, req foundRequest) error {
	fail := func(err error) error {
		req.reply <- foundReply{err: err}
		return err
	}
	if err := n.mark("", incomplete); err != nil {
		return fail(err)
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
	token, shares, err := m.found(ctx, f, req.rootTTL, req.people)
	var fingerprint string
	if err == nil {
		fingerprint, err = m.auditKey()
	}
	if err == nil {
		err = n.mark(incomplete, answering) // from here on somebody may have the token
	}
	if err != nil {
		m.stop(err)
		<-ran // ends with the same error
		return fail(err)
	}
	n.publish(m)
	req.reply <- foundReply{token: token, shares: shares, cluster: f.ID.Cluster, ca: f.ID.CA(), audit: fingerprint}
	if err := n.settle(<-req.answered); err != nil {
		m.stop(err)
	}
	return <-ran
}

// settle ends an init whose answer was written, or takes it back when it reached nobody.
func (n *Node) settle(lost error) error {
	if lost == nil {
		return n.mark(answering, "")
	}
	err := fmt.Errorf("the answer to init reached nobody: start the node again and repeat `trstctl operator init`: %w", lost)
	return errors.Join(err, n.mark(answering, incomplete))
}
