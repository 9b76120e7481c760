package cluster

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// markDigests is the leader's worker that has the nodes compare their tables now and then.
func (n *Node) markDigests(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, n.cfg.digestEvery())
		if ctx.Err() != nil {
			return nil
		}
		if _, err := n.appendMark(ctx, false); err != nil {
			n.log.Warn("the tables were not compared, will retry", "err", err)
		}
	}
	return nil
}

// mark is the question of n.marks.
func (n *Node) mark(ctx context.Context) (uint64, error) {
	index, err := n.appendMark(ctx, true)
	if err == nil {
		n.marked.Store(&lastMark{index, uptime()})
	}
	return index, err
}

// lastMark is the latest mark that somebody waited for.
type lastMark struct {
	index uint64
	at    time.Duration // uptime
}

const markShared = 10 * time.Second // for how long a mark is good for whoever has not applied it yet

// markFor returns the index of a mark that a node will apply: nodes that start together share one, and compute one digest.
func (n *Node) markFor(ctx context.Context, applied uint64) (uint64, error) {
	if last := n.marked.Load(); last != nil && last.index > applied && uptime()-last.at < markShared {
		if _, err := n.opened(); err == nil {
			return last.index, nil
		}
	}
	return n.marks.join(ctx)
}

// appendMark puts a mark into the log and returns its index; 0 while a member is of a version that would not understand it.
func (n *Node) appendMark(_ context.Context, soon bool) (uint64, error) {
	term, err := n.opened()
	if err != nil {
		return 0, err
	}
	ask := fsm.DigestAsked{Soon: soon}
	if n.agreed() < ask.Since() {
		return 0, nil
	}
	return n.appendAlone(term, ask)
}

// appendAlone commits an event of the node's own as the only one of its batch, without a clock: at the time of the entry before.
func (n *Agreement) appendAlone(term uint64, event fsm.Event) (uint64, error) {
	e := fsm.Entry{ID: newUID(), Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "node:" + n.name}}
	e.Add(event)
	raw, err := e.Marshal()
	if err != nil {
		return 0, err
	}
	var b fsm.Batch
	b.Add(raw)
	f := n.raft.Apply(b.Marshal(term, 0), enqueueTime)
	if err := n.await(f); err != nil {
		return 0, err
	}
	return f.Index(), nil
}

type markRequest struct {
	Applied uint64 `cbor:"1,keyasint"` // by who asks
}

type markReply struct {
	Index uint64 `cbor:"1,keyasint"` // 0: the cluster's version knows no marks
}

func (n *Node) answerMark(ctx context.Context, _ string, body []byte) (any, error) {
	var in markRequest
	if err := fsm.Decode(body, &in); err != nil {
		return nil, fault.New(fault.Invalid, "the request for a mark cannot be read").Because(err)
	}
	index, err := n.markFor(ctx, in.Applied)
	return markReply{index}, err
}

// askMark has the leader put a mark into the log, or takes the latest if applied says that it lies ahead. known is false when the cluster's
// version has none.
func (n *Node) askMark(ctx context.Context, applied uint64) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	if n.raft.State() == raft.Leader {
		index, err := n.markFor(ctx, applied)
		return index > 0, err
	}
	ctx, release, leader := n.leads.under(ctx)
	defer release()
	if leader == "" {
		return true, noLeader()
	}
	var r markReply
	err = n.peers.get(leader).call(ctx, callMark, markRequest{applied}, &r)
	if fault.Is(err, fault.Invalid) { // its binary is of a version that has none
		return false, nil
	}
	return r.Index > 0, err
}

// CompareTables has all nodes compare their tables now, in the background.
func (n *Node) CompareTables(ctx context.Context) error {
	_, err := n.askMark(ctx, math.MaxUint64) // a mark of before the call would not do
	return err
}

// proveTables asks for a comparison after the start: until it has been made, when the node was not stopped in order; once otherwise.
func (n *Node) proveTables(ctx context.Context) error {
	for wait := 5 * time.Second; ctx.Err() == nil; {
		known, err := n.askMark(ctx, n.store.Applied())
		switch {
		case err != nil:
			pause(ctx, comparePause)
			continue
		case !known || n.alone():
			n.verified.Store(true)
		}
		for until := uptime() + wait; ctx.Err() == nil && !n.verified.Load() && uptime() < until; {
			pause(ctx, comparePause)
		}
		if n.verified.Load() || n.quarantined.Load() != nil {
			return nil
		}
		wait = min(2*wait, time.Minute)
	}
	return nil
}

// A node that was stopped in order leaves a file among its tables, where tables that are exchanged do not have it.
const orderly = "orderly"

// wasOrderly reports whether the node was stopped in order, and takes the file away until it is again.
func (c *Config) wasOrderly() (bool, error) {
	err := os.Remove(c.orderlyFile())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, durable.SyncDir(filepath.Dir(c.orderlyFile()))
}

func (c *Config) orderlyFile() string { return filepath.Join(c.Dir, "tables", orderly) }

// stoppedOrderly leaves the file, unless the tables are in doubt.
func (n *Node) stoppedOrderly() error {
	if n.quarantined.Load() != nil || !n.verified.Load() {
		return nil
	}
	return writeFile(n.cfg.orderlyFile(), nil)
}
