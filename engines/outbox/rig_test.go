package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var acme, umbra = fsm.UID{1}, fsm.UID{2}

// noted is what becomes so by a delivery.
type noted struct{ Lane string }

func (noted) EventType() string   { return "test.delivery.noted" }
func (noted) EventStream() string { return "noted" }

var notes = fsm.NewTable[string]("test.note") // key: number -> lane

func testFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e noted) error { return notes.Put(tx, fsm.K(m.Seq), e.Lane) })
}

// lossy is a log that loses what it is told to lose.
type lossy struct {
	*fsmtest.Solo
	lose atomic.Int32 // proposals
}

func (l *lossy) Propose(ctx context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	if l.lose.Add(-1) >= 0 {
		return fsm.Receipt{}, fault.New(fault.NotDone, "planted: the node does not lead any more")
	}
	return l.Solo.Propose(ctx, e)
}

// rig is an outbox on a store of its own, with a receiver.
type rig struct {
	t      *testing.T
	store  *fsm.Store
	log    *lossy
	ledger *fsm.Ledger
	e      *Engine
	to     *receiver
	worker *Worker
}

func newRig(t *testing.T) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, fsmtest.Agreeing, Register, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, store: s, log: &lossy{Solo: fsmtest.NewSolo(s, fsm.At(time.Now()))}, to: &receiver{}}
	r.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: since})
	r.ledger = fsm.NewLedger(s, r.log)
	r.ledger.Serve("mail")
	r.e = New(r.ledger)
	p := DefaultPolicy
	p.First, p.Most = time.Millisecond, 4*time.Millisecond
	r.worker = &Worker{Ledger: r.ledger, Engine: r.e, Dispatchers: map[string]Dispatcher{"mail": r.to}, Confirm: func(context.Context) error { return nil }, Policy: p,
		Log: slog.New(slog.DiscardHandler)}
	return r
}

// owe has a tenant owe messages, "destination/lane" each, by one entry.
func (r *rig) owe(tenant fsm.UID, to ...[2]string) {
	r.t.Helper()
	_, err := r.ledger.Commit(r.t.Context(), fsm.Request{ID: newUID(), Tenant: tenant}, "", func(_ *fsm.View, e *fsm.Entry) error {
		for _, at := range to {
			e.Outbox = append(e.Outbox, fsm.Message{ID: newUID(), Kind: "mail", Destination: at[0], Lane: at[1]})
		}
		return nil
	})
	require.NoError(r.t, err)
}

// run has the worker deliver until the outbox is as it should be.
func (r *rig) run(done func() bool) {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.worker.Run(ctx) }()
	require.Eventually(r.t, done, time.Minute, time.Millisecond)
	stop()
	require.NoError(r.t, <-ended)
}

func (r *rig) owed() []fsm.Owed {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer v.Close()
	all, err := fsm.Outbox(v, 0, 0, 1000)
	require.NoError(r.t, err)
	return all
}

// noted are the lanes of what was settled.
func (r *rig) noted() (lanes []string) {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer v.Close()
	require.NoError(r.t, notes.Scan(v, fsm.Span{}, func(_ fsm.Key, lane string) (bool, error) {
		lanes = append(lanes, lane)
		return true, nil
	}))
	return lanes
}

func (r *rig) empty() bool { return len(r.owed()) == 0 }

func (r *rig) req(tenant fsm.UID) fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "ann"}}
}

// receiver gets messages.
type receiver struct {
	mu   sync.Mutex // guards the rest
	got  []string   // "destination/lane", in order
	ids  map[fsm.UID]int
	fail func(m fsm.Owed, times int) error // nil: all succeed
	busy map[string]int
	most map[string]int // calls at a time, by destination
	hold chan struct{}  // what calls wait for; nil: nothing
}

func (r *receiver) Deliver(ctx context.Context, m fsm.Owed) (func(*fsm.View, *fsm.Entry) error, error) {
	times := r.begin(m)
	defer r.end(m)
	if r.hold != nil {
		select {
		case <-r.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if r.fail != nil {
		if err := r.fail(m, times); err != nil {
			return nil, err
		}
	}
	return func(_ *fsm.View, e *fsm.Entry) error { e.Add(noted{m.Lane}); return nil }, nil
}

func (r *receiver) begin(m fsm.Owed) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids, r.busy, r.most = map[fsm.UID]int{}, map[string]int{}, map[string]int{}
	}
	r.got = append(r.got, fmt.Sprint(m.Destination, "/", m.Lane))
	r.ids[m.ID]++
	r.busy[m.Destination]++
	r.most[m.Destination] = max(r.most[m.Destination], r.busy[m.Destination])
	return r.ids[m.ID]
}

func (r *receiver) end(m fsm.Owed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy[m.Destination]--
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}
