package rbac

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises writes policies of two tenants, changes one, deletes it, and writes it again.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	reader, writer := []Rule{{"secrets/app/*", Read | List}}, []Rule{{"secrets/app/*", All}, {"secrets/app/root", Deny}}
	again := fsmtest.Entry(acme, Written{"app", writer})
	again.Guard(fsm.Guard{Tenant: acme, Stream: stream("app"), Version: 1})
	late := fsmtest.Entry(acme, Written{"app", nil})
	late.Guard(fsm.Guard{Tenant: acme, Stream: stream("app"), Version: 1})
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(acme, Written{"admin", admin()}),
		fsmtest.Entry(acme, Written{"app", reader}),
		again, late, // the later one was decided before the other was applied
		fsmtest.Entry(other, Written{"app", reader}),
		fsmtest.Entry(acme, Deleted{"app"}),
		fsmtest.Entry(acme, Written{"app", writer}),
		fsmtest.Entry(acme, Written{"gone", reader}, Deleted{"gone"}), fsmtest.Entry(other, Deleted{"never"}),
	)

	e := New(nil)
	for _, want := range []struct {
		tenant  fsm.UID
		name    string
		rules   []Rule
		version uint64
	}{{acme, "admin", admin(), 1}, {acme, "app", writer, 4}, {other, "app", reader, 1}} {
		got, found, err := e.Get(v, want.tenant, want.name)
		require.NoError(t, err)
		require.True(t, found, want.name)
		require.Equal(t, want.rules, got.Rules)
		require.Equal(t, want.version, got.Version, "versions of %s go on after a deletion", want.name)
		require.Equal(t, "ann", got.By)
	}
	_, found, err := e.Get(v, acme, "gone")
	require.NoError(t, err)
	require.False(t, found)
	for tenant, want := range map[fsm.UID]uint64{acme: 2, other: 1} {
		n, _, err := counts.Get(v, fsm.K(tenant))
		require.NoError(t, err)
		require.Equal(t, want, n, "a policy that is written twice counts once")
	}
}
