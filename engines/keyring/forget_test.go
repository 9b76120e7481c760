package keyring

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestKeysThatAreGoneLeaveTheMemory: those of a rotated tenant when readers of an older view have had a minute, those of a deleted one at the
// next look.
func TestKeysThatAreGoneLeaveTheMemory(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	r.keep(umbra, "v1")
	before := r.view()
	old := r.keys.tenants[fsm.KEKID{Scope: acme, Version: 1}]
	deleted := r.keys.tenants[fsm.KEKID{Scope: umbra, Version: 1}]
	_, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	r.work()
	events, err := r.keys.DropTenant(r.view(), umbra)
	require.NoError(t, err)
	r.apply(umbra, events...)
	now := fsm.At(time.Now())
	require.NoError(t, r.keys.Refresh(t.Context(), r.view(), now))
	require.Equal(t, key{}, *deleted)
	require.NotEqual(t, key{}, *old, "a reader of an older view needs it")
	s, _, err := values.Get(before, fsm.K(acme, "v1"))
	require.NoError(t, err)
	_, err = r.keys.Open(before, valueBinding(acme, "v1"), s)
	require.NoError(t, err)
	require.NoError(t, r.keys.Refresh(t.Context(), r.view(), now.Add(retiredFor)))
	require.NotEqual(t, key{}, *old)
	require.NoError(t, r.keys.Refresh(t.Context(), r.view(), now.Add(retiredFor+time.Second)))
	require.Equal(t, key{}, *old)
	r.readable(r.keys, acme, "v1")
}
