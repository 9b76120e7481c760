package fsm_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

type noted struct {
	Name  string
	Value fsm.Sealed
}

func (noted) EventType() string     { return "test.note.written" }
func (e noted) EventStream() string { return "note/" + e.Name }

type dropped struct{ Name string }

func (dropped) EventType() string     { return "test.note.dropped" }
func (e dropped) EventStream() string { return "note/" + e.Name }

type retired struct{ Version uint32 }

func (retired) EventType() string   { return "test.key.retired" }
func (retired) EventStream() string { return "key" }

var notes = fsm.NewTable[noted]("test.note")

func testFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e noted) error { return notes.Put(tx, fsm.K(m.Tenant, e.Name), e) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e dropped) error {
		row, found, err := notes.Get(tx, fsm.K(m.Tenant, e.Name))
		if err != nil || !found {
			return err
		}
		return tx.Destroy(row.Value)
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e retired) error {
		return tx.Retire(fsm.KEKID{Scope: m.Tenant, Version: e.Version})
	})
}

func open(t *testing.T) *fsm.Store {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func sealedOf(t *testing.T, text string) fsm.Sealed {
	blob := make([]byte, fsm.SealedNonceAt+12, fsm.SealedMin+len(text))
	_, err := rand.Read(blob[1:])
	require.NoError(t, err)
	blob[0] = fsm.SealedFormat
	s, err := fsm.NewSealed(append(append(blob, text...), make([]byte, 16)...))
	require.NoError(t, err)
	return s
}

var acme = fsm.UID{1, 2, 3}

func note(t *testing.T, name string) *fsm.Entry {
	e := &fsm.Entry{Tenant: acme, Actor: fsm.Actor{Identity: "ann"}}
	e.Add(noted{name, sealedOf(t, "value of "+name)})
	return e
}

type script struct {
	t     *testing.T
	s     *fsm.Store
	index uint64
	logs  []*raft.Log
}

func (p *script) apply(entries ...*fsm.Entry) []fsm.Outcome {
	var b fsm.Batch
	for _, e := range entries {
		raw, err := e.Marshal()
		require.NoError(p.t, err)
		b.Add(raw)
	}
	p.index++
	l := &raft.Log{Index: p.index, Term: 1, Type: raft.LogCommand, Data: b.Marshal(1, fsm.Time(p.index))}
	p.logs = append(p.logs, l)
	out, ok := p.s.FSM().Apply(l).([]fsm.Outcome)
	require.True(p.t, ok, "%v", p.s.FSM())
	return out
}

func digest(t *testing.T, s *fsm.Store) [32]byte {
	v, err := s.View()
	require.NoError(t, err)
	defer v.Close()
	d, err := fsm.Digest(t.Context(), v)
	require.NoError(t, err)
	return d
}

func TestGuardMissRefusesTheWholeEntryInsideABatch(t *testing.T) {
	p := &script{t: t, s: open(t)}
	first, second := note(t, "a"), note(t, "a")
	first.Guard(fsm.Guard{Tenant: acme, Stream: "note/a"})
	second.Guard(fsm.Guard{Tenant: acme, Stream: "note/a"})
	second.Add(noted{"b", sealedOf(t, "x")})
	out := p.apply(first, second)
	require.NoError(t, out[0].Err)
	require.ErrorIs(t, out[1].Err, fsm.ErrStale)
	v, err := p.s.View()
	require.NoError(t, err)
	defer v.Close()
	_, found, err := notes.Get(v, fsm.K(acme, "b"))
	require.NoError(t, err)
	require.False(t, found)
}

func TestReceiptAnswersOnceAndRefusesAnotherRequest(t *testing.T) {
	p := &script{t: t, s: open(t)}
	a := note(t, "a")
	a.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	a.Reply.Public = []byte("one")
	require.NoError(t, p.apply(a)[0].Err)
	again := note(t, "a")
	again.Receipt = a.Receipt
	out := p.apply(again)[0]
	require.NoError(t, out.Err)
	require.True(t, out.Receipt.Replayed)
	require.Equal(t, "one", string(out.Receipt.Reply.Public))
	other := note(t, "z")
	other.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{3}}
	require.ErrorContains(t, p.apply(other)[0].Err, "Idempotency-Key")
}

func TestSnapshotRestoreReplayAndRebuildAgree(t *testing.T) {
	p := &script{t: t, s: open(t)}
	for _, n := range []string{"a", "b", "c"} {
		p.apply(note(t, n))
	}
	e := &fsm.Entry{Tenant: acme}
	e.Add(dropped{"b"})
	p.apply(e)
	want := digest(t, p.s)

	again := open(t)
	for _, l := range p.logs {
		again.FSM().Apply(l)
	}
	require.Equal(t, want, digest(t, again), "the same log twice")

	v, err := p.s.View()
	require.NoError(t, err)
	defer v.Close()
	var buf bytes.Buffer
	require.NoError(t, v.Export(&buf))
	restored := open(t)
	require.NoError(t, restored.Restore(bytes.NewReader(buf.Bytes())))
	require.Equal(t, want, digest(t, restored), "through a snapshot")
	require.Error(t, restored.Restore(bytes.NewReader(buf.Bytes()[:buf.Len()-1])))
	require.Equal(t, want, digest(t, restored), "a damaged snapshot changes nothing")

	rebuilt := open(t)
	require.NoError(t, fsm.Rebuild(t.Context(), v, rebuilt))
	require.Equal(t, want, digest(t, rebuilt), "from the event log")
	_, err = fsm.VerifyChain(t.Context(), v)
	require.NoError(t, err)
}

func TestUnknownOrUndecodableEntryStopsTheNode(t *testing.T) {
	for name, data := range map[string][]byte{"empty": {}, "format": append([]byte{9}, make([]byte, 20)...), "torn": append(make([]byte, 17), 200)} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			_, failed := s.FSM().Apply(&raft.Log{Index: 1, Term: 1, Data: data}).(error)
			require.True(t, failed)
			<-s.Failed()
			require.ErrorContains(t, s.Err(), "index 1")
			require.Zero(t, s.Applied())
		})
	}
}

func TestABatchOfAnotherTermHasNoEffect(t *testing.T) {
	s := open(t)
	var b fsm.Batch
	raw, err := note(t, "a").Marshal()
	require.NoError(t, err)
	b.Add(raw)
	out := s.FSM().Apply(&raft.Log{Index: 1, Term: 2, Data: b.Marshal(1, 1)}).([]fsm.Outcome)
	require.ErrorIs(t, out[0].Err, fsm.ErrDropped)
	require.Equal(t, uint64(1), s.Applied())
}
