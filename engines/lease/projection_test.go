package lease

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises takes two tenants' leases through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	granted := func(tenant fsm.UID, id, account string) Granted {
		return Granted{Lease{ID: id, Engine: "dynamic", Target: "pg", Role: "r", Account: account, Holder: Ref{tenant, "t"}, Identity: "ann", Issued: fsmtest.Start,
			Expires: fsmtest.Start.Add(time.Hour), Max: fsmtest.Start.Add(24 * time.Hour), Renewable: true}}
	}
	ending := func(tenant fsm.UID, ids ...string) *fsm.Entry {
		e := fsmtest.Entry(tenant)
		for i, id := range ids {
			e.Add(Ended{id, Expired, uint64(i)})
			e.Outbox = append(e.Outbox, fsm.Message{ID: fsm.UID{byte(i)}, Kind: Kind, Destination: "dynamic/pg", Lane: id})
		}
		return e
	}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(acme, granted(acme, "pg/r/1", "a"), granted(acme, "pg/r/2", "b"), granted(acme, "pg/r/3", "c")),
		fsmtest.Entry(umbra, granted(umbra, "pg/r/1", "a")),
		fsmtest.Entry(acme, Renewed{"pg/r/1", fsmtest.Start.Add(2 * time.Hour)}),
		ending(acme, "pg/r/2", "pg/r/3"),
		fsmtest.Entry(acme, Gone{"pg/r/2"}),
		fsmtest.Entry(acme, Gone{"pg/r/2"}), // late
		fsmtest.Entry(acme, Forced{"pg/r/3"}),
		fsmtest.Entry(umbra, Forced{"pg/r/1"}),
		fsmtest.Entry(umbra, Forgotten{"pg/r/1"}),
	)
	page, next, err := List(v, acme, "pg/", "", 10)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, page, 2)
	require.Equal(t, [2]State{Active, Irrevocable}, [2]State{page[0].State, page[1].State})
	require.Equal(t, fsmtest.Start.Add(2*time.Hour), page[0].Expires)
	n, err := Count(v, acme)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = Count(v, umbra)
	require.NoError(t, err)
	require.Zero(t, n)
	held, forced, err := Numbers(v)
	require.NoError(t, err)
	require.Equal(t, [2]uint64{1, 1}, [2]uint64{held, forced})
	left, err := fsm.Outbox(v, 0, 0, 10)
	require.NoError(t, err)
	require.Len(t, left, 1, "of the lease whose end nobody has settled: Gone does not")
}
