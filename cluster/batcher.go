package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

const (
	batchEntries = 512
	batchBytes   = 512 << 10
	inFlight     = 3
	queueEntries = 4096
	queueBytes   = 64 << 20
	tenantShare  = 0.75    // of either, that one tenant may hold
	entryLimit   = 6 << 20 // one import
	enqueueTime  = time.Second
)

// batcher gathers entries into Raft entries: whatever waits goes together, nothing waits for company.
type batcher struct {
	raft  *raft.Raft
	store *fsm.Store
	log   *slog.Logger
	clock func() (fsm.Time, error) // refuses when this node's clock cannot be the cluster's
	await func(raft.Future) error
	fail  func(error) // ends the node

	ordinary chan *proposal
	urgent   chan *proposal // revocations and operators' calls pass the others
	shares   shares         // of what waits in both
	slots    chan struct{}
	flying   atomic.Int32
	settled  atomic.Uint64 // batches
	barred   atomic.Uint64 // batches that were refused in a row because a transfer of leadership is under way
	open     sync.WaitGroup
	ended    chan struct{} // closed when nothing is taken from the queues any more

	outlived []*proposal // run's own: by mutant.QueuedEntrySurvivesTerm
}

const (
	waiting int32 = iota
	sent
	withdrawn
)

type proposal struct {
	raw    []byte
	tenant fsm.UID
	term   uint64
	state  atomic.Int32
	done   chan fsm.Outcome
}

func newBatcher(n *Agreement) *batcher {
	return &batcher{raft: n.raft, store: n.store, log: n.log, clock: n.now, await: n.await, fail: n.fail, ordinary: make(chan *proposal, queueEntries),
		urgent: make(chan *proposal, queueEntries), slots: make(chan struct{}, inFlight), ended: make(chan struct{})}
}

type urgentKey struct{}

// Urgent marks what must not wait behind ordinary writes: revocations and operators' calls.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

func notLeading() error {
	return fault.New(fault.NotDone, "this node does not lead the cluster: nothing was done, try again").After(time.Second)
}

// propose implements fsm.Log.
func (b *batcher) propose(ctx context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	if len(raw) > entryLimit {
		return fsm.Receipt{}, fault.New(fault.TooLarge, "the request needs a log entry of %d bytes, the limit is %d", len(raw), entryLimit)
	}
	p := &proposal{raw: raw, tenant: e.Tenant, term: e.Term, done: make(chan fsm.Outcome, 1)}
	if err := b.enqueue(ctx, p); err != nil {
		return fsm.Receipt{}, err
	}
	select {
	case o := <-p.done:
		return o.Receipt, o.Err
	case <-b.ended:
		return b.withdraw(p, errors.New("the node is stopping"))
	case <-ctx.Done():
		return b.withdraw(p, context.Cause(ctx))
	}
}

// withdraw gives a proposal up: it has no effect unless it was sent already.
func (b *batcher) withdraw(p *proposal, cause error) (fsm.Receipt, error) {
	if p.state.CompareAndSwap(waiting, withdrawn) {
		return fsm.Receipt{}, fault.New(fault.NotDone, "the request waited too long, or the node is stopping: nothing was done").Because(cause).After(time.Second)
	}
	select {
	case o := <-p.done: // it was answered at the same moment
		return o.Receipt, o.Err
	default:
		return fsm.Receipt{}, unknown(cause)
	}
}

func unknown(cause error) error {
	return fault.New(fault.Unknown, "it is not known whether the request was carried out: repeat it with the same Idempotency-Key").Because(cause)
}

func (b *batcher) enqueue(ctx context.Context, p *proposal) error {
	full := fault.New(fault.NotDone, "too many writes are waiting: nothing was done, try again").After(time.Second)
	if !b.shares.take(p) {
		return full
	}
	queue := b.ordinary
	if ctx.Value(urgentKey{}) != nil {
		queue = b.urgent
	}
	select {
	case queue <- p:
		return nil
	default:
		b.shares.give(p)
		return full
	}
}

// run forms batches until ctx ends, then refuses what is left.
func (b *batcher) run(ctx context.Context) error {
	var left *proposal // taken from a queue, too large for the last batch
	for {
		first := left
		left = nil
		if first == nil {
			if first = b.next(ctx); first == nil {
				break
			}
		}
		select {
		case b.slots <- struct{}{}:
		case <-ctx.Done():
			b.refuse([]*proposal{first}, notLeading())
			continue
		}
		var batch []*proposal
		batch, left = b.gather(first)
		b.dispatch(batch)
	}
	b.open.Wait()
	close(b.ended)
	return nil
}

// next waits for a proposal, urgent ones first.
func (b *batcher) next(ctx context.Context) *proposal {
	if p := b.poll(); p != nil {
		return p
	}
	select {
	case p := <-b.urgent:
		return p
	case p := <-b.ordinary:
		return p
	case <-ctx.Done():
		return nil
	}
}

func (b *batcher) poll() *proposal {
	select {
	case p := <-b.urgent:
		return p
	default:
	}
	select {
	case p := <-b.urgent:
		return p
	case p := <-b.ordinary:
		return p
	default:
		return nil
	}
}

