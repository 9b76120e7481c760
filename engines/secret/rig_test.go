package secret

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var (
	acme  = fsm.UID{1, 2, 3}
	umbra = fsm.UID{4, 5, 6}
	// begin is ahead of every wall clock, so that the log's time decides.
	begin = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC))
)

// soloLog is a replicated log of one node: what is proposed is applied at once.
type soloLog struct {
	s *fsm.Store

	mu     sync.Mutex // guards the rest
	index  uint64
	now    fsm.Time
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
	data := b.Marshal(1, l.now)
	if err := l.s.Rehearse(1, data); err != nil {
		return fsm.Outcome{}, err
	}
	l.index++
	switch out := l.s.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: data}).(type) {
	case []fsm.Outcome:
		return out[0], out[0].Err
	default:
		return fsm.Outcome{}, fmt.Errorf("apply: %v", out)
	}
}

func (l *soloLog) pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *soloLog
	keys   *keyring.Keyring
	e      *Engine
	ids    *atomic.Uint64
}

func registry() *fsm.Registry { return fsm.NewRegistry(fsm.Builtin, keyring.Register, Register) }

func openStore(t testing.TB) *fsm.Store {
	s, err := fsm.Open(t.TempDir(), registry(), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newRig(t testing.TB) *rig { return newRigAt(t, begin) }

// newRigAt starts the log's clock at a moment.
func newRigAt(t testing.TB, now fsm.Time) *rig {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s := openStore(t)
	r := &rig{t: t, tenant: acme, store: s, log: &soloLog{s: s, now: now}, keys: keyring.New(fsm.UID{9}, file), ids: new(atomic.Uint64)}
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.in(fsm.RootTenant).propose(events...)
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	for _, tenant := range []fsm.UID{acme, umbra} {
		events, err := r.keys.NewTenant(r.view(), tenant)
		require.NoError(t, err)
		r.in(tenant).propose(events...)
	}
	r.e = New(fsm.NewLedger(s, r.log), r.keys)
	return r
}

// in is the same rig as another tenant sees it.
func (r *rig) in(tenant fsm.UID) *rig {
	c := *r
	c.tenant = tenant
	return &c
}

// propose puts events into the log without a decision.
func (r *rig) propose(events ...fsm.Event) {
	r.t.Helper()
	e := &fsm.Entry{Tenant: r.tenant}
	e.Add(events...)
	_, err := r.log.apply(e)
	require.NoError(r.t, err)
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

// look calls f with a view that is closed behind it.
func (r *rig) look(f func(v *fsm.View)) {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, v.Close()) }()
	f(v)
}

// now is the log's clock.
func (r *rig) now() fsm.Time {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.now
}

// request is a new one, with a receipt of its own.
func (r *rig) request() fsm.Request {
	id := fsm.UID{7}
	binary.BigEndian.PutUint64(id[8:], r.ids.Add(1))
	return fsm.Request{ID: id, Tenant: r.tenant, Actor: fsm.Actor{Identity: "ann", Accessor: "acc"},
		Receipt: &fsm.ReceiptKey{Key: [32]byte(append(id[:], id[:]...)), Request: [32]byte{1}}}
}

func (r *rig) tryPut(it Item) (Written, error) {
	w, _, err := r.e.Put(r.t.Context(), r.request(), it)
	return w, err
}

// put stores a value and returns its version.
func (r *rig) put(path, value string, a ...Attributes) uint64 {
	r.t.Helper()
	it := Item{Path: path, Value: []byte(value)}
	if len(a) > 0 {
		it.Attributes = a[0]
	}
	w, err := r.tryPut(it)
	require.NoError(r.t, err)
	require.Equal(r.t, path, w.Path)
	return w.Version
}

func (r *rig) cas(path, value string, cas uint64) (uint64, error) {
	w, err := r.tryPut(Item{Path: path, Value: []byte(value), Cas: &cas})
	return w.Version, err
}

func (r *rig) rollback(path string, number uint64, cas *uint64) (uint64, error) {
	w, _, err := r.e.Rollback(r.t.Context(), r.request(), path, number, cas)
	return w.Version, err
}

func (r *rig) delete(path string, cas *uint64) (uint64, error) {
	w, _, err := r.e.Delete(r.t.Context(), r.request(), path, cas)
	return w.Version, err
}

func (r *rig) undelete(path string) (uint64, error) {
	w, _, err := r.e.Undelete(r.t.Context(), r.request(), path)
	return w.Version, err
}

func (r *rig) purge(path string, number uint64) (uint64, error) {
	w, _, err := r.e.Purge(r.t.Context(), r.request(), path, number)
	return w.Version, err
}

func (r *rig) move(source, destination string, cas *uint64) (uint64, error) {
	w, _, err := r.e.Move(r.t.Context(), r.request(), source, destination, cas)
	return w.Version, err
}

func (r *rig) copy(source string, number uint64, destination string, cas *uint64) (uint64, error) {
	w, _, err := r.e.Copy(r.t.Context(), r.request(), source, number, destination, cas)
	return w.Version, err
}

func (r *rig) tryImport(items ...Item) ([]Written, error) {
	out, _, err := r.e.Import(r.t.Context(), r.request(), items)
	return out, err
}

// must asserts that a mutation was done.
func (r *rig) must(version uint64, err error) uint64 {
	r.t.Helper()
	require.NoError(r.t, err)
	return version
}

func (r *rig) get(path string, number uint64) (out Value, err error) {
	r.look(func(v *fsm.View) { out, err = r.e.Get(v, r.tenant, path, number, r.now()) })
	return out, err
}

// value returns what a version holds.
func (r *rig) value(path string, number uint64) string {
	r.t.Helper()
	v, err := r.get(path, number)
	require.NoError(r.t, err)
	return string(v.Value)
}

// unreadable asserts that a version, 0 for the latest, cannot be read.
func (r *rig) unreadable(path string, number uint64, why string) {
	r.t.Helper()
	_, err := r.get(path, number)
	r.refused(err, fault.NotFound)
	require.ErrorContains(r.t, err, why)
}

func (r *rig) refused(err error, k fault.Kind) {
	r.t.Helper()
	require.Error(r.t, err)
	require.Equal(r.t, k, fault.KindOf(err), "%v", err)
}

// blames asserts a refusal of a field.
func (r *rig) blames(err error, k fault.Kind, field string) {
	r.t.Helper()
	r.refused(err, k)
	require.Equal(r.t, field, err.(*fault.Error).Field, "%v", err)
}

// history returns all versions of a path, page by page, and asserts that the pages are of one piece.
func (r *rig) history(path string, limit int) (out History) {
	r.t.Helper()
	r.look(func(v *fsm.View) {
		for before := uint64(0); ; {
			page, next, err := r.e.Versions(v, r.tenant, path, before, limit)
			require.NoError(r.t, err)
			require.LessOrEqual(r.t, len(page.Items), limit)
			page.Items = append(out.Items, page.Items...)
			if out = page; next == 0 {
				return
			}
			require.NotEmpty(r.t, out.Items)
			require.Equal(r.t, out.Items[len(out.Items)-1].Version, next)
			before = next
		}
	})
	return out
}

// states returns the state of each version, newest first.
func (r *rig) states(path string) (out []string) {
	r.t.Helper()
	for _, p := range r.history(path, 1000).Items {
		out = append(out, fmt.Sprint(p.Version, " ", p.State))
	}
	return out
}

// list returns a whole list, page by page: paths, and folders with their slash.
func (r *rig) list(q Query) (out []string) {
	r.t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Now == 0 {
		q.Now = r.now()
	}
	r.look(func(v *fsm.View) {
		for pages := 0; ; pages++ {
			require.Less(r.t, pages, 10000, "the pages do not end")
			page, err := r.e.List(v, r.tenant, q)
			require.NoError(r.t, err)
			require.LessOrEqual(r.t, len(page.Items), q.Limit)
			for _, it := range page.Items {
				require.True(r.t, (it.Path == "") != (it.Folder == ""), "a path or a folder")
				out = append(out, it.Path+it.Folder)
			}
			if page.Next == "" {
				return
			}
			require.NotEqual(r.t, q.After, page.Next, "a page that does not go on")
			q.After = page.Next
		}
	})
	return out
}

// check holds the state against the invariants: versions of a path are 1..n, the head sums them up, what is live opens at its own
// place, what is purged has left no payload, the chain is whole, and a rebuild from the log gives the same tables.
func (r *rig) check() {
	r.t.Helper()
	r.look(func(v *fsm.View) {
		verified, err := fsm.VerifyChain(r.t.Context(), v)
		require.NoError(r.t, err)
		require.Equal(r.t, r.checkRows(v)+keyPayloads, verified.Payloads, "sealed values that belong to no live version")
		want, err := fsm.TablesDigest(r.t.Context(), v)
		require.NoError(r.t, err)
		again := openStore(r.t)
		require.NoError(r.t, fsm.Rebuild(r.t.Context(), v, again))
		w, err := again.View()
		require.NoError(r.t, err)
		defer func() { require.NoError(r.t, w.Close()) }()
		got, err := fsm.TablesDigest(r.t.Context(), w)
		require.NoError(r.t, err)
		require.Equal(r.t, want, got, "a rebuild gives other tables")
	})
}

// keyPayloads are those of the keyring: the wrapped root key and its canary, and KEK and MAC key of two tenants.
const keyPayloads = 2 + 2*2

func (r *rig) checkRows(v *fsm.View) (live uint64) {
	rows := uint64(0)
	require.NoError(r.t, heads.Scan(v, fsm.Span{}, func(k fsm.Key, h head) (bool, error) {
		tenant, ok := k.UID()
		require.True(r.t, ok)
		path, n, held := pathOf(k), uint64(0), uint64(0)
		var last version
		require.NoError(r.t, versions.Scan(v, fsm.Span{Prefix: fsm.K(tenant, path)}, func(k fsm.Key, row version) (bool, error) {
			n, rows, last = n+1, rows+1, row
			require.Equal(r.t, fsm.K(tenant, path, n), k, "versions are 1..n")
			_, found, err := fsm.Load(v, row.Value)
			require.NoError(r.t, err)
			require.Equal(r.t, !row.Purged, found, "version %d of %q", n, path)
			if !row.Purged {
				held++
				plain, err := r.keys.Open(v, binding(tenant, path, n), row.Value)
				require.NoError(r.t, err)
				require.Len(r.t, plain, int(row.Size))
			}
			return true, nil
		}))
		require.Equal(r.t, head{Version: n, Live: held, Deleted: h.Deleted, Purged: last.Purged, At: last.At, Attributes: last.Attributes, Hidden: h.Hidden}, h, "%q", path)
		require.Less(r.t, h.Hidden, n, "%q: the last version is hidden by Deleted alone", path)
		live += held
		return true, nil
	}))
	require.NoError(r.t, versions.Scan(v, fsm.Span{}, func(fsm.Key, version) (bool, error) { rows--; return true, nil }))
	require.Zero(r.t, rows, "every version has a head")
	return live
}

func ptr[T any](v T) *T { return &v }
