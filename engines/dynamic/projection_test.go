package dynamic

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises takes two tenants' connections through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	sealed := func(tenant fsm.UID, text string) fsm.Sealed {
		s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, text))
		require.NoError(t, err)
		return s
	}
	a, b := fsm.UID{0xa}, fsm.UID{0xb}
	wrote := func(name string, uid fsm.UID, password fsm.Sealed) ConnectionWritten {
		return ConnectionWritten{Name: name, UID: uid, Backend: "memory", Config: backend.Config{Host: "db", Port: 1, TLS: backend.VerifyFull, Options: map[string]string{"heir": "x"}},
			Username: "admin", Password: password, Length: 32}
	}
	role := Role{Name: "r", Grant: backend.Role{Grants: []string{"x"}}, TTL: time.Hour, MaxTTL: time.Hour, MaxLeases: 3}
	intended := func(id byte) Intended {
		return Intended{ID: fsm.UID{id}, Connection: "pg", Role: "r", Account: "trs_x", Lease: "pg/r/x", Life: time.Hour}
	}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(acme, wrote("pg", a, sealed(acme, "one"))),
		fsmtest.Entry(umbra, wrote("pg", b, sealed(umbra, "theirs"))),
		fsmtest.Entry(acme, RoleWritten{"pg", role}),
		fsmtest.Entry(acme, RoleWritten{"pg", Role{Name: "gone", Grant: role.Grant}}),
		fsmtest.Entry(acme, RoleDeleted{"pg", "gone"}),
		fsmtest.Entry(umbra, RoleWritten{"pg", role}),
		fsmtest.Entry(umbra, RootRotating{Name: "pg"}),
		fsmtest.Entry(umbra, RootReplaced{"pg", "second", sealed(umbra, "drawn")}),
		fsmtest.Entry(umbra, RootRotated{"pg"}),
		fsmtest.Entry(acme, wrote("pg", a, fsm.Sealed{})),
		fsmtest.Entry(acme, RootRotating{"pg", sealed(acme, "two")}),
		fsmtest.Entry(acme, RootRotated{"pg"}),
		fsmtest.Entry(acme, RootRotating{"pg", sealed(acme, "three")}),
		fsmtest.Entry(umbra, ConnectionDeleted{"pg"}),
		fsmtest.Entry(acme, intended(1), intended(2), intended(3)),
		fsmtest.Entry(acme, Issued{fsm.UID{1}}),
		fsmtest.Entry(acme, Abandoned{fsm.UID{2}}),
		fsmtest.Entry(acme, Abandoned{fsm.UID{3}}),
		fsmtest.Entry(acme, Forgotten{fsm.UID{3}}),
	)
	row, err := find(v, acme, "pg")
	require.NoError(t, err)
	require.Equal(t, [2]uint64{2, 3}, [2]uint64{row.Sealed, row.Given})
	require.NotZero(t, row.Rotated)
	places := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		_, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		places[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{passwordBinding(acme, a, 2): true, passwordBinding(acme, a, 3): true}, places)
	theirs, _, err := Roles(v, umbra, "pg", "", 10)
	require.NoError(t, err)
	require.Empty(t, theirs)
	left, found, err := intents.Get(v, fsm.K(acme, fsm.UID{2}))
	require.NoError(t, err)
	require.True(t, found && left.Abandoned > 0)
}
