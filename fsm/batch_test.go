package fsm_test

import (
	"slices"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func TestAGuardSeesTheEntriesBeforeItInTheBatch(t *testing.T) {
	p := &script{t: t, s: open(t)}
	guarded := func(tenant fsm.UID, version uint64) *fsm.Entry {
		e := note(t, "a")
		e.Guard(fsm.Guard{Tenant: tenant, Stream: "note/a", Version: version})
		return e
	}
	two := note(t, "a")
	two.Add(noted{"a", sealedOf(t, "again")}) // two events on one stream
	for _, round := range []struct {
		entries []*fsm.Entry
		stale   []bool
		version uint64
	}{
		{[]*fsm.Entry{guarded(acme, 0), guarded(acme, 1), guarded(acme, 1)}, []bool{false, false, true}, 2},
		{[]*fsm.Entry{guarded(acme, 1), guarded(acme, 3), guarded(acme, 2)}, []bool{true, true, false}, 3},
		{[]*fsm.Entry{two, guarded(acme, 4), guarded(acme, 5)}, []bool{false, true, false}, 6},
		{[]*fsm.Entry{guarded(umbra, 6), guarded(umbra, 0)}, []bool{true, false}, 7}, // the other tenant's stream is another
	} {
		out := p.apply(round.entries...)
		for i, stale := range round.stale {
			require.Equal(t, stale, out[i].Err != nil, "round to %d, entry %d", round.version, i)
			if stale {
				require.ErrorIs(t, out[i].Err, fsm.ErrStale)
				require.Zero(t, out[i].Receipt)
			}
		}
		n, err := fsm.StreamVersion(view(t, p.s), acme, "note/a")
		require.NoError(t, err)
		require.Equal(t, round.version, n)
	}
	other := &fsm.Entry{Tenant: umbra}
	other.Add(noted{"a", sealedOf(t, "theirs")})
	require.NoError(t, p.apply(other)[0].Err)
	for tenant, want := range map[fsm.UID]uint64{acme: 7, umbra: 1, {}: 0} {
		g, err := fsm.GuardOf(view(t, p.s), tenant, "note/a")
		require.NoError(t, err)
		require.Equal(t, fsm.Guard{Tenant: tenant, Stream: "note/a", Version: want}, g)
	}
}

func TestOneMissedGuardRefusesAnEntryThatHasOthers(t *testing.T) {
	p := &script{t: t, s: open(t)}
	e := note(t, "a")
	e.Guard(fsm.Guard{Tenant: acme, Stream: "note/a"}, fsm.Guard{Tenant: acme, Stream: "note/b", Version: 1})
	require.ErrorIs(t, p.apply(e)[0].Err, fsm.ErrStale)
	seq, _ := view(t, p.s).Head()
	require.Zero(t, seq)
}

func TestLogTimeNeverGoesBack(t *testing.T) {
	p := &script{t: t, s: open(t)}
	require.EqualValues(t, 100, p.at(100, note(t, "a")).Receipt.At)
	require.EqualValues(t, 100, p.at(7, note(t, "b")).Receipt.At)
	require.EqualValues(t, 101, p.at(101, note(t, "c")).Receipt.At)
	require.EqualValues(t, 101, view(t, p.s).Now())
}

func opening(t *testing.T, events ...fsm.Event) []byte {
	e := &fsm.Entry{}
	e.Add(events...)
	raw, err := e.Marshal()
	require.NoError(t, err)
	return raw
}

func marshalled(term uint64, entries ...[]byte) []byte {
	var b fsm.Batch
	for _, e := range entries {
		b.Add(e)
	}
	return b.Marshal(term, 1)
}

func TestOnlyALeadersOwnEntryOpensATerm(t *testing.T) {
	began, other := opening(t, fsm.TermBegan{Term: 3}), opening(t, noted{Name: "a"})
	for name, data := range map[string][]byte{
		"empty batch": marshalled(3), "two entries": marshalled(3, began, began), "another event": marshalled(3, other), "nothing": nil,
		"two events": marshalled(3, opening(t, fsm.TermBegan{Term: 3}, fsm.TermBegan{Term: 3})), "junk": marshalled(3, []byte("junk")),
	} {
		require.False(t, fsm.IsOpening(data), name)
	}
	require.True(t, fsm.IsOpening(marshalled(3, began)))

	s := open(t)
	require.Zero(t, s.Began())
	s.FSM().Apply(&raft.Log{Index: 1, Term: 3, Data: marshalled(3, other)})
	require.Zero(t, s.Began())
	s.FSM().Apply(&raft.Log{Index: 2, Term: 3, Data: marshalled(3, began)})
	require.EqualValues(t, 3, s.Began())
	s.FSM().Apply(&raft.Log{Index: 3, Term: 4, Type: raft.LogConfiguration})
	require.EqualValues(t, 3, s.Began())
	require.EqualValues(t, 3, s.Applied(), "a configuration counts as applied")
}

func TestABatchThatEndsInsideAnEntryIsRefused(t *testing.T) {
	s := open(t)
	whole := marshalled(1, opening(t, fsm.TermBegan{Term: 1}))
	require.NoError(t, s.Rehearse(1, whole))
	for name, data := range map[string][]byte{
		"one byte short": whole[:len(whole)-1], "a length alone": append(marshalled(1), 1),
		"a length one too long": append(marshalled(1), 2, 0xa0), "half a length": append(marshalled(1), 0x80),
	} {
		require.ErrorContains(t, s.Rehearse(1, slices.Clip(data)), "ends inside an entry", name)
		require.False(t, fsm.IsOpening(slices.Clip(data)), name)
	}
	require.ErrorContains(t, s.Rehearse(1, whole[:16]), "shorter than its header")
}

func TestABatchSaysHowLargeItIs(t *testing.T) {
	var b fsm.Batch
	require.Zero(t, b.Len())
	require.Zero(t, b.Bytes())
	entry := make([]byte, 300)
	b.Add(entry)
	b.Add(nil)
	require.Equal(t, 2, b.Len())
	require.GreaterOrEqual(t, b.Bytes(), len(entry))
	require.GreaterOrEqual(t, len(b.Marshal(1, 1)), b.Bytes())
}

// bomb is an event whose apply panics, or fails after it has written.
type bomb struct{ Panic bool }

func (bomb) EventType() string   { return "test.bomb.set" }
func (bomb) EventStream() string { return "bomb" }

func TestARehearsalFindsWhatWouldStopTheNode(t *testing.T) {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(testFeature, func(r *fsm.Registry) {
		fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e bomb) error {
			if e.Panic {
				panic("boom")
			}
			return notes.Put(tx, fsm.K("half"), noted{Value: sealedOf(t, "x")})
		})
	}), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	before := digest(t, s)
	require.ErrorContains(t, s.Rehearse(1, marshalled(1, opening(t, bomb{false}), opening(t, bomb{true}))), "boom")
	require.ErrorContains(t, s.Rehearse(1, marshalled(1, opening(t, fsm.TermBegan{Term: 1}))), "unknown", "an event that is not registered")
	require.NoError(t, s.Rehearse(1, marshalled(1, opening(t, bomb{false}))))
	require.Equal(t, before, digest(t, s), "it changes nothing")
	require.NoError(t, s.Err())
	_, ok := s.FSM().Apply(&raft.Log{Index: 1, Term: 1, Data: marshalled(1, opening(t, bomb{false}))}).([]fsm.Outcome)
	require.True(t, ok)
}

func TestAStoppedStoreRefusesEverything(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"))
	before := digest(t, p.s)
	logs := []*raft.Log{
		{Index: 2, Term: 1, Data: marshalled(1, opening(t, fsm.TermBegan{Term: 1}))},
		{Index: 3, Term: 1, Data: marshalled(1, []byte("junk"))},
	}
	for _, r := range p.s.FSM().ApplyBatch(logs) {
		require.Implements(t, (*error)(nil), r, "the good entry of the batch is not applied either")
	}
	require.ErrorContains(t, p.s.Err(), "index 3")
	require.Equal(t, before, digest(t, p.s))
	require.Implements(t, (*error)(nil), p.s.FSM().Apply(logs[0]), "nor is it afterwards")
	require.EqualValues(t, 1, p.s.Applied())
	require.Error(t, p.s.Wait(t.Context(), 2))
}
