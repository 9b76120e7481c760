package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Status is what a node says of itself.
type Status struct {
	Node     string `cbor:"1,keyasint"`
	State    string `cbor:"2,keyasint"` // leader, follower, candidate, shutdown
	Term     uint64 `cbor:"3,keyasint"`
	Applied  uint64 `cbor:"4,keyasint"`
	Commit   uint64 `cbor:"5,keyasint"`
	Sealed   bool   `cbor:"6,keyasint"`
	Version  string `cbor:"7,keyasint"`
	Leader   string `cbor:"8,keyasint"`
	LowSpace bool   `cbor:"9,keyasint"`  // its disk's reserve is reached
	Expires  int64  `cbor:"10,keyasint"` // of its certificate, Unix seconds
	Address  string `cbor:"11,keyasint"` // of its cluster port
	Agreed   uint32 `cbor:"12,keyasint"` // version of the cluster, as far as it has applied
	Readable uint32 `cbor:"13,keyasint"` // newest version of a state that its binary reads

	Digests []Point `cbor:"14,keyasint,omitempty"` // of its tables, the latest
	Unfit   string  `cbor:"15,keyasint,omitempty"` // why it must not serve, empty when it may
	Yours   uint64  `cbor:"16,keyasint,omitempty"` // index up to which the asking node once had the log
	Last    uint64  `cbor:"17,keyasint"`           // index up to which it has the log

	GossipHas  uint64 `cbor:"18,keyasint,omitempty"` // newest gossip key that it reads with, 0 when it does not gossip
	GossipUses uint64 `cbor:"19,keyasint,omitempty"` // that it writes with
}

// Status describes this node.
func (n *Node) Status() Status {
	_, leader := n.raft.LeaderWithID()
	state := map[raft.RaftState]string{raft.Leader: "leader", raft.Follower: "follower", raft.Candidate: "candidate", raft.Shutdown: "shutdown"}
	return Status{Node: n.id.Node, State: state[n.raft.State()], Term: n.raft.CurrentTerm(), Applied: n.store.Applied(), Commit: n.raft.CommitIndex(),
		Sealed: !n.keys.Unsealed(), Version: n.self.Version, Leader: string(leader), LowSpace: n.disk.low(),
		Expires: n.certs.node.Load().Leaf.NotAfter.Unix(), Address: n.self.Cluster, Agreed: n.agreed(), Readable: Version,
		Last: n.raft.LastIndex(), GossipHas: n.gossipHas.Load(), GossipUses: n.gossipUses.Load(), Digests: n.digests.latest(), Unfit: reason(n.fit())}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// agreed is the version of the cluster in this node's tables, 0 when they cannot be read.
func (n *Node) agreed() uint32 {
	v, err := n.store.View()
	if err != nil {
		return 0
	}
	defer v.Close()
	return v.Version()
}

func (n *Node) answerStatus(_ context.Context, peer string, body []byte) (any, error) {
	var hello hello
	if err := fsm.Decode(body, &hello); err == nil && hello.Address != "" {
		n.address.gossip(peer, hello.Address) // said over a connection that proved who it is
	}
	s := n.Status()
	if !mutant.AcknowledgementsForgotten {
		s.Yours = n.acked.of(peer)
	}
	return s.asOf(hello.Readable), nil
}

// firstStatus is what binaries of version 1 read: they refuse what they do not know.
type firstStatus struct {
	Node     string `cbor:"1,keyasint"`
	State    string `cbor:"2,keyasint"`
	Term     uint64 `cbor:"3,keyasint"`
	Applied  uint64 `cbor:"4,keyasint"`
	Commit   uint64 `cbor:"5,keyasint"`
	Sealed   bool   `cbor:"6,keyasint"`
	Version  string `cbor:"7,keyasint"`
	Leader   string `cbor:"8,keyasint"`
	LowSpace bool   `cbor:"9,keyasint"`
	Expires  int64  `cbor:"10,keyasint"`
	Address  string `cbor:"11,keyasint"`
}

// asOf is the status as a binary of a version reads it.
func (s Status) asOf(readable uint32) any {
	if readable >= 2 {
		return s
	}
	return firstStatus{s.Node, s.State, s.Term, s.Applied, s.Commit, s.Sealed, s.Version, s.Leader, s.LowSpace, s.Expires, s.Address}
}

// hello says where the asking node can be reached.
type hello struct {
	Address  string `cbor:"1,keyasint"`
	Readable uint32 `cbor:"2,keyasint,omitempty"` // newest version that the asking binary reads; 0 of version 1
}

// Info is a member with what it says of itself; Status is nil when it does not answer.
type Info struct {
	Member
	Voter  bool
	Raft   bool // in Raft's configuration; a node that was just granted is not yet
	Status *Status
}

// List returns the members by id, asking each for its status.
func (n *Node) List(ctx context.Context, r fsm.Reader) ([]Info, error) {
	all, err := Members(r)
	if err != nil {
		return nil, err
	}
	out := make([]Info, len(all))
	var wg sync.WaitGroup
	for i, m := range all {
		out[i].Member = m
		for _, s := range n.raft.GetConfiguration().Configuration().Servers {
			if string(s.ID) == m.ID {
				out[i].Raft, out[i].Voter = true, s.Suffrage == raft.Voter
			}
		}
		wg.Go(func() {
			if s, err := n.ask(ctx, m.ID); err == nil {
				out[i].Status = &s
			}
		})
	}
	wg.Wait()
	return out, nil
}

// ask returns a member's status, within a second.
func (n *Node) ask(ctx context.Context, id string) (Status, error) {
	if id == n.id.Node {
		return n.Status(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var s Status
	err := n.peers.get(id).call(ctx, callStatus, hello{n.self.Cluster, Version}, &s)
	return s, err
}

// Remove takes a member out of the cluster for ever. It is refused when the voters that remain could not form a
// majority of those that answer now.
func (n *Node) Remove(ctx context.Context, r fsm.Request, id string) error {
	alive := n.answering(ctx)
	_, err := n.ledger.Commit(Urgent(ctx), r, "members", func(v *fsm.View, e *fsm.Entry) error {
		return n.decideRemoval(v, e, id, alive)
	})
	return err // the leader's worker takes it out of Raft's configuration
}

// answering returns which of the voters answer now, this node too.
func (n *Node) answering(ctx context.Context) map[string]bool {
	voters, _ := n.voters()
	alive, answers := map[string]bool{n.id.Node: true}, make(chan string, len(voters))
	for _, id := range voters {
		go func() {
			if _, err := n.ask(ctx, id); err != nil {
				id = ""
			}
			answers <- id
		}()
	}
	for range voters {
		alive[<-answers] = true
	}
	return alive
}

// decideRemoval guards all members, so that of two removals decided in one state only one has effect, and waits for the one before
// to be in Raft's configuration, by which the rest is counted.
func (n *Node) decideRemoval(v *fsm.View, e *fsm.Entry, id string, alive map[string]bool) error {
	all, err := Members(v)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, m := range all {
		known[m.ID] = true
		if err := guard(v, e, memberStream(m.ID)); err != nil {
			return err
		}
	}
	switch {
	case !known[id]:
		return fault.New(fault.NotFound, "node %q is not a member", id)
	case id == n.id.Node:
		return fault.New(fault.Conflict, "node %q leads the cluster: transfer leadership first, then remove it", id)
	}
	voters, _ := n.voters()
	for _, voter := range voters {
		if !known[voter] {
			return fault.New(fault.NotDone, "the removal of node %q is under way: try again", voter).After(time.Second)
		}
	}
	e.Add(Removed{Node: id})
	return mayRemove(id, append(voters, n.id.Node), alive)
}

func mayRemove(id string, voters []string, alive map[string]bool) error {
	if !slices.Contains(voters, id) {
		return nil
	}
	left, answer := len(voters)-1, 0
	for _, v := range voters {
		if v != id && alive[v] {
			answer++
		}
	}
	if answer < left/2+1 {
		return fault.New(fault.Conflict, "without node %q only %d of %d voters would answer, which is no majority: bring another back first", id, answer, left)
	}
	return nil
}

// TransferFrom is Transfer for a caller who repeats it: once another than from leads, it has been done, and the answer is who leads.
func (n *Node) TransferFrom(ctx context.Context, from, to string) (string, error) {
	if _, err := n.opened(); err != nil {
		return "", err
	}
	if from != "" && from != n.id.Node {
		return n.id.Node, nil
	}
	return n.Transfer(ctx, to)
}

// Transfer hands leadership to another voter, one that has caught up and unsealed; to is empty for any.
func (n *Node) Transfer(ctx context.Context, to string) (string, error) {
	if _, err := n.opened(); err != nil {
		return "", err
	}
	if to == n.id.Node {
		return to, nil // it leads already: the answer to an earlier attempt may have been lost in the change
	}
	target, err := n.successor(ctx, to)
	if err != nil {
		return "", err
	}
	err = n.await(n.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target)))
	switch {
	case errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrNotLeader):
		return "", fault.New(fault.NotDone, "leadership was not transferred to %s: try again", target).Because(err).After(time.Second)
	case err != nil: // the target may have been told to begin
		return "", unknown(err)
	}
	n.log.Info("leadership transferred", "to", target)
	return target, nil
}

