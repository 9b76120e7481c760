package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// gate opens and closes one node. It asks the node's seals until one answers, takes shares from people, and keeps a node closed that an operator
// has sealed. Attempts with shares belong to this node and to who knows their random id; nothing of one is left after ten minutes.
type gate struct {
	m     *member
	seals []seal.Seal
	mark  string // file that keeps the node sealed over a restart

	door sync.Mutex  // held while keys are taken or wiped and the mark is made or removed, never while a seal is asked
	shut atomic.Bool // an operator has sealed the node since it started

	warned time.Time // run's own: when it said last that a newer key is missing

	mu       sync.Mutex // guards the rest
	reason   error      // why the node is sealed; nil when it is not known yet
	attempts map[string]*attempt
}

const (
	sealedMark   = "SEALED-BY-OPERATOR"
	attemptLife  = 10 * time.Minute
	mostAttempts = 16
	sealPause    = 500 * time.Millisecond // between two rounds of asking
	refreshEvery = time.Second
	askTime      = 8 * time.Second // for one seal
)

func newGate(m *member, c Config, seals []seal.Seal) *gate {
	return &gate{m: m, seals: seals, mark: filepath.Join(c.Data, sealedMark), attempts: map[string]*attempt{}}
}

var errByOperator = fault.New(fault.Sealed, "an operator sealed this node: `trstctl operator unseal` opens it, with shares, or on its machine with -c FILE")

// byOperator takes a mark that cannot be looked at for one that is there.
func (g *gate) byOperator() bool {
	_, err := os.Lstat(g.mark)
	return g.shut.Load() || !errors.Is(err, os.ErrNotExist)
}

func (g *gate) allowed() error {
	if g.byOperator() {
		return errByOperator
	}
	return nil
}

// try asks the node's seals once, unless an operator has sealed the node. fault.Sealed says that the keys are not there yet or no seal answers; any
// other error is a wrong or damaged key.
func (g *gate) try(ctx context.Context) error {
	err := g.allowed()
	if err == nil {
		err = g.unseal(ctx, g.allowed)
	}
	if err != nil {
		g.note(err)
	}
	return err
}

// unseal asks the seals, and once they have answered whether the node may be opened still: an operator may have sealed it meanwhile.
func (g *gate) unseal(ctx context.Context, may func() error, beside ...seal.Seal) error {
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	opened, err := g.m.keys.Ask(ctx, v, beside...)
	if err != nil {
		return err
	}
	chaos.Point(chaos.UnsealAnswered)
	g.door.Lock()
	defer g.door.Unlock()
	if err := may(); err != nil {
		opened.Drop()
		return err
	}
	chaos.Point(chaos.UnsealOpening)
	opened.Take()
	chaos.Point(chaos.UnsealOpened)
	g.note(nil)
	return nil
}

func (g *gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && g.shut.Load() { // it was asked for before
		err = errByOperator
	}
	if err != nil && (g.reason == nil || g.reason.Error() != err.Error()) && !errors.Is(err, errByOperator) {
		g.m.log.Warn("the node is sealed", "reason", err.Error())
	}
	g.reason = err
}

// run tries until it has the keys, since a node that has just joined gets the state first and a seal may be out of reach, and then follows the
// rotation of the root key.
func (g *gate) run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := refreshEvery
		if err := g.step(ctx); err != nil {
			if !fault.Is(err, fault.Sealed) && !fault.Is(err, fault.NotDone) { // not done: the cluster is stopping, and says why itself
				return err
			}
			wait = sealPause
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

func (g *gate) step(ctx context.Context) error {
	g.expire()
	if !g.m.keys.Unsealed() {
		return g.try(ctx)
	}
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	err = g.m.keys.Refresh(ctx, v, fsm.At(chaos.Now()))
	switch {
	case !fault.Is(err, fault.Sealed):
		return err
	case g.m.keys.Unsealed():
		if time.Since(g.warned) > time.Minute {
			g.warned = time.Now()
			g.m.log.Warn("a newer root key is not here yet", "err", err)
		}
		return nil
	}
	g.note(err) // it was away while its keys were rotated
	return err
}

// SealNode implements api.Gate. Another member is asked over the peer port.
func (g *gate) SealNode(ctx context.Context, node string) error {
	if node == g.m.cluster.Identity().Node {
		return g.close()
	}
	ids, err := g.m.cluster.MemberIDs()
	if err != nil {
		return err
	}
	if !slices.Contains(ids, node) {
		return fault.New(fault.NotFound, "node %q is not a member", node)
	}
	_, err = g.m.cluster.Ask(ctx, node, askClose, nil)
	return err
}

// close wipes the keys: they are gone from memory when it returns, and stay away over a restart unless it fails.
func (g *gate) close() error {
	g.door.Lock()
	defer g.door.Unlock()
	g.shut.Store(true)
	g.m.keys.Close()
	g.m.transit.worker.Wipe()
	g.m.lending.PKI.Forget()
	g.note(errByOperator)
	g.m.log.Warn("an operator sealed this node")
	err := os.WriteFile(g.mark, nil, 0o600)
	if err == nil {
		err = durable.SyncDir(filepath.Dir(g.mark))
	}
	if err != nil {
		return fmt.Errorf("the node is sealed, but may not be after a restart: %w", err)
	}
	return nil
}

// reopen takes back an operator's sealing and asks the seals: for the operator of this machine.
func (g *gate) reopen(ctx context.Context) error {
	g.door.Lock()
	err := g.unmark()
	g.door.Unlock()
	if err != nil {
		return err
	}
	if g.m.keys.Unsealed() {
		return nil
	}
	return g.try(ctx)
}

// unmark takes an operator's sealing back. Its caller has the door.
func (g *gate) unmark() error {
	err := os.Remove(g.mark)
	if err == nil {
		err = durable.SyncDir(filepath.Dir(g.mark))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open the node to its seals again: %w", err)
	}
	g.shut.Store(false)
	return nil
}

// Reason implements api.Gate: why the node is sealed, for everyone who asks.
func (g *gate) Reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == nil || g.m.keys.Unsealed() {
		return ""
	}
	return g.reason.Error()
}
