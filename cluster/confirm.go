package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// A round of ConfirmTerm shows that this node leads: a majority of the voters answers, to a question that was sent after
// everything that waits for the round had arrived, that it is still in the leader's term. raft.VerifyLeader does not show
// that: a heartbeat that was in flight while this process was paused counts there.
const confirmTime = time.Second

type confirmRequest struct {
	Term uint64 `cbor:"1,keyasint"`
}

// Confirmation is where a voter stands: the term that it is in, and its clock.
type Confirmation struct {
	Term  uint64 `cbor:"1,keyasint"`
	Clock int64  `cbor:"2,keyasint"` // Unix ns
}

func (n *Agreement) answerConfirm(context.Context, string, []byte) (any, error) {
	return n.Confirmation(), nil
}

// Confirmation answers a round of another node's.
func (n *Agreement) Confirmation() Confirmation {
	return Confirmation{n.raft.CurrentTerm(), chaos.Now().UnixNano()}
}

// confirm runs one round and returns a read index taken at its start.
func (n *Agreement) confirm(ctx context.Context) (uint64, error) {
	term, err := n.opened()
	if err != nil {
		return 0, err
	}
	index := n.raft.CommitIndex()
	switch {
	case mutant.LeaseReads:
		return index, nil
	case mutant.ReadIndexVerifyLeader:
		if n.await(n.raft.VerifyLeader()) != nil {
			return 0, notLeading()
		}
		return index, nil
	}
	if err := n.leadsIn(ctx, term); err != nil {
		return 0, err
	}
	return index, nil
}

// leadsIn shows that this node leads in a term, by a majority that has heard of no later one.
func (n *Agreement) leadsIn(ctx context.Context, term uint64) error {
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
func (n *Agreement) majority(ctx context.Context) error { return n.leadsIn(ctx, n.raft.CurrentTerm()) }

// opened returns the term in which this node leads and whose opening entry has been applied.
func (n *Agreement) opened() (uint64, error) {
	term := n.raft.CurrentTerm()
	if n.raft.State() != raft.Leader || n.store.Began() != term {
		return 0, notLeading()
	}
	return term, nil
}

// voters returns the other voters of the latest configuration, and 1 if this node is one.
func (n *Agreement) voters() (others []string, self int) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter:
		case string(s.ID) == n.name:
			self = 1
		default:
			others = append(others, string(s.ID))
		}
	}
	return others, self
}

// poll asks the voters for their term until enough are in ours.
func (n *Agreement) poll(ctx context.Context, term uint64, voters []string, need int) error {
	replies := make(chan Confirmation, len(voters))
	for _, id := range voters {
		go func() {
			r, err := n.voice.Confirm(ctx, id, term)
			if err != nil {
				r = Confirmation{}
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
	now     *round // that is under way; looked at by mutant.ReadJoinsRunningRound only
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
	if mutant.ReadJoinsRunningRound && r.now != nil {
		mine = r.now
	}
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
		r.next, r.now = nil, now
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

// voice is the cluster port as an Agreement uses it.
type voice struct{ peers *clients }

func (v voice) Confirm(ctx context.Context, id string, term uint64) (out Confirmation, err error) {
	err = v.peers.get(id).call(ctx, callConfirm, confirmRequest{term}, &out)
	return out, err
}

func (v voice) ReadIndex(ctx context.Context, id string) (uint64, error) {
	var out indexReply
	err := v.peers.get(id).call(ctx, callIndex, none{}, &out)
	return out.Index, err
}