// successor picks the voter that has applied most and has just said that it is unsealed.
func (n *Node) successor(ctx context.Context, want string) (string, error) {
	voters, _ := n.voters()
	if want != "" && !slices.Contains(voters, want) {
		return "", fault.New(fault.NotFound, "node %q is not another voter", want)
	}
	best, most := "", uint64(0)
	for _, id := range voters {
		if want != "" && id != want {
			continue
		}
		s, err := n.ask(ctx, id)
		if err == nil && !s.Sealed && s.Unfit == "" && n.clock.fit(id) && s.Applied+1000 >= n.store.Applied() && s.Applied >= most {
			best, most = id, s.Applied
		}
	}
	if best == "" {
		return "", fault.New(fault.Conflict, "no other voter is caught up, unsealed and reachable")
	}
	return best, nil
}

type proveRequest struct {
	Nonce []byte `cbor:"1,keyasint"`
}

type proveReply struct {
	MAC [32]byte `cbor:"1,keyasint"`
}

func (n *Node) answerProve(_ context.Context, _ string, body []byte) (any, error) {
	var in proveRequest
	if err := fsm.Decode(body, &in); err != nil || len(in.Nonce) != 32 {
		return nil, fault.New(fault.Invalid, "the nonce has 32 bytes")
	}
	mac, err := n.keys.Prove(in.Nonce, []byte(n.id.Node))
	return proveReply{mac}, err
}

// proved reports whether a node shows that it has unsealed.
func (n *Node) proved(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	in := proveRequest{make([]byte, 32)}
	rand.Read(in.Nonce)
	var out proveReply
	if err := n.peers.get(id).call(ctx, callProve, in, &out); err != nil {
		return err
	}
	want, err := n.keys.Prove(in.Nonce, []byte(id))
	if err == nil && !hmac.Equal(want[:], out.MAC[:]) {
		err = errors.New("its proof that it has unsealed is wrong")
	}
	return err
}
