package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	buryEvery   = 10 * time.Second
	leastVoters = 3 // are left by removals that nobody asked for
)

// buryDead is the leader's worker that removes members which have been silent for longer than the operator allows, one at a time. A voter
// goes only when at least three others remain, of which a majority is well: to remove it from three would gain nothing, and its return
// would mend more. Removal is for ever, so the operator has to switch it on.
func (n *Node) buryDead(ctx context.Context) error {
	if n.cfg.DeadAfter == 0 {
		return nil
	}
	for ctx.Err() == nil {
		pause(ctx, min(buryEvery, n.cfg.DeadAfter/4))
		if id := n.dead(); id != "" && ctx.Err() == nil {
			if err := n.bury(ctx, id); err != nil && ctx.Err() == nil {
				n.log.Warn("a dead member was not removed, will retry", "member", id, "err", err)
			}
		}
	}
	return nil
}

// dead returns a member that may be removed because it has been silent for too long, if there is one.
func (n *Node) dead() string {
	voters, self := n.voters()
	_, well, _ := n.Tolerance()
	for _, id := range n.others() {
		if _, silent := n.watch.sightOf(id); silent <= n.cfg.DeadAfter {
			continue
		}
		left := len(voters) + self
		if slices.Contains(voters, id) {
			left--
		}
		if left == len(voters)+self || left >= leastVoters && well >= left/2+1 {
			return id
		}
	}
	return ""
}

func (n *Node) bury(ctx context.Context, id string) error {
	alive := n.answering(ctx)
	if alive[id] {
		return nil
	}
	_, silent := n.watch.sightOf(id)
	_, err := n.ledger.Commit(ctx, n.own(), "members", func(v *fsm.View, e *fsm.Entry) error { return n.decideRemoval(v, e, id, alive) })
	if err == nil {
		n.log.Warn("a member was removed because it has been silent for too long: its id is never used again", "member", id, "silent", silent.Round(time.Second))
		n.deeds.buried.Add(1)
	}
	if fault.Is(err, fault.NotFound) { // it is gone from the state, and soon from Raft's configuration
		return nil
	}
	return err
}
