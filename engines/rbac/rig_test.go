package rbac

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

var (
	acme  = fsm.UID{1, 2, 3}
	other = fsm.UID{4, 5, 6}
)

// soloLog is a replicated log of one node: what is proposed is applied.
type soloLog struct {
	s      *fsm.Store
	mu     sync.Mutex // guards index and before
	index  uint64
	before func() // called once before the next proposal: what others do meanwhile
}

func (l *soloLog) Term() (uint64, error)                     { return 1, nil }
func (l *soloLog) ReadIndex(context.Context) (uint64, error) { return l.s.Applied(), nil }

func (l *soloLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	f := l.before
	l.before = nil
	l.mu.Unlock()
	if f != nil {
		f()
	}
	out, err := l.apply(e)
	return out.Receipt, err
}

func (l *soloLog) apply(e *fsm.Entry) (fsm.Outcome, error) {
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Outcome{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index++
	entry := &raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: b.Marshal(1, fsm.Time(l.index))}
	switch r := l.s.FSM().Apply(entry).(type) {
	case []fsm.Outcome:
		return r[0], r[0].Err
	case error:
		return fsm.Outcome{}, r
	default:
		return fsm.Outcome{}, fmt.Errorf("apply answered %T", r)
	}
}

// crowded makes a tenant look as if it had this many policies.
type crowded struct{ Held uint64 }

func (crowded) EventType() string   { return "test.tenant.crowded" }
func (crowded) EventStream() string { return "crowd" }

func testEvents(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e crowded) error { return counts.Put(tx, fsm.K(m.Tenant), e.Held) })
}

// rig is an engine on a store of its own.
type rig struct {
	t     testing.TB
	store *fsm.Store
	log   *soloLog
	e     *Engine
	ids   byte
}

func openStore(t testing.TB) *fsm.Store {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register, testEvents), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newRig(t testing.TB) *rig {
	s := openStore(t)
	l := &soloLog{s: s}
	return &rig{t: t, store: s, log: l, e: New(fsm.NewLedger(s, l))}
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

func (r *rig) propose(tenant fsm.UID, events ...fsm.Event) {
	e := &fsm.Entry{Tenant: tenant}
	e.Add(events...)
	_, err := r.log.apply(e)
	require.NoError(r.t, err)
}

// request is a new one of tenant, with a receipt of its own.
func (r *rig) request(tenant fsm.UID) fsm.Request {
	r.ids++
	return fsm.Request{ID: fsm.UID{9, r.ids}, Tenant: tenant, Actor: fsm.Actor{Identity: "ann"},
		Receipt: &fsm.ReceiptKey{Key: [32]byte{r.ids}, Request: [32]byte{r.ids}}}
}

var sudo = Bound{Tenant: fsm.RootTenant, Policies: []string{Root}}

func (r *rig) write(tenant fsm.UID, name string, writer Bound, rules ...Rule) (Policy, error) {
	return r.e.Write(r.t.Context(), r.request(tenant), name, rules, writer)
}

func (r *rig) must(tenant fsm.UID, name string, rules ...Rule) Policy {
	r.t.Helper()
	p, err := r.write(tenant, name, sudo, rules...)
	require.NoError(r.t, err)
	return p
}

func (r *rig) load(tenant fsm.UID, names ...string) Set {
	s, err := r.e.Load(r.view(), tenant, names)
	require.NoError(r.t, err)
	return s
}

func (r *rig) within(tenant fsm.UID, names []string, boundTenant fsm.UID, bound ...string) bool {
	ok, err := r.e.Within(r.view(), tenant, names, boundTenant, bound)
	require.NoError(r.t, err)
	return ok
}
