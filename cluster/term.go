package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// WhileLeader runs tasks whenever this node leads, until ctx ends: after the term's opening entry has been applied, under a
// context that ends with the term, and it waits for all of them before it looks at the next term. A task that returns
// an error ends the node.
func (n *Agreement) WhileLeader(ctx context.Context, tasks ...func(context.Context) error) error {
	for {
		term, err := n.lead.wait(ctx)
		if err != nil {
			return nil
		}
		if err := runTerm(ctx, term, tasks); err != nil {
			return err
		}
	}
}

func runTerm(ctx context.Context, term *term, tasks []func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(term.ctx, cancel)
	defer stop()
	var wg sync.WaitGroup
	errs := make([]error, len(tasks))
	for i, t := range tasks {
		wg.Go(func() { errs[i] = t(ctx) })
	}
	wg.Wait()
	<-ctx.Done() // tasks that ended early have nothing more to do in this term
	return errors.Join(errs...)
}

// term is one leadership of this node.
type term struct {
	number uint64
	ctx    context.Context
	end    context.CancelFunc
}

// leadership tells those who wait when a term has been opened.
type leadership struct {
	mu     sync.Mutex
	now    *term
	opened chan struct{} // closed when now is set, replaced when it ends
}

func newLeadership() *leadership { return &leadership{opened: make(chan struct{})} }

func (l *leadership) wait(ctx context.Context) (*term, error) {
	for {
		l.mu.Lock()
		now, opened := l.now, l.opened
		l.mu.Unlock()
		if now != nil && now.ctx.Err() == nil {
			return now, nil
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (l *leadership) begin(t *term) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = t
	close(l.opened)
}

func (l *leadership) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return
	}
	l.now.end()
	l.now, l.opened = nil, make(chan struct{})
}

// watchTerms is the one place that watches Raft's leadership. A second "true" means lost and won again.
func (n *Agreement) watchTerms(ctx context.Context) error {
	end := func() {}
	defer func() { end() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case won := <-n.raft.LeaderCh():
			end()
			end = func() {}
			if won {
				end = n.beginTerm(ctx)
			} else {
				n.log.Info("leadership ended", "term", n.raft.CurrentTerm())
			}
		}
	}
}

// beginTerm opens a term apart from the watching; the returned function ends it.
func (n *Agreement) beginTerm(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var opening sync.WaitGroup
	opening.Go(func() { n.openTerm(ctx) })
	return func() {
		cancel()
		opening.Wait()
		n.lead.end()
	}
}

// openTerm commits the entry that opens the term. Until it is applied this node answers nothing as the leader.
func (n *Agreement) openTerm(ctx context.Context) {
	for ctx.Err() == nil && n.raft.State() == raft.Leader {
		number := n.raft.CurrentTerm()
		var err error
		if n.store.Began() != number {
			err = n.appendOpening(number)
		}
		if err == nil && n.store.Began() == number {
			err = n.checkClock(ctx, number)
		}
		if err == nil && n.store.Began() == number {
			chaos.Point(chaos.TermOpened)
			t := &term{number: number}
			t.ctx, t.end = context.WithCancel(ctx)
			n.log.Info("leadership began", "term", number)
			n.lead.begin(t)
			return
		}
		n.log.Warn("the term could not be opened, will retry", "term", number, "err", err)
		pause(ctx, 50*time.Millisecond)
	}
}

func (n *Agreement) appendOpening(number uint64) error {
	chaos.Point(chaos.TermOpening)
	if _, err := n.appendAlone(number, fsm.TermBegan{Term: number}); err != nil { // nobody has judged this node's clock yet
		return fmt.Errorf("open term %d: %w", number, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// leaderView follows who leads: its context ends when that changes.
type leaderView struct {
	mu  sync.Mutex
	id  string
	ctx context.Context
	end context.CancelFunc
}

func (l *leaderView) set(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx != nil && l.id == id {
		return
	}
	if l.end != nil {
		l.end()
	}
	l.id = id
	l.ctx, l.end = context.WithCancel(context.Background())
}

// under returns a context that ends with ctx or when another node leads, and who leads now.
func (l *leaderView) under(ctx context.Context) (context.Context, context.CancelFunc, string) {
	l.mu.Lock()
	id, lead := l.id, l.ctx
	l.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(lead, func() { cancel(errLeaderChanged) })
	return ctx, func() { stop(); cancel(nil) }, id
}

var errLeaderChanged = errors.New("the leader changed")

// watchLeader keeps leaderView true.
func (n *Agreement) watchLeader(ctx context.Context) error {
	events := make(chan raft.Observation, 64)
	o := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	n.raft.RegisterObserver(o)
	defer n.raft.DeregisterObserver(o)
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		_, id := n.raft.LeaderWithID()
		n.leads.set(string(id))
		select {
		case <-events:
		case <-t.C: // an observation may have been dropped
		case <-ctx.Done():
			return nil
		}
	}
}
