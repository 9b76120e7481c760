package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// soloLog is a replicated log of one node: what is proposed is applied.
type soloLog struct {
	s      *fsm.Store
	index  uint64
	before func() // called once before the next proposal: what others do meanwhile
}

func (l *soloLog) Term() (uint64, error)                     { return 1, nil }
func (l *soloLog) ReadIndex(context.Context) (uint64, error) { return l.s.Applied(), nil }

func (l *soloLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	if f := l.before; f != nil {
		l.before = nil
		f()
	}
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.index++
	switch r := l.s.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: b.Marshal(1, fsm.Time(l.index))}).(type) {
	case []fsm.Outcome:
		return r[0].Receipt, r[0].Err
	default:
		return fsm.Receipt{}, fmt.Errorf("apply answered %v", r)
	}
}

// keyMade and keyDropped stand for what the keyring does with a tenant.
type keyMade struct{}

func (keyMade) EventType() string   { return "test.key.made" }
func (keyMade) EventStream() string { return "keyring/tenant" }

type keyDropped struct{}

func (keyDropped) EventType() string   { return "test.key.dropped" }
func (keyDropped) EventStream() string { return "keyring/tenant" }

var keys = fsm.NewTable[bool]("test.key")

func testEvents(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, _ keyMade) error { return keys.Put(tx, fsm.K(m.Tenant), true) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, _ keyDropped) error { return keys.Delete(tx, fsm.K(m.Tenant)) })
}

type fakeKeys struct{ err error }

func (f *fakeKeys) NewTenant(fsm.Reader, fsm.UID) ([]fsm.Event, error) {
	return []fsm.Event{keyMade{}}, f.err
}

func (f *fakeKeys) DropTenant(fsm.Reader, fsm.UID) ([]fsm.Event, error) {
	return []fsm.Event{keyDropped{}}, f.err
}

type rig struct {
	t     *testing.T
	store *fsm.Store
	log   *soloLog
	keys  *fakeKeys
	e     *Engine
	n     byte
}

func openStore(t *testing.T) *fsm.Store {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register, testEvents), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, store: openStore(t), keys: &fakeKeys{}}
	r.log = &soloLog{s: r.store}
	r.e = New(fsm.NewLedger(r.store, r.log), []Founder{r.keys}, []Undertaker{r.keys})
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(r.e.Found()...)
	_, err := r.log.Propose(t.Context(), e)
	require.NoError(t, err)
	return r
}

func (r *rig) request() fsm.Request {
	r.n++
	return fsm.Request{ID: newUID(), Tenant: fsm.RootTenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{r.n}, Request: [32]byte{r.n}}}
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

func (r *rig) create(name string) Tenant {
	made, err := r.e.Create(r.t.Context(), r.request(), name)
	require.NoError(r.t, err)
	return made
}

func (r *rig) hasKey(uid fsm.UID) bool {
	_, found, err := keys.Get(r.view(), fsm.K(uid))
	require.NoError(r.t, err)
	return found
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"acme": true, "a": true, "9-lives": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "Acme": false, "a b": false, " root": false, "a_b": false, "a/b": false, "a.b": false,
		"r\u043e\u043et": false, "a\x00": false, "a\n": false, strings.Repeat("a", 64): false,
	} {
		err := checkName(name)
		require.Equal(t, ok, err == nil, "%q", name)
		require.True(t, ok || fault.Is(err, fault.Invalid))
	}
}

func TestDecide(t *testing.T) {
	require.NoError(t, decideCreate("a", false))
	require.True(t, fault.Is(decideCreate("a", true), fault.Conflict))
	require.NoError(t, decideDelete("a", Tenant{UID: fsm.UID{1}}, true))
	require.True(t, fault.Is(decideDelete("a", Tenant{}, false), fault.NotFound))
	require.True(t, fault.Is(decideDelete("root", Tenant{UID: fsm.RootTenant}, true), fault.Denied))
}

