package tenant

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises founds the root tenant, makes tenants, deletes one and gives its name to another.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	first, second, third, fourth := fsm.UID{1, 1}, fsm.UID{2, 2}, fsm.UID{3, 3}, fsm.UID{4, 4}
	create := func(uid fsm.UID, name string) *fsm.Entry {
		e := fsmtest.Entry(fsm.RootTenant)
		e.AddIn(uid, Created{name})
		e.Add(NameTaken{name, uid})
		e.Receipt = &fsm.ReceiptKey{Key: [32]byte(append(uid[:], uid[:]...))}
		return e
	}
	end := func(uid fsm.UID, name string) *fsm.Entry {
		e := fsmtest.Entry(fsm.RootTenant)
		e.Guard(fsm.Guard{Tenant: uid, Stream: stream, Version: 1})
		e.AddIn(uid, Deleted{})
		e.Add(NameFreed{name})
		return e
	}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(fsm.RootTenant, (*Engine)(nil).Found()...),
		create(first, "acme"), create(second, "beta"), create(second, "beta"), // the last one is a repetition
		end(first, "acme"), end(first, "acme"), // the second one misses its guard
		create(third, "acme"), create(fourth, "brief"), end(fourth, "brief"),
	)

	e := &Engine{}
	for uid, want := range map[fsm.UID]Tenant{
		fsm.RootTenant: {Name: "root", State: Active}, first: {Name: "acme", State: Removed},
		second: {Name: "beta", State: Active}, third: {Name: "acme", State: Active},
	} {
		got, found, err := e.Get(v, uid)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want.Name, got.Name)
		require.Equal(t, want.State, got.State, got.Name)
		require.Equal(t, uid, got.UID)
	}
	named, found, err := e.ByName(v, "acme")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, third, named.UID, "a name belongs to who took it last")
	_, found, err = e.ByName(v, "brief")
	require.NoError(t, err)
	require.False(t, found, "the name of a deleted tenant is free")
	list, next, err := e.List(v, "", 0)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, list, 3, "deleted tenants are not listed")
}
