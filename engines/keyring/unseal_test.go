package keyring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
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
