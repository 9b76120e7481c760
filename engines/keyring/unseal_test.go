package keyring

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestALateUnsealTakesNoKeyBack: of two that race, the one with the older state may end last.
func TestALateUnsealTakesNoKeyBack(t *testing.T) {
	r := newRotation(t)
	r.raise()
	before := r.view()
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.NoError(t, err)
	ring := r.ring(cluster, r.kek)
	require.NoError(t, r.keys.Refresh(t.Context(), r.view(), r.view().Now()))
	require.NoError(t, ring.Unseal(t.Context(), r.view()))
	require.NoError(t, ring.Unseal(t.Context(), before))
	mine, err := ring.Prove([]byte("nonce"), []byte("n2"))
	require.NoError(t, err)
	theirs, err := r.keys.Prove([]byte("nonce"), []byte("n2"))
	require.NoError(t, err)
	require.Equal(t, theirs, mine, "both have the newest root key")
}

// answeringSeal does something before it answers.
type answeringSeal struct {
	seal.Seal
	before func()
}

func (s answeringSeal) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	s.before()
	return s.Seal.Unwrap(ctx, wrapped, aad)
}

// TestARefreshDoesNotOpenWhatWasSealedMeanwhile: the node is sealed while its seal is asked for a newer root key.
func TestARefreshDoesNotOpenWhatWasSealedMeanwhile(t *testing.T) {
	r := newRotation(t)
	r.raise()
	file, err := seal.OpenFile(r.kek)
	require.NoError(t, err)
	asleep := New(cluster, file)
	require.NoError(t, asleep.Unseal(t.Context(), r.view()))
	for range 2 {
		_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		r.work()
	}
	asleep.seals[0] = answeringSeal{file, asleep.Close}
	err = asleep.Refresh(t.Context(), r.view(), r.view().Now())
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	require.False(t, asleep.Unsealed())
}
