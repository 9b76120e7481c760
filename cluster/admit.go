package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	steady     = 3 // looks in a row at which a non-voter must be caught up
	tick       = 200 * time.Millisecond
	closeBy    = 1000 // entries behind which a node counts as caught up
	raftChange = 5 * time.Second
	yieldEvery = 5 * time.Second
)

// shapeMembers is the leader's worker that makes Raft's configuration follow the state: granted nodes become non-voters, those that
// have caught up, are stable and have proved that they can unseal become voters, removed ones leave. A crash at any
// step resumes at the next leader. It also hands leadership over when this node should not have it.
func (n *Node) shapeMembers(ctx context.Context) error {
	steadyFor := map[string]int{}
	for ctx.Err() == nil {
		if err := n.shape(ctx, steadyFor); err != nil && ctx.Err() == nil {
			n.log.Warn("membership not settled, will retry", "err", err)
		}
		n.yieldIfUnfit(ctx)
		pause(ctx, tick)
	}
	return nil
}

func (n *Node) shape(ctx context.Context, steadyFor map[string]int) error {
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	all, err := Members(v)
	if err != nil {
		return err
	}
	configured := map[string]raft.Server{}
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		configured[string(s.ID)] = s
	}
	var errs []error
	for _, m := range all {
		s, in := configured[m.ID]
		delete(configured, m.ID)
		switch {
		case !in:
			errs = append(errs, n.configure("node became a non-voter", m.ID, n.raft.AddNonvoter(raft.ServerID(m.ID), raftAddress(m.ID, m.Cluster), 0, raftChange)))
		case s.Suffrage != raft.Voter:
			errs = append(errs, n.promote(ctx, m, steadyFor))
		}
	}
	if _, found, err := genesis(v); err != nil || !found {
		return err // the founding is under way: the first member is not in the state yet
	}
	for id := range configured {
		errs = append(errs, n.configure("node was removed", id, n.raft.RemoveServer(raft.ServerID(id), 0, raftChange)))
	}
	return errors.Join(append(errs, n.raiseVersion(ctx, v, all))...)
}

// promote makes a non-voter a voter when it is ready for it.
func (n *Node) promote(ctx context.Context, m Member, steadyFor map[string]int) error {
	s, err := n.ask(ctx, m.ID)
	if err != nil || s.Sealed || s.Unfit != "" || s.Applied+closeBy < n.store.Applied() {
		steadyFor[m.ID] = 0
		return nil // it is not ready: no failure
	}
	if steadyFor[m.ID]++; steadyFor[m.ID] < steady {
		return nil
	}
	if err := n.proved(ctx, m.ID); err != nil {
		return err
	}
	chaos.Point(chaos.JoinPromoting)
	return n.configure("node became a voter", m.ID, n.raft.AddVoter(raft.ServerID(m.ID), raftAddress(m.ID, m.Cluster), 0, raftChange))
}

// configure waits for a change of Raft's configuration and says what it was.
func (n *Node) configure(what, id string, f raft.IndexFuture) error {
	err := n.await(f)
	if err == nil {
		n.log.Info(what, "member", id)
	}
	return err
}

// raiseVersion switches the cluster to a newer version when every member has announced that it reads it.
func (n *Node) raiseVersion(ctx context.Context, v *fsm.View, all []Member) error {
	row, _, err := genesis(v)
	if err != nil || leastReadable(all) <= row.Version {
		return err
	}
	_, err = n.ledger.Commit(ctx, n.own(), "cluster/version", decideVersion)
	return err
}

// decideVersion guards every member: one that joins or changes its binary meanwhile has it decided again.
func decideVersion(v *fsm.View, e *fsm.Entry) error {
	all, err := Members(v)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := guard(v, e, memberStream(m.ID)); err != nil {
			return err
		}
	}
	row, _, err := genesis(v)
	if least := leastReadable(all); err == nil && least > row.Version {
		e.Add(VersionRaised{Version: least})
	}
	return err
}

func leastReadable(all []Member) (least uint32) {
	for i, m := range all {
		if i == 0 || m.Readable < least {
			least = m.Readable
		}
	}
	return least
}

func guard(v *fsm.View, e *fsm.Entry, stream string) error {
	g, err := fsm.GuardOf(v, fsm.RootTenant, stream)
	e.Guard(g)
	return err
}

// own is a request of the node itself.
func (n *Node) own() fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "node:" + n.id.Node}}
}

// yieldIfUnfit hands leadership over when this node is sealed, its clock is far from the others' or its tables are in doubt. If nobody
// can take it, it keeps it: such a leader still replicates.
func (n *Node) yieldIfUnfit(ctx context.Context) {
	if n.keys.Unsealed() && !n.clock.wrong() && n.fit() == nil || uptime()-n.yielded < yieldEvery {
		return
	}
	n.yielded = uptime()
	if to, err := n.Transfer(ctx, ""); err == nil {
		n.log.Warn("leadership handed over: this node is sealed, its clock is wrong or its tables are in doubt", "to", to)
	}
}

// announce tells the leader how this node is reached, whenever the state says otherwise.
func (n *Node) announce(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := n.announceOnce(ctx); err != nil && ctx.Err() == nil {
			n.log.Debug("addresses not announced, will retry", "err", err)
		}
		pause(ctx, 2*time.Second)
	}
	return nil
}

func (n *Node) announceOnce(ctx context.Context) error {
	v, err := n.store.View()
	if err != nil {
		return err
	}
	known, found, err := member(v, n.id.Node)
	v.Close()
	mine := n.self.member(n.id.Node, n.id.publicKey())
	if err != nil || !found || known == mine {
		return err
	}
	ctx, release, leader := n.leads.under(ctx)
	defer release()
	switch leader {
	case "":
		return noLeader()
	case n.id.Node:
		return n.record(ctx, mine)
	}
	return n.peers.get(leader).call(ctx, callAnnounce, mine, &none{})
}

func (n *Node) answerAnnounce(ctx context.Context, peer string, body []byte) (any, error) {
	var m Member
	if err := fsm.Decode(body, &m); err != nil {
		return nil, err
	}
	if m.ID != peer {
		return nil, errors.New("a node announces itself only")
	}
	return none{}, n.record(ctx, m)
}

// record commits a member's description; its key stays the one it joined with.
func (n *Node) record(ctx context.Context, m Member) error {
	_, err := n.ledger.Commit(ctx, n.own(), memberStream(m.ID), func(v *fsm.View, e *fsm.Entry) error {
		known, found, err := member(v, m.ID)
		if err != nil || !found || known == m {
			return err
		}
		if known.PublicKey != m.PublicKey {
			return errors.New("a member's key does not change")
		}
		if row, _, err := genesis(v); err != nil || m.Readable < row.Version {
			return fault.New(fault.Denied, "the cluster is at version %d, the node's binary reads up to %d", row.Version, m.Readable).Because(err)
		}
		e.Add(Announced{Member: m})
		return guard(v, e, memberStream(m.ID))
	})
	return err
}
