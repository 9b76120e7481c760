package secret

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// restored begins an epoch, as a restore of the cluster does.
func (r *rig) restored(epoch uint32) {
	r.in(fsm.RootTenant).propose(fsm.Restored{Epoch: epoch, From: epoch - 1, How: "restore"})
}

// TestNumbersOfVersionsAreNeverThoseOfAHistoryThatWasGivenUp also covers paths that only the lost future knew.
func TestNumbersOfVersionsAreNeverThoseOfAHistoryThatWasGivenUp(t *testing.T) {
	r := newRig(t)
	r.put("a", "one")
	r.put("a", "two")
	r.restored(2)
	require.EqualValues(t, jump+3, r.put("a", "three"))
	require.EqualValues(t, jump+4, r.put("a", "four"))
	require.EqualValues(t, jump+1, r.put("new", "x"))
	r.restored(5)
	require.EqualValues(t, 4*jump+5, r.put("a", "five"))
	require.EqualValues(t, 4*jump+2, r.put("new", "y"))
	require.EqualValues(t, 4*jump+1, r.put("newer", "z"))
	require.EqualValues(t, 4*jump+2, r.put("newer", "z"))

	for limit := 1; limit <= 6; limit++ { // a history has gaps now, in no page
		var got []uint64
		for _, p := range r.history("a", limit).Items {
			require.Equal(t, "live", p.State)
			got = append(got, p.Version)
		}
		require.Equal(t, []uint64{4*jump + 5, jump + 4, jump + 3, 2, 1}, got, "limit %d", limit)
	}
	require.Equal(t, "two", r.value("a", 2))
	require.Equal(t, "three", r.value("a", jump+3))
	require.Equal(t, "five", r.value("a", 0))
	at, err := r.cas("a", "six", 4*jump+5)
	require.NoError(t, err)
	require.EqualValues(t, 4*jump+6, at)
	r.must(r.delete("a", nil))
	r.must(r.undelete("a"))
	r.must(r.purge("a", jump+4))
	r.must(r.rollback("a", 2, nil))
	require.Equal(t, "two", r.value("a", 0))
}
