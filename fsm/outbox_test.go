package fsm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// settled says that a message was delivered.
type settled struct{ Seq, Pos uint64 }

func (settled) EventType() string   { return "test.message.settled" }
func (settled) EventStream() string { return "outbox" }

func outboxFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e settled) error { return tx.Settle(e.Seq, e.Pos) })
}

// owing is an entry that owes n messages.
func owing(t *testing.T, name string, n int) *fsm.Entry {
	e := &fsm.Entry{Tenant: acme}
	for i := range n {
		e.Outbox = append(e.Outbox, fsm.Message{ID: fsm.UID{byte(i >> 8), byte(i)}, Kind: name, Body: sealedOf(t, fmt.Sprint(name, i))})
	}
	return e
}

func kinds(t *testing.T, r fsm.Reader, seq, pos uint64, limit int) (out []string) {
	t.Helper()
	owed, err := fsm.Outbox(r, seq, pos, limit)
	require.NoError(t, err)
	for _, o := range owed {
		require.Equal(t, o.Pos, uint64(o.ID[0])<<8|uint64(o.ID[1]))
		out = append(out, fmt.Sprint(o.Kind, o.Pos))
	}
	return out
}

func TestTheOutboxIsReadInOrderAndSettledForGood(t *testing.T) {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(outboxFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p := &script{t: t, s: s}
	a, b := owing(t, "a", 3), owing(t, "b", 300)
	p.apply(a)
	p.apply(b, owing(t, "c", 1))

	v := view(t, s)
	all := kinds(t, v, 0, 0, 1000)
	require.Len(t, all, 304)
	require.Equal(t, []string{"a0", "a1", "a2", "b0", "b1"}, all[:5])
	require.Equal(t, []string{"b255", "b256"}, all[258:260], "256 is behind 255")
	require.Equal(t, "c0", all[303])
	require.Equal(t, []string{"a2", "b0"}, kinds(t, v, 1, 1, 2), "beyond a place")
	require.Equal(t, []string{"c0"}, kinds(t, v, 2, 299, 10))
	require.Empty(t, kinds(t, v, 3, 0, 10))

	e := &fsm.Entry{}
	e.Add(settled{1, 1}, settled{2, 0}, settled{2, 0}, settled{9, 9}) // one again, one that never was
	require.NoError(t, p.apply(e)[0].Err)
	v = view(t, s)
	require.Equal(t, []string{"a0", "a2", "b1"}, kinds(t, v, 0, 0, 3))
	require.False(t, loaded(t, v, a.Outbox[1].Body), "the body of a settled message")
	require.True(t, loaded(t, v, a.Outbox[2].Body), "the body of one that is owed")
	_, err = fsm.VerifyChain(t.Context(), v)
	require.NoError(t, err)
	rebuilt, err := fsm.Open(t.TempDir(), fsm.NewRegistry(outboxFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rebuilt.Close()) })
	require.NoError(t, fsm.Rebuild(t.Context(), v, rebuilt))
	require.Equal(t, digest(t, s), digest(t, rebuilt))
}

func TestAnEntryThatOnlyOwesIsNotEmpty(t *testing.T) {
	require.True(t, (&fsm.Entry{}).Empty())
	require.False(t, owing(t, "a", 1).Empty())
	require.False(t, note(t, "a").Empty())
}
