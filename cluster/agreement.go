package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Agreement is what a node does to agree with the others: it writes through the batcher, shows by rounds of ConfirmTerm that it leads, gets read
// indexes, measures the age of its state and watches leadership. It has no socket, no certificate and no file of its own. A Node is one with all
// of these; a simulation runs it over messages, disks and clocks that it makes up.
type Agreement struct {
	name  string // this node's id
	log   *slog.Logger
	store *fsm.Store
	raft  *raft.Raft
	way   *oneWay // to it
	voice Voice
	ages  stopwatch
	fail  func(error) // ends the node

	batcher  *batcher
	confirms rounds // ConfirmTerm, while this node leads
	index    rounds // read indexes for this node
	fresh    freshness
	clock    clockCheck
	lead     *leadership
	leads    leaderView
	down     chan struct{} // closed when Raft answers no more
}

// agreement is the name under which a Node has it.
type agreement = Agreement

// Voice carries the questions of an Agreement to other nodes, where Confirmation and ReadIndex answer them. An error that is no fault says that nobody
// answered.
type Voice interface {
	Confirm(ctx context.Context, id string, term uint64) (Confirmation, error)
	ReadIndex(ctx context.Context, id string) (uint64, error)
}

// Parts are what an Agreement is made of.
type Parts struct {
	Node      string
	Store     *fsm.Store
	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	Transport Transport
	Found     []raft.Server // voters of a cluster that begins here; nil: it began before
	Voice     Voice
	Uptime    func() time.Duration // that goes on while the node is paused; nil: the machine's
	Log       *slog.Logger
	RaftLog   hclog.Logger // Raft's own: it calls without a lock where hclog's would hold one; nil: Log
	Fail      func(error)  // told why the node must end
}

// NewAgreement starts Raft as a Node does, on logs that hold its configuration, or in a cluster that is founded with these voters. The rest begins
// with Run.
func NewAgreement(p Parts) (*Agreement, error) {
	a := newAgreement(p.Node, p.Log)
	a.store, a.voice, a.fail = p.Store, p.Voice, p.Fail
	a.ages, a.fresh.ages, a.clock.ages = p.Uptime, p.Uptime, p.Uptime
	cfg := raftConfig(p.Node, p.Log)
	if p.RaftLog != nil {
		cfg.Logger = p.RaftLog
	}
	if _, err := align(p.Store, p.Logs, p.Snapshots); err != nil {
		return nil, err
	}
	if len(p.Found) > 0 {
		if err := raft.BootstrapCluster(cfg, p.Logs, p.Stable, p.Snapshots, p.Transport, raft.Configuration{Servers: p.Found}); err != nil {
			return nil, err
		}
	}
	return a, a.start(cfg, p.Logs, p.Stable, p.Snapshots, p.Transport)
}

func newAgreement(node string, log *slog.Logger) *Agreement {
	a := &Agreement{name: node, log: log, lead: newLeadership(), down: make(chan struct{})}
	a.leads.set("")
	a.confirms.ask, a.index.ask = a.confirm, a.askIndex
	return a
}

func (n *Agreement) start(cfg *raft.Config, logs raft.LogStore, stable raft.StableStore, snaps raft.SnapshotStore, trans Transport) (err error) {
	n.way = newOneWay(trans, n.down)
	if n.raft, err = newRaft(cfg, n.store.FSM(), logs, stable, snaps, n.way); err == nil {
		n.way.raft.Store(n.raft)
		n.batcher = newBatcher(n)
	}
	return err
}

// newRaft is raft.NewRaft, which panics with an error when it cannot write (hashicorp/raft v1.7.3, setCurrentTerm): a node whose log is damaged says so, and ends.
func newRaft(cfg *raft.Config, f raft.FSM, logs raft.LogStore, stable raft.StableStore, snaps raft.SnapshotStore, trans raft.Transport) (r *raft.Raft, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			panic(p)
		case error:
			r, err = nil, fmt.Errorf("start Raft: %w", p)
		default:
			panic(p)
		}
	}()
	return raft.NewRaft(cfg, f, logs, stable, snaps, trans)
}

// duties are what an Agreement does as long as it runs.
func (n *Agreement) duties() []func(context.Context) error {
	return []func(context.Context) error{n.way.run, n.batcher.run, n.watchTerms, n.watchLeader, n.keepFresh, n.watchProgress}
}

// Run does them, with tasks of whoever leads, until ctx ends, and stops Raft. What ends a node is told to Parts.Fail.
func (n *Agreement) Run(ctx context.Context, tasks ...func(context.Context) error) error {
	var wg sync.WaitGroup
	for _, f := range append(n.duties(), func(ctx context.Context) error { return n.WhileLeader(ctx, append(tasks, n.watchClock)...) }) {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				n.fail(err)
			}
		})
	}
	<-ctx.Done()
	err := n.raft.Shutdown().Error()
	close(n.down)
	wg.Wait()
	return err
}

// Raft returns the Raft of a simulation's node.
func (n *Agreement) Raft() *raft.Raft { return n.raft }

// Store returns the state machine.
func (n *Agreement) Store() *fsm.Store { return n.store }

// now is the leader's clock for entries. A clock that a majority finds wrong is not used.
func (n *Agreement) now() (fsm.Time, error) {
	if n.clock.wrong() {
		return 0, fault.New(fault.NotDone, "this node's clock differs from the others' by more than %s: it hands leadership over", clockLimit).After(time.Second)
	}
	return fsm.At(chaos.Now()), nil
}

// Leader returns the id of the leader, as far as this node knows.
func (n *Agreement) Leader() (id string, known bool) {
	_, l := n.raft.LeaderWithID()
	return string(l), l != ""
}

// Term implements fsm.Log. Nothing is decided in a term before its clock has been judged.
func (n *Agreement) Term() (uint64, error) {
	term, err := n.opened()
	if err == nil && !n.clock.judgedIn(term) {
		err = notLeading()
	}
	return term, err
}

// Propose implements fsm.Log.
func (n *Agreement) Propose(ctx context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	return n.batcher.propose(ctx, e)
}

// ReadIndex implements fsm.Log, and answers other nodes.
func (n *Agreement) ReadIndex(ctx context.Context) (uint64, error) { return n.confirms.join(ctx) }

// await waits for one of Raft's futures, of which those that are under way when Raft stops may never be answered.
func (n *Agreement) await(f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-n.down:
	}
	select {
	case err := <-done:
		return err
	case <-time.After(look):
		return raft.ErrRaftShutdown
	}
}
