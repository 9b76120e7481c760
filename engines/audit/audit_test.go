package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// soloLog is a replicated log of one node: what is proposed is applied.
type soloLog struct {
	store *fsm.Store
	mu    sync.Mutex // guards index
	index uint64
}

func (l *soloLog) Term() (uint64, error)                     { return 1, nil }
func (l *soloLog) ReadIndex(context.Context) (uint64, error) { return l.store.Applied(), nil }

func (l *soloLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.index++
	switch out := l.store.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Data: b.Marshal(1, fsm.Time(l.index))}).(type) {
	case []fsm.Outcome:
		return out[0].Receipt, out[0].Err
	default:
		return fsm.Receipt{}, fmt.Errorf("apply: %v", out)
	}
}

// agreed raises the version of the cluster.
type agreed struct {
	Version uint32 `cbor:"1,keyasint"`
}

func (agreed) EventType() string   { return "test.version.agreed" }
func (agreed) EventStream() string { return "version" }

// fakeHeads answers what it is told.
type fakeHeads struct {
	mu    sync.Mutex
	heads []Head
	err   error
	asked int
}

func (f *fakeHeads) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeHeads) Heads(context.Context) ([]Head, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return append([]Head(nil), f.heads...), f.err
}

func (f *fakeHeads) set(heads ...Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heads = heads
}

type rig struct {
	t     *testing.T
	store *fsm.Store
	log   *soloLog
	keys  *keyring.Keyring
	e     *Engine
	heads *fakeHeads
	out   bytes.Buffer
	a     *Anchorer
}

func newRig(t *testing.T) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register, keyring.Register, func(r *fsm.Registry) {
		fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e agreed) error { tx.SetVersion(e.Version); return nil })
	}), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	f, err := seal.OpenFile(kek)
	require.NoError(t, err)
	r := &rig{t: t, store: s, log: &soloLog{store: s}, keys: keyring.New(fsm.UID{9}, f), heads: &fakeHeads{}}
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.propose(events...)
	v := r.view()
	require.NoError(t, r.keys.Unseal(t.Context(), v))
	events, err = r.keys.NewTenant(v, fsm.RootTenant)
	require.NoError(t, err)
	r.propose(events...)
	r.e = New(fsm.NewLedger(s, r.log), r.keys)
	r.a = r.e.Anchorer(r.heads, slog.New(slog.NewTextHandler(&r.out, nil)))
	return r
}

func (r *rig) propose(events ...fsm.Event) {
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(events...)
	_, err := r.log.Propose(r.t.Context(), e)
	require.NoError(r.t, err)
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { v.Close() })
	return v
}

func (r *rig) anchored(node string) (out []Head) {
	for h, err := range Anchors(r.view(), node, fsm.UID{1}) {
		require.NoError(r.t, err)
		out = append(out, h)
	}
	return out
}

func head(node string, seq uint64) Head {
	return Head{Node: node, Journal: fsm.UID{1}, Seq: seq, Hash: [32]byte{byte(seq)}}
}

func TestTheProjectionKeepsItsPromises(t *testing.T) {
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(fsm.RootTenant, KeyMade{Version: 1, Public: []byte{1}}),
		fsmtest.Entry(fsm.RootTenant, Anchored{[]Head{head("n1", 1), head("n2", 5)}}),
		fsmtest.Entry(fsm.RootTenant, Anchored{[]Head{head("n1", 2)}}),
		fsmtest.Entry(fsm.RootTenant, KeyMade{Version: 2, Public: []byte{2}}),
	)
	newest, err := Newest(v)
	require.NoError(t, err)
	require.Equal(t, head("n1", 2), newest["n1"].Head)
	require.Equal(t, head("n2", 5), newest["n2"].Head)
	k, found, err := NewestKey(v)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, Key{2, []byte{2}}, k)
}

