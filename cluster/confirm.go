package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm/fault"
)

// A round of ConfirmTerm shows that this node leads: a majority of the voters answers, to a question that was sent after
// everything that waits for the round had arrived, that it is still in the leader's term. raft.VerifyLeader does not show
// that: a heartbeat that was in flight while this process was paused counts there.
const confirmTime = time.Second

type confirmRequest struct {
	Term uint64 `cbor:"1,keyasint"`
}

type confirmReply struct {
	Term  uint64 `cbor:"1,keyasint"`
	Clock int64  `cbor:"2,keyasint"` // Unix ns
}

func (n *Node) answerConfirm(context.Context, string, []byte) (any, error) {
	return confirmReply{n.raft.CurrentTerm(), time.Now().UnixNano()}, nil
}

// confirm runs one round and returns a read index taken at its start.
func (n *Node) confirm(ctx context.Context) (uint64, error) {
	term, err := n.opened()
	if err != nil {
		return 0, err
	}
	index := n.raft.CommitIndex()
	if err := n.leadsIn(ctx, term); err != nil {
		return 0, err
	}
	return index, nil
}

// leadsIn shows that this node leads in a term, by a majority that has heard of no later one.
func (n *Node) leadsIn(ctx context.Context, term uint64) error {
	voters, self := n.voters()
	if need := (len(voters)+self)/2 + 1 - self; need > 0 {
		ctx, cancel := context.WithTimeout(ctx, confirmTime)
		defer cancel()
		if err := n.poll(ctx, term, voters, need); err != nil {
			return err
		}
	}
	if n.raft.CurrentTerm() != term || n.raft.State() != raft.Leader {
		return notLeading()
	}
	return nil
}

// majority is leadsIn for the watchdog, also before the term was opened.
func (n *Node) majority(ctx context.Context) error { return n.leadsIn(ctx, n.raft.CurrentTerm()) }

// opened returns the term in which this node leads and whose opening entry has been applied.
func (n *Node) opened() (uint64, error) {
	term := n.raft.CurrentTerm()
	if n.raft.State() != raft.Leader || n.store.Began() != term {
		return 0, notLeading()
	}
	return term, nil
}

// voters returns the other voters of the latest configuration, and 1 if this node is one.
func (n *Node) voters() (others []string, self int) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter:
		case string(s.ID) == n.id.Node:
			self = 1
		default:
			others = append(others, string(s.ID))
		}
	}
	return others, self
}

// poll asks the voters for their term until enough are in ours.
func (n *Node) poll(ctx context.Context, term uint64, voters []string, need int) error {
	replies := make(chan confirmReply, len(voters))
	for _, id := range voters {
		go func() {
			var r confirmReply
			if err := n.peers.get(id).call(ctx, callConfirm, confirmRequest{term}, &r); err != nil {
				r = confirmReply{}
			}
			replies <- r
		}()
	}
	for left := len(voters); left >= need && need > 0; left-- {
		switch r := <-replies; {
		case r.Term > term:
			return notLeading()
		case r.Term == term:
			need--
		}
	}
	if need > 0 {
		return fault.New(fault.NotDone, "this node cannot reach a majority of the voters: nothing was done, try again").After(time.Second)
	}
	return nil
}

// rounds lets any number of callers share rounds of one question: a caller that arrives during a round joins the next.
type rounds struct {
	ask func(context.Context) (uint64, error)

	mu      sync.Mutex
	running bool
	next    *round
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

// join waits for the first round that begins after the call.
func (r *rounds) join(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	mine := r.next
	if !r.running {
		r.running = true
		go r.run()
	}
	r.mu.Unlock()
	select {
	case <-mine.done:
		return mine.index, mine.err
	case <-ctx.Done():
		return 0, fault.New(fault.NotDone, "no majority of the cluster answered in time: nothing was done, try again").Because(context.Cause(ctx)).After(time.Second)
	}
}

func (r *rounds) run() {
	for {
		r.mu.Lock()
		now := r.next
		r.next = nil
		if now == nil {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 2*confirmTime)
		now.index, now.err = r.ask(ctx)
		cancel()
		close(now.done)
	}
}
