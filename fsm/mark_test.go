package fsm_test

import (
	"context"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func command(t *testing.T, index, term uint64, events ...fsm.Event) *raft.Log {
	e := fsm.Entry{ID: fsm.UID{byte(index)}, Tenant: acme}
	e.Add(events...)
	raw, err := e.Marshal()
	require.NoError(t, err)
	var b fsm.Batch
	b.Add(raw)
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: b.Marshal(term, fsm.Time(index))}
}

// TestAMarkPinsTheStateAtItsIndex applies the same entries in one batch and one by one: the digests at the mark are the same, and not those
// of the end.
func TestAMarkPinsTheStateAtItsIndex(t *testing.T) {
	logs := []*raft.Log{command(t, 1, 1, fsm.TermBegan{Term: 1}), command(t, 2, 1, fsm.TermBegan{Term: 2}), command(t, 3, 1, fsm.DigestAsked{Soon: true}),
		command(t, 4, 1, fsm.TermBegan{Term: 3}), {Index: 5, Term: 1, Type: raft.LogNoop}}
	var found [][32]byte
	for _, step := range []int{len(logs), 2, 1} {
		s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin), fsm.Options{})
		require.NoError(t, err)
		marks := 0
		s.AtMarks(func(v *fsm.View, ask fsm.DigestAsked) {
			defer v.Close()
			marks++
			require.True(t, ask.Soon)
			require.EqualValues(t, 3, v.Index())
			read := 0
			d, err := fsm.DigestPaced(t.Context(), v, func(n int) { read += n })
			require.NoError(t, err)
			whole, err := fsm.Digest(context.Background(), v)
			require.NoError(t, err)
			require.Equal(t, whole, d)
			found = append(found, d)
		})
		for at := 0; at < len(logs); at += step {
			for _, r := range s.FSM().ApplyBatch(logs[at:min(at+step, len(logs))]) {
				_, failed := r.(error)
				require.False(t, failed, "%v", r)
			}
		}
		require.Equal(t, 1, marks)
		require.EqualValues(t, 5, s.Applied())
		v, err := s.View()
		require.NoError(t, err)
		end, err := fsm.Digest(t.Context(), v)
		require.NoError(t, err)
		require.NotEqual(t, end, found[len(found)-1])
		require.NoError(t, v.Close())
		require.NoError(t, s.Close())
	}
	require.Equal(t, found[0], found[1])
	require.Equal(t, found[0], found[2])
}