func TestATenantFromCreationToDeletion(t *testing.T) {
	r := newRig(t)
	root, found, err := r.e.ByName(r.view(), "root")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, fsm.RootTenant, root.UID)

	made := r.create("acme")
	got, found, err := r.e.ByName(r.view(), "acme")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, made, got, "what was answered is what is stored")
	require.Equal(t, Active, got.State)
	require.True(t, r.hasKey(made.UID))
	_, err = r.e.Create(t.Context(), r.request(), "acme")
	require.True(t, fault.Is(err, fault.Conflict))

	before := r.log.index
	require.NoError(t, r.e.Delete(t.Context(), r.request(), "acme"))
	require.Equal(t, before+1, r.log.index, "one entry")
	require.False(t, r.hasKey(made.UID))
	_, found, err = r.e.ByName(r.view(), "acme")
	require.NoError(t, err)
	require.False(t, found)
	got, found, err = r.e.Get(r.view(), made.UID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, Removed, got.State)
	require.True(t, fault.Is(r.e.Delete(t.Context(), r.request(), "acme"), fault.NotFound))

	again := r.create("acme")
	require.NotEqual(t, made.UID, again.UID)
	require.True(t, fault.Is(r.e.Delete(t.Context(), r.request(), "root"), fault.Denied))
}

func TestARepeatedCreationAnswersTheSameTenant(t *testing.T) {
	r := newRig(t)
	req := r.request()
	first, err := r.e.Create(t.Context(), req, "acme")
	require.NoError(t, err)
	again, err := r.e.Create(t.Context(), req, "acme")
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestOfTwoCreationsOfANameOneWins(t *testing.T) {
	r := newRig(t)
	other := New(fsm.NewLedger(r.store, r.log), nil, nil)
	var won Tenant
	r.log.before = func() {
		var err error
		won, err = other.Create(t.Context(), r.request(), "acme")
		require.NoError(t, err)
	}
	_, err := r.e.Create(t.Context(), r.request(), "acme")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	got, _, err := r.e.ByName(r.view(), "acme")
	require.NoError(t, err)
	require.Equal(t, won.UID, got.UID)
}

func TestADeletionMissesWhoeverGuardedTheTenant(t *testing.T) {
	r := newRig(t)
	made := r.create("acme")
	g, err := r.e.Guard(r.view(), made.UID)
	require.NoError(t, err)
	require.Equal(t, fsm.Guard{Tenant: made.UID, Stream: "tenant", Version: 1}, g)
	require.NoError(t, r.e.Delete(t.Context(), r.request(), "acme"))
	e := &fsm.Entry{Tenant: made.UID}
	e.Add(keyMade{})
	e.Guard(g)
	_, err = r.log.Propose(t.Context(), e)
	require.ErrorIs(t, err, fsm.ErrStale)
}

func TestAFounderOrUndertakerThatFailsLeavesEverythingAsItWas(t *testing.T) {
	r := newRig(t)
	kept := r.create("kept")
	r.keys.err = errors.New("no keys")
	_, err := r.e.Create(t.Context(), r.request(), "acme")
	require.ErrorContains(t, err, "no keys")
	require.ErrorContains(t, r.e.Delete(t.Context(), r.request(), "kept"), "no keys")
	_, found, err := r.e.ByName(r.view(), "acme")
	require.NoError(t, err)
	require.False(t, found)
	require.True(t, r.hasKey(kept.UID))
}

func TestListPagesByName(t *testing.T) {
	r := newRig(t)
	for i := range 6 {
		r.create(fmt.Sprint("t", i))
	}
	require.NoError(t, r.e.Delete(t.Context(), r.request(), "t3"))
	var got []string
	pages, after := 0, ""
	for {
		page, next, err := r.e.List(r.view(), after, 2)
		require.NoError(t, err)
		for _, at := range page {
			got = append(got, at.Name)
		}
		if pages++; next == "" {
			break
		}
		after = next
	}
	require.Equal(t, []string{"root", "t0", "t1", "t2", "t4", "t5"}, got)
	require.Equal(t, 3, pages)
}

func TestARebuildAgrees(t *testing.T) {
	r := newRig(t)
	r.create("a")
	r.create("b")
	require.NoError(t, r.e.Delete(t.Context(), r.request(), "a"))
	r.create("a")
	v, again := r.view(), openStore(t)
	require.NoError(t, fsm.Rebuild(t.Context(), v, again))
	w, err := again.View()
	require.NoError(t, err)
	defer w.Close()
	want, err := fsm.TablesDigest(t.Context(), v)
	require.NoError(t, err)
	got, err := fsm.TablesDigest(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
