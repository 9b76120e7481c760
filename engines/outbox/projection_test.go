package outbox

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises takes two tenants' messages through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	owing := func(tenant fsm.UID, ids ...byte) *fsm.Entry {
		e := fsmtest.Entry(tenant)
		for _, id := range ids {
			body, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, string(rune('a'+id))))
			require.NoError(t, err)
			e.Outbox = append(e.Outbox, fsm.Message{ID: fsm.UID{id}, Kind: "mail", Body: body, Destination: "d", Lane: "l"})
		}
		return e
	}
	v := fsmtest.Check(t, Register,
		owing(acme, 1, 2, 3, 4, 5), // sequence 2, behind the opening of the term
		owing(umbra, 6),
		fsmtest.Entry(acme, Delivered{2, 0, fsm.UID{1}}),
		fsmtest.Entry(acme, Parked{2, 1, fsm.UID{2}, "gone", 3}),
		fsmtest.Entry(acme, Parked{2, 2, fsm.UID{3}, "gone", 3}),
		fsmtest.Entry(acme, Requeued{2, 1, fsm.UID{2}}),
		fsmtest.Entry(acme, Parked{2, 1, fsm.UID{2}, "gone again", 2}),
		fsmtest.Entry(acme, Dropped{2, 2, fsm.UID{3}}),
		fsmtest.Entry(acme, Delivered{2, 2, fsm.UID{3}}), // too late
		fsmtest.Entry(acme, Dropped{2, 3, fsm.UID{4}}),
	)
	all, err := fsm.Outbox(v, 0, 0, 10)
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, fsm.UID{2}, all[0].ID)
	require.Equal(t, "gone again", all[0].Reason)
	require.EqualValues(t, 5, all[0].Tries)
	require.NotZero(t, all[0].Parked)
	require.Zero(t, all[1].Parked)
	depths, err := fsm.Depths(v)
	require.NoError(t, err)
	require.Equal(t, []fsm.Depth{{Tenant: acme, Kind: "mail", Destination: "d", Waiting: 1, Parked: 1}, {Tenant: umbra, Kind: "mail", Destination: "d", Waiting: 1}}, depths)
}
