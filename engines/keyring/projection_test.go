package keyring

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises founds a keyring, makes the keys of tenants, rotates one and destroys another's. A keyring that
// unseals from what the log gives opens what was sealed under the keys that are left.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	made := newRig(t) // seals what the events below bring
	found, _, err := made.keys.Found(t.Context(), made.view(), People{})
	require.NoError(t, err)
	made.apply(fsm.RootTenant, found...)
	require.NoError(t, made.keys.Unseal(t.Context(), made.view()))
	keys := func(tenant fsm.UID) []fsm.Event {
		events, err := made.keys.NewTenant(made.view(), tenant)
		require.NoError(t, err)
		return events
	}
	ended, err := made.keys.DropTenant(made.view(), umbra)
	require.NoError(t, err)
	first, doomed := keys(acme), keys(umbra)
	second := TenantKEKAdded{2, keys(acme)[0].(TenantKEKAdded).Key} // which key it is does not matter to the tables
	v := fsmtest.Check(t, versionOne,
		fsmtest.Entry(fsm.RootTenant, found...),
		fsmtest.Entry(fsm.RootTenant, keys(fsm.RootTenant)...),
		fsmtest.Entry(acme, first...),
		fsmtest.Entry(umbra, doomed...),
		fsmtest.Entry(umbra, TenantKEKAdded{2, keys(umbra)[0].(TenantKEKAdded).Key}),
		fsmtest.Entry(acme, second),
		fsmtest.Entry(umbra, ended...),
		fsmtest.Entry(umbra, ended...), // a tenant without keys
	)

	ring := made.ring(cluster, made.kek)
	require.NoError(t, ring.Unseal(t.Context(), v))
	row, known, err := tenants.Get(v, fsm.K(acme))
	require.NoError(t, err)
	require.True(t, known)
	require.EqualValues(t, 2, row.KEK, "the newest key seals")
	_, err = ring.kek(v, fsm.KEKID{Scope: acme, Version: 1})
	require.NoError(t, err, "the older one still opens")
	_, err = ring.MAC(v, acme, "test")
	require.NoError(t, err, "the MAC key outlives a rotation")
	_, err = ring.Seal(v, fsm.Binding{Tenant: umbra}, []byte("x"))
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.NoError(t, keks.Scan(v, fsm.Span{Prefix: fsm.K(umbra)}, func(k fsm.Key, _ fsm.Sealed) (bool, error) {
		t.Errorf("key %x of a destroyed tenant is left", k)
		return true, nil
	}))
	for _, s := range []fsm.Sealed{doomed[0].(TenantKEKAdded).Key, doomed[1].(MACKeyMade).Key} {
		b, err := fsm.Encode(s)
		require.NoError(t, err)
		var reference fsm.Sealed
		require.NoError(t, fsm.Decode(b, &reference))
		_, left, err := fsm.Load(v, reference)
		require.NoError(t, err)
		require.False(t, left, "the bytes of a destroyed key")
	}
}

// versionOne registers what version 1 of the cluster knew.
func versionOne(r *fsm.Registry) {
	Register(r)
	r.UpTo(1)
}

// TestTheProjectionOfRotationsKeepsItsPromises checks the log of a cluster that gained shares and a seal, rotated everything, lost a seal, and
// rotated a tenant's key.
func TestTheProjectionOfRotationsKeepsItsPromises(t *testing.T) {
	r := newPeople(t)
	r.keep(acme, "v1")
	r.keep(umbra, "v1")
	_, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	r.work()
	path := filepath.Join(t.TempDir(), "second")
	require.NoError(t, seal.Keygen(path))
	file, err := seal.OpenFile(path)
	require.NoError(t, err)
	r.keys.seals = append(r.keys.seals, file.As("second"))
	_, err = r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "second")
	require.NoError(t, err)
	_, err = r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "file")
	require.NoError(t, err)
	r.work()
	ended, err := r.keys.DropTenant(r.view(), umbra)
	require.NoError(t, err)
	r.apply(umbra, ended...)
	third, err := seal.OpenFile(path)
	require.NoError(t, err)
	r.keys.seals = append(r.keys.seals, third.As("third"))
	_, err = r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "third")
	require.NoError(t, err)
	_, err = r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "third") // this rotation does not end
	require.NoError(t, err)
	_, err = r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	r.keep(acme, "v2")
	made, err := r.keys.NewTenant(r.view(), fsm.UID{7})
	require.NoError(t, err)
	r.apply(fsm.UID{7}, made...)
	r.apply(acme, gone{"nothing"})
	v := fsmtest.Check(t, func(reg *fsm.Registry) { Register(reg); keptEvents(reg) }, r.entries...)
	ring := New(cluster, file)
	require.NoError(t, ring.Unseal(t.Context(), v))
	s, _, err := values.Get(v, fsm.K(acme, "v1"))
	require.NoError(t, err)
	out, err := ring.Open(v, valueBinding(acme, "v1"), s)
	require.NoError(t, err)
	require.Equal(t, "value of v1", string(out))
}
