package api

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// fakeJournals are real journals of this node and of two others, which can be out of reach.
type fakeJournals struct {
	nodes map[string]*journal.Journal // by node
	own   *journal.Refusals

	mu   sync.Mutex // guards the rest
	err  error      // of every Append
	down map[string]error
}

func newFakeJournals(t testing.TB) *fakeJournals {
	f := &fakeJournals{nodes: map[string]*journal.Journal{}, down: map[string]error{}}
	dir := t.TempDir()
	for _, n := range []string{"n1", "n2", "n3"} {
		j, err := journal.Open(filepath.Join(dir, n), journal.Options{Node: n})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, j.Close()) })
		f.nodes[n] = j
	}
	var err error
	f.own, err = journal.OpenRefusals(filepath.Join(dir, "refused"), journal.Options{Node: "n1"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.own.Close()) })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, j := range f.nodes {
		wg.Go(func() { _ = j.Run(ctx) })
	}
	t.Cleanup(wg.Wait)
	t.Cleanup(cancel)
	return f
}

func (f *fakeJournals) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeJournals) cut(node string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[node] = err
}

func (f *fakeJournals) Append(r ...journal.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return f.nodes["n1"].Append(r...)
}

func (f *fakeJournals) Add(address string) { f.own.Add(address) }

func (f *fakeJournals) Nodes(*fsm.View) ([]string, error) { return []string{"n1", "n2", "n3"}, nil }

func (f *fakeJournals) Page(ctx context.Context, node, part string, q journal.Query) (journal.Page, error) {
	f.mu.Lock()
	err := f.down[node]
	f.mu.Unlock()
	switch {
	case err != nil:
		return journal.Page{}, err
	case part == PartRefused && node != "n1":
		return journal.Page{}, nil
	case part == PartRefused:
		return f.own.Journal().Read(ctx, q)
	}
	return f.nodes[node].Read(ctx, q)
}

func (f *fakeJournals) Verify(ctx context.Context, _ *fsm.View) (reads, refused journal.Verified, err error) {
	none := func(func(journal.Head, error) bool) {}
	if reads, err = f.nodes["n1"].Verify(ctx, none); err == nil {
		refused, err = f.own.Journal().Verify(ctx, none)
	}
	return reads, refused, err
}

// records are what this node's journal holds.
func (b *bench) records(q journal.Query) (out []journal.Record) {
	b.t.Helper()
	p, err := b.journals.nodes["n1"].Read(b.t.Context(), q)
	require.NoError(b.t, err)
	for _, l := range p.Lines {
		r, err := l.Record()
		require.NoError(b.t, err)
		out = append(out, r)
	}
	return out
}

// last is the newest record in this node's journal.
func (b *bench) last() journal.Record {
	b.t.Helper()
	all := b.records(journal.Query{Reverse: true, Limit: 1})
	require.NotEmpty(b.t, all)
	return all[0]
}

var errFull = fault.New(fault.NoSpace, "the journal is full")

// sign makes the key that signs exports, as the leader does.
func (b *bench) sign() string {
	v, err := b.store.View()
	require.NoError(b.t, err)
	defer v.Close()
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	made := audit.KeyMade{Version: 1, Public: ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)}
	made.Private, err = b.keys.Seal(v, fsm.Binding{Tenant: fsm.RootTenant, Feature: "audit", Field: "signing-key", Version: 1}, seed)
	require.NoError(b.t, err)
	b.propose(made)
	return audit.Fingerprint(made.Public)
}

func (b *bench) propose(events ...fsm.Event) {
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(events...)
	_, err := b.raft.Propose(b.t.Context(), e)
	require.NoError(b.t, err)
}
