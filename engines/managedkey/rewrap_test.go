package managedkey

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestPlacesOpen: what Places shows is where the keyring opens it, so that a re-wrap finds every object's material, and none that is gone.
func TestPlacesOpen(t *testing.T) {
	r := newRig(t)
	want := map[fsm.Binding]bool{}
	for _, tenant := range []fsm.UID{acme, umbra} {
		in := r.in(tenant)
		id, gone := in.make(key(name("a"))), in.make(key(name("b")))
		in.must(func(s *Stage) error { return s.Destroy(gone) })
		want[binding(tenant, id)] = true
	}
	has, v := map[fsm.Binding]bool{}, r.view()
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		has[at] = true
		plain, err := r.keys.Open(v, at, s)
		require.Equal(t, secret, string(plain))
		return err
	}))
	require.Equal(t, want, has)
}

// TestMaterialIsBoundToItsObject: it cannot be moved on disk.
func TestMaterialIsBoundToItsObject(t *testing.T) {
	r := newRig(t)
	a, b := r.make(key()), r.make(key())
	v := r.view()
	row, found, err := materials.Get(v, fsm.K(acme, a))
	require.True(t, found && err == nil)
	_, err = r.keys.Open(v, binding(acme, b), row.Sealed)
	require.Error(t, err, "it opens for no other id")
	_, err = r.keys.Open(v, binding(umbra, a), row.Sealed)
	require.Error(t, err, "nor for another tenant")
}
