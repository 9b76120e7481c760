package lease

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var (
	acme, umbra = fsm.UID{1}, fsm.UID{2}
	begin       = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC)) // ahead of every wall clock, so that the log's time decides
)

// settled is what the outbox says of a message that arrived.
type settled struct{ Seq, Pos uint64 }

func (settled) EventType() string   { return "test.message.settled" }
func (settled) EventStream() string { return "outbox" }

// touched is a change of a token.
type touched struct{ Accessor string }

func (touched) EventType() string     { return "test.token.touched" }
func (e touched) EventStream() string { return "token/" + e.Accessor }

func testFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e settled) error { return tx.Settle(e.Seq, e.Pos) })
	fsm.On(r, func(*fsm.Tx, fsm.Meta, touched) error { return nil })
}

// bearers are the tokens of a test: until when each lives, for ever if it is not here.
type bearers map[string]fsm.Time

func (b bearers) Holder(r fsm.Reader, ref Ref, now fsm.Time) (fsm.Time, []fsm.Guard, bool, error) {
	g, err := fsm.GuardOf(r, ref.Tenant, "token/"+ref.Accessor)
	until, bounded := b[ref.Accessor]
	if !bounded {
		until = now.Add(1000 * time.Hour)
	}
	return until, []fsm.Guard{g}, now < until, err
}

// target is a backend that notes what is asked of it.
type target struct {
	ended    []string
	extended map[string]fsm.Time
	err      error
}

func (b *target) Extend(_ context.Context, _ fsm.UID, l Lease, until fsm.Time) error {
	if b.err == nil {
		b.extended[l.Account] = until
	}
	return b.err
}

func (b *target) End(_ context.Context, _ fsm.UID, l Lease) error {
	if b.err == nil {
		b.ended = append(b.ended, l.Account)
	}
	return b.err
}

// rig is an engine on a store of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *fsmtest.Solo
	ledger *fsm.Ledger
	tokens bearers
	to     *target
	e      *Engine
	worker *Worker
}

func newRig(t testing.TB) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, fsmtest.Agreeing, Register, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, tenant: acme, store: s, log: fsmtest.NewSolo(s, begin), tokens: bearers{}, to: &target{extended: map[string]fsm.Time{}}}
	r.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: since})
	r.ledger = fsm.NewLedger(s, r.log)
	r.e = New(r.ledger, r.tokens, func(context.Context) error { return nil }, r.log.Now)
	r.e.Serve("dynamic", r.to)
	r.worker = r.e.Worker(slog.New(slog.DiscardHandler))
	return r
}

func (r *rig) in(tenant fsm.UID) *rig {
	c := *r
	c.tenant = tenant
	return &c
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	return v
}

func (r *rig) req() fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: r.tenant, Actor: fsm.Actor{Identity: "ann"}}
}

func (r *rig) terms(role, token string) Terms {
	id := NewID("pg", role)
	return Terms{ID: id, Engine: "dynamic", Target: "pg", Role: role, Account: "v-" + id[len(id)-8:], Holder: Ref{r.tenant, token}, Identity: "ann", Until: r.log.Now().Add(time.Hour), Last: r.log.Now().Add(24 * time.Hour), Renewable: true}
}

// grant issues leases, each for an entry of its own.
func (r *rig) grant(terms ...Terms) (out []Lease) {
	r.t.Helper()
	for _, t := range terms {
		l, err := r.try(t)
		require.NoError(r.t, err)
		out = append(out, l)
	}
	return out
}

func (r *rig) try(t Terms) (l Lease, err error) {
	_, err = r.ledger.Commit(r.t.Context(), r.req(), "", func(v *fsm.View, entry *fsm.Entry) (err error) {
		l, err = r.e.Grant(v, entry, t)
		return err
	})
	return l, err
}

// many issues n leases of a role to a token at once.
func (r *rig) many(n int, role, token string) {
	r.t.Helper()
	for left := n; left > 0; left -= 500 {
		_, err := r.ledger.Commit(r.t.Context(), r.req(), "", func(v *fsm.View, entry *fsm.Entry) error {
			for range min(left, 500) {
				if _, err := r.e.Grant(v, entry, r.terms(role, token)); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(r.t, err)
	}
}

// work is one round of the worker.
func (r *rig) work() {
	r.t.Helper()
	require.NoError(r.t, r.worker.expire(r.t.Context()))
	require.NoError(r.t, r.worker.orphans(r.t.Context()))
}

// deliver has every message of the outbox delivered, as far as the backend lets it.
func (r *rig) deliver() {
	r.t.Helper()
	v := r.view()
	owed, err := fsm.Outbox(v, 0, 0, 1_000_000)
	require.NoError(r.t, err)
	require.NoError(r.t, v.Close())
	for _, o := range owed {
		settle, err := r.e.Deliver(r.t.Context(), o)
		if err != nil {
			continue
		}
		_, err = r.ledger.Commit(r.t.Context(), fsm.Request{ID: newUID(), Tenant: o.Tenant}, "", func(v *fsm.View, entry *fsm.Entry) error {
			if entry.Add(settled{o.Seq, o.Pos}); settle == nil {
				return nil
			}
			return settle(v, entry)
		})
		require.NoError(r.t, err)
	}
}

// states are those of all leases of the tenant.
func (r *rig) states() (out []string) {
	r.t.Helper()
	v := r.view()
	defer v.Close()
	page, _, err := List(v, r.tenant, "", "", 1_000_000)
	require.NoError(r.t, err)
	for _, l := range page {
		out = append(out, l.State.String())
	}
	slices.Sort(out)
	return out
}

func (r *rig) owed() int {
	v := r.view()
	defer v.Close()
	d, err := fsm.DepthOf(v, r.tenant, Kind, "dynamic/pg")
	require.NoError(r.t, err)
	return int(d.Waiting)
}

func times(n int, state State) (out []string) {
	for range n {
		out = append(out, state.String())
	}
	return out
}
