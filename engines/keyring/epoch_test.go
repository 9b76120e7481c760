package keyring

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestAValueKeepsTheEpochThatItWasSealedIn: a restore changes nothing about what is there, and what is sealed after it belongs to no other history.
func TestAValueKeepsTheEpochThatItWasSealedIn(t *testing.T) {
	r := newRig(t)
	epochOf := func(s fsm.Sealed) uint32 { return binary.BigEndian.Uint32(s.Bytes()[21:]) }
	before, err := r.keys.Seal(r.view(), place, []byte("before"))
	require.NoError(t, err)
	require.EqualValues(t, 1, epochOf(before))
	r.apply(fsm.RootTenant, fsm.Restored{Epoch: 4, From: 1, How: "restore"})
	after, err := r.keys.Seal(r.view(), place, []byte("after"))
	require.NoError(t, err)
	require.EqualValues(t, 4, epochOf(after))
	for s, want := range map[*fsm.Sealed]string{&before: "before", &after: "after"} {
		got, err := r.keys.Open(r.view(), place, *s)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	moved := append([]byte(nil), after.Bytes()...)
	binary.BigEndian.PutUint32(moved[21:], 1)
	other, err := fsm.NewSealed(moved)
	require.NoError(t, err)
	_, err = r.keys.Open(r.view(), place, other)
	require.Error(t, err, "it does not pass for one of another epoch")
	events, err := r.keys.NewTenant(r.view(), fsm.UID{7})
	require.NoError(t, err)
	require.EqualValues(t, 4, epochOf(events[0].(TenantKEKAdded).Key))
}