// gather takes what waits beside first, of the same term, up to the limits.
func (b *batcher) gather(first *proposal) (batch []*proposal, left *proposal) {
	size := len(first.raw)
	batch = append(batch, first)
	for len(batch) < batchEntries && size < batchBytes {
		p := b.poll()
		if p == nil {
			return batch, nil
		}
		if p.term != first.term || size+len(p.raw) > batchBytes {
			return batch, p
		}
		batch, size = append(batch, p), size+len(p.raw)
	}
	return batch, nil
}

// dispatch hands a batch to Raft; it owns one slot, which goes back when the batch is settled.
func (b *batcher) dispatch(batch []*proposal) {
	batch = b.claim(batch)
	f, err := b.submit(&batch)
	if err != nil || f == nil {
		if mutant.QueuedEntrySurvivesTerm && fault.Is(err, fault.NotDone) {
			b.outlived = append(b.outlived, batch...)
		}
		b.refuse(batch, err)
		<-b.slots
		return
	}
	b.open.Add(1)
	b.flying.Add(1)
	go func() {
		defer b.open.Done()
		b.settle(batch, f)
		b.settled.Add(1)
		b.flying.Add(-1)
		<-b.slots
	}()
}

// standing returns a number that stays the same while batches are in flight and none is settled, 0 when there are none.
func (b *batcher) standing() uint64 {
	if b.flying.Load() == 0 {
		return 0
	}
	return b.settled.Load() + 1
}

// claim marks proposals as sent; those whose callers have left drop out.
func (b *batcher) claim(batch []*proposal) []*proposal {
	kept := batch[:0]
	for _, p := range batch {
		b.shares.give(p)
		if p.state.CompareAndSwap(waiting, sent) {
			kept = append(kept, p)
		}
	}
	return kept
}

func (b *batcher) submit(batch *[]*proposal) (raft.ApplyFuture, error) {
	if len(*batch) == 0 {
		return nil, nil
	}
	term := (*batch)[0].term
	if b.raft.CurrentTerm() != term && !mutant.QueuedEntrySurvivesTerm || b.raft.State() != raft.Leader {
		return nil, notLeading()
	}
	at, err := b.clock()
	if err != nil {
		return nil, err
	}
	if mutant.QueuedEntrySurvivesTerm {
		b.resume(at)
	}
	data := marshal(*batch, term, at)
	if err := b.store.Rehearse(term, data); err != nil {
		*batch = b.cull(*batch, term, at)
		if len(*batch) == 0 {
			return nil, nil
		}
		data = marshal(*batch, term, at)
		if err := b.store.Rehearse(term, data); err != nil { // each can be applied alone, not all of them
			return nil, fmt.Errorf("batch cannot be applied: %w", err)
		}
	}
	return b.raft.Apply(data, enqueueTime), nil
}

// resume proposes what waited when leadership was lost, for nobody: its callers have been told. Only mutant.QueuedEntrySurvivesTerm does that.
func (b *batcher) resume(at fsm.Time) {
	for _, p := range b.outlived {
		if data := marshal([]*proposal{p}, p.term, at); b.store.Rehearse(p.term, data) == nil {
			b.raft.Apply(data, enqueueTime)
		}
	}
	b.outlived = nil
}

func marshal(batch []*proposal, term uint64, at fsm.Time) []byte {
	var out fsm.Batch
	for _, p := range batch {
		out.Add(p.raw)
	}
	return out.Marshal(term, at)
}

// cull finds the entries that Apply could not bear and keeps them out of the log, where they would stop every node.
func (b *batcher) cull(batch []*proposal, term uint64, at fsm.Time) []*proposal {
	var kept []*proposal
	for _, p := range batch {
		err := b.store.Rehearse(term, marshal([]*proposal{p}, term, at))
		if err == nil {
			kept = append(kept, p)
			continue
		}
		b.log.Error("an entry was kept out of the log because it cannot be applied: this is a defect", "err", err)
		p.done <- fsm.Outcome{Err: fmt.Errorf("entry cannot be applied: %w", err)}
	}
	return kept
}

func (b *batcher) refuse(batch []*proposal, err error) {
	for _, p := range batch {
		if p.state.CompareAndSwap(waiting, sent) {
			b.shares.give(p)
		}
		p.done <- fsm.Outcome{Err: err}
	}
}

// settle tells the callers what became of their entries.
func (b *batcher) settle(batch []*proposal, f raft.ApplyFuture) {
	err := b.await(f)
	if errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		b.barred.Add(1)
	} else {
		b.barred.Store(0)
	}
	if err == nil {
		if failed, ok := f.Response().(error); ok {
			err = failed
		}
	}
	if err != nil {
		b.refuse(batch, outcome(err))
		return
	}
	outcomes, _ := f.Response().([]fsm.Outcome)
	for i, p := range batch {
		if i >= len(outcomes) {
			p.done <- fsm.Outcome{Err: unknown(errors.New("the entry was skipped"))}
			b.fail(errors.New("an entry with a waiting caller was skipped: the tables are ahead of the log; see OPERATIONS.md, state machine stopped"))
			continue
		}
		if errors.Is(outcomes[i].Err, fsm.ErrDropped) {
			outcomes[i].Err = notLeading()
		}
		p.done <- outcomes[i]
	}
}

// outcome sorts Raft's errors: the first three were never appended, of the others nobody knows.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return notLeading()
	case mutant.LostLeadershipTakenForNotDone && errors.Is(err, raft.ErrLeadershipLost):
		return notLeading()
	default:
		return unknown(err)
	}
}