func TestNothingIsAnchoredBeforeEveryNodeKnowsIt(t *testing.T) {
	r := newRig(t)
	r.heads.set(head("n1", 1))
	require.NoError(t, r.a.round(t.Context()))
	require.Empty(t, r.anchored("n1"))
	r.propose(agreed{2})
	require.NoError(t, r.a.round(t.Context()))
	require.Equal(t, []Head{head("n1", 1)}, r.anchored("n1"))
}

func TestOneEntryHasAllThatMovedAndNoneIsWrittenWhenNothingDid(t *testing.T) {
	r := newRig(t)
	r.propose(agreed{2})
	r.heads.set(head("n2", 3), head("n1", 1), Head{Node: "n3", Journal: fsm.UID{1}}) // n3 has nothing yet
	require.NoError(t, r.a.round(t.Context()))
	index := r.store.Applied()
	for range 3 {
		require.NoError(t, r.a.round(t.Context()))
	}
	require.Equal(t, index, r.store.Applied(), "a cluster at rest writes nothing")
	r.heads.set(head("n2", 4), head("n1", 1))
	require.NoError(t, r.a.round(t.Context()))
	require.Equal(t, index+1, r.store.Applied())
	require.Equal(t, []Head{head("n1", 1)}, r.anchored("n1"))
	require.Equal(t, []Head{head("n2", 3), head("n2", 4)}, r.anchored("n2"))
	require.Empty(t, r.anchored("n3"))
}

func TestANodeThatDoesNotAnswerKeepsTheOthersFromNothing(t *testing.T) {
	r := newRig(t)
	r.propose(agreed{2})
	r.heads.set(head("n1", 1))
	r.heads.err = errors.New("n2 does not answer")
	require.ErrorContains(t, r.a.round(t.Context()), "n2 does not answer")
	require.Len(t, r.anchored("n1"), 1)
}

func TestTheWorkerSaysOnceThatItFailsAndEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	r.propose(agreed{2})
	r.heads.err = errors.New("nobody answers")
	r.a.every = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.a.Run(ctx) }()
	require.Eventually(t, func() bool { return r.heads.times() > 5 }, 30*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, 1, bytes.Count(r.out.Bytes(), []byte("will retry")), r.out.String())
}

func TestExportsAreSignedWithASealedKeyThatIsMadeOnce(t *testing.T) {
	r := newRig(t)
	_, _, err := r.e.Sign(r.view(), []byte("text"))
	require.Equal(t, fault.NotDone, fault.KindOf(err))
	r.propose(agreed{2})
	for range 3 {
		require.NoError(t, r.a.round(t.Context()))
	}
	v := r.view()
	k, signature, err := r.e.Sign(v, []byte("text"))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(k.Public, []byte("text"), signature))
	require.False(t, ed25519.Verify(k.Public, []byte("test"), signature))
	newest, found, err := NewestKey(v)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, k, newest)
	require.EqualValues(t, 1, k.Version)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", k.Fingerprint())

	n, err := fsm.StreamVersion(v, fsm.RootTenant, keyStream)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	r.keys.Close()
	_, _, err = r.e.Sign(v, []byte("text"))
	require.Equal(t, fault.Sealed, fault.KindOf(err))
}

func TestAfterARestoreAnotherNodeMayHaveTheId(t *testing.T) {
	r := newRig(t)
	lost := Head{Node: "n1", Journal: fsm.UID{2}, Seq: 9}
	r.propose(Anchored{[]Head{lost, head("n2", 3)}})
	require.Equal(t, []Head{lost}, r.anchored("n1"), "a journal that is gone is missed")
	restored, err := r.view().Restore(0, "n1", "restore", 0)
	require.NoError(t, err)
	r.propose(restored)
	r.propose(Anchored{[]Head{head("n1", 1), head("n2", 4)}})
	require.Equal(t, []Head{head("n1", 1)}, r.anchored("n1"))
	require.Equal(t, []Head{head("n2", 3), head("n2", 4)}, r.anchored("n2"), "what a node still has is held against all of it")
}
