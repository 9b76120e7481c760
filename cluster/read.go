package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Level says how fresh a read must be.
type Level string

// The levels. Token, policy and data of a request come from one view that satisfies its level.
const (
	Linearizable Level = "linearizable" // covers everything acknowledged before the read arrived
	Session      Level = "session"      // covers the index that the caller has seen
	Stale        Level = "stale"        // no older than the caller allows
)

const (
	// MaxAge is the age of state beyond which a node answers nothing that rests on a token or policy: a revoked token must
	// not live on in a node that is cut off.
	MaxAge      = 2 * time.Second
	sessionWait = 500 * time.Millisecond
	beat        = 500 * time.Millisecond // a node asks at least this often how far the cluster is
	eager       = 20 * time.Millisecond  // and while its state is too old to serve, such as after a start: a leader may show any moment
	indexTime   = 2 * time.Second
)

// freshness is measured: the state is as old as the newest request for a read index that it covers, counted from when
// that was sent.
type freshness struct {
	ages stopwatch
	sent atomic.Int64 // uptime
}

func (f *freshness) covers(sent time.Duration) {
	for {
		old := f.sent.Load()
		if old >= int64(sent) || f.sent.CompareAndSwap(old, int64(sent)) {
			return
		}
	}
}

func (f *freshness) age() time.Duration {
	sent := f.sent.Load()
	if sent == 0 {
		return time.Hour
	}
	return f.ages.read() - time.Duration(sent)
}

// Age returns how old this node's state may be.
func (n *Agreement) Age() time.Duration {
	if mutant.LastContactFreshness && n.raft.State() == raft.Leader {
		return 0
	}
	if mutant.LastContactFreshness {
		return time.Since(n.raft.LastContact())
	}
	return n.fresh.age()
}

// Await returns when the local state satisfies level. seen is the index for Session; maxAge, at most MaxAge, is for Stale.
// Errors are fault.NotDone.
func (n *Agreement) Await(ctx context.Context, level Level, maxAge time.Duration, seen uint64) error {
	switch level {
	case Stale:
		return n.awaitAge(ctx, min(maxAge, MaxAge))
	case Session:
		if err := n.awaitSeen(ctx, seen); err != nil {
			return err
		}
		return n.awaitAge(ctx, MaxAge)
	default:
		return n.reach(ctx)
	}
}

func (n *Agreement) awaitSeen(ctx context.Context, seen uint64) error {
	if mutant.SessionReadsDoNotWait {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, sessionWait)
	defer cancel()
	if n.store.Wait(short, seen) == nil {
		return nil
	}
	if err := n.reach(ctx); err != nil {
		return err
	}
	if n.store.Applied() < seen {
		return fault.New(fault.NotDone, "the index of the request lies ahead of the cluster's: it is not from this cluster").After(time.Second)
	}
	return nil
}

// awaitAge refuses at once when the state is too old; a round that is under way may still help the next caller.
func (n *Agreement) awaitAge(ctx context.Context, most time.Duration) error {
	if n.Age() <= most {
		return nil
	}
	if err := n.reach(ctx); err != nil {
		return fault.New(fault.NotDone, "this node's state is %s old, more than the %s allowed: it is cut off from the others", n.ageText(), most).
			Because(err).After(time.Second)
	}
	return nil
}

func (n *Agreement) ageText() string {
	if n.fresh.sent.Load() == 0 {
		return "of unknown age and so too"
	}
	return n.Age().Round(100 * time.Millisecond).String()
}

// reach brings the local state up to everything acknowledged before the call.
func (n *Agreement) reach(ctx context.Context) error {
	sent := n.ages.read()
	index, err := n.index.join(ctx)
	if err == nil {
		err = n.store.Wait(ctx, index)
	}
	if err == nil {
		n.fresh.covers(sent)
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	return fault.New(fault.NotDone, "the cluster did not say in time how far it is: try again").Because(err).After(time.Second)
}

type indexReply struct {
	Index uint64 `cbor:"1,keyasint"`
}

type none struct{}

// askIndex gets a read index: by a round of its own on the leader, from the leader on the others.
func (n *Agreement) askIndex(ctx context.Context) (uint64, error) {
	if n.raft.State() == raft.Leader {
		return n.confirms.join(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	ctx, release, leader := n.leads.under(ctx)
	defer release()
	if leader == "" {
		return 0, noLeader()
	}
	index, err := n.voice.ReadIndex(ctx, leader)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return 0, err
		}
		return 0, fault.New(fault.NotDone, "the leader does not answer: try again").Because(err).After(time.Second)
	}
	return index, nil
}

func (n *Agreement) answerIndex(ctx context.Context, _ string, _ []byte) (any, error) {
	index, err := n.confirms.join(ctx)
	return indexReply{index}, err
}

// keepFresh measures the state's age twice a second, also when nobody reads.
func (n *Agreement) keepFresh(ctx context.Context) error {
	for ctx.Err() == nil {
		began := n.ages.read()
		if err := n.reach(ctx); err != nil && ctx.Err() == nil && n.Age() < MaxAge {
			n.log.Warn("no read index", "err", err)
		}
		pause(ctx, untilAsked(n.Age(), n.ages.read()-began))
	}
	return nil
}

// untilAsked is how long a node whose state is so old waits after a request for a read index that took so long.
func untilAsked(age, took time.Duration) time.Duration {
	if age > MaxAge {
		return eager
	}
	return max(beat-took, eager)
}

func noLeader() error {
	return fault.New(fault.NotDone, "the cluster has no leader at present: nothing was done, try again").After(time.Second)
}
