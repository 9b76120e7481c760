package keyring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestABackupOpensWithTheStateThatItHolds: its own key is wrapped by a root key that it has the wraps of, whichever ones the node has.
func TestABackupOpensWithTheStateThatItHolds(t *testing.T) {
	r := newRotation(t)
	r.raise()
	before := r.view()
	slow := r.ring(cluster, r.kek)
	require.NoError(t, slow.Unseal(t.Context(), before))
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.NoError(t, err)
	during := r.view()
	require.NoError(t, r.keys.Refresh(t.Context(), during, during.Now()))
	opens := func(k *Keyring, v *fsm.View, what string) {
		b, key, err := k.SealBackup(v)
		require.NoError(t, err, what)
		again, err := OpenBackup(t.Context(), cluster, b, k.seals...)
		require.NoError(t, err, what)
		require.Equal(t, *key.key, *again.key, what)
	}
	opens(r.keys, before, "a view of before the rotation, by a node that has the new key already")
	opens(slow, during, "a view of the rotation, by a node that has not looked")
	opens(r.keys, during, "a view of the rotation")
	r.work()
	opens(r.keys, r.view(), "after it")
	require.NoError(t, slow.Refresh(t.Context(), r.view(), r.view().Now()))
	opens(slow, r.view(), "after it, by another node")
}
