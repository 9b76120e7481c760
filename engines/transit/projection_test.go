package transit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises takes two tenants' keys through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	one, two := fsm.UID{1}, fsm.UID{2}
	a, b, again, other := fsm.UID{0xa}, fsm.UID{0xb}, fsm.UID{0xc}, fsm.UID{0xd}
	made := func(name string, uid fsm.UID, s Settings) KeyCreated {
		return KeyCreated{Name: name, UID: uid, Algorithm: "aes256-gcm", Derived: true, Convergent: true, Imported: true, Settings: s, Origin: one}
	}
	version := func(tenant fsm.UID, name string, uid fsm.UID, n uint64) VersionAdded {
		return VersionAdded{Name: name, UID: uid, Version: n, Material: sealed(t, tenant, fmt.Sprintf("%s %d", uid, n)), Public: []byte("public")}
	}
	all := Settings{MinDecrypt: 1, MinEncrypt: 1, Exportable: true, Deletable: true, RotateEvery: 3600, Rotatable: true}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(one, made("a", a, all), version(one, "a", a, 1)),
		fsmtest.Entry(one, made("b", b, Settings{}), version(one, "b", b, 1)),
		fsmtest.Entry(two, made("a", other, Settings{}), version(two, "a", other, 1)),
		fsmtest.Entry(one, version(one, "a", a, 2)), fsmtest.Entry(one, version(one, "a", a, 3)),
		fsmtest.Entry(one, Reserved{"a", 3, block}), fsmtest.Entry(one, Reserved{"a", 3, block}), fsmtest.Entry(one, Reserved{"a", 1, block}),
		fsmtest.Entry(one, Configured{"a", Settings{MinDecrypt: 3}}),
		fsmtest.Entry(one, Trimmed{"a", 3}),
		fsmtest.Entry(one, version(one, "a", a, 4)),
		fsmtest.Entry(one, Deleted{"b"}),
		fsmtest.Entry(one, made("b", again, Settings{}), version(one, "b", again, 1)),
		fsmtest.Entry(one, KeyCreated{Name: "back", UID: b, Algorithm: "aes256-gcm", Origin: two, Given: 7}, KeyRestored{b, "back"},
			VersionAdded{Name: "back", UID: b, Version: 5, Material: sealed(t, one, b.String()+" again"), Reserved: rotateAt}),
	)
	k, _, err := keys.Get(v, fsm.K(one, "back"))
	require.NoError(t, err)
	require.Equal(t, [3]uint64{5, 5, 7}, [3]uint64{k.Oldest, k.Latest, k.Given})
	require.EqualValues(t, 8, k.next(fsm.FirstEpoch))
	require.NotZero(t, k.Restored)
	k, _, err = keys.Get(v, fsm.K(one, "a"))
	require.NoError(t, err)
	require.Equal(t, [3]uint64{3, 4, 2}, [3]uint64{k.Oldest, k.Latest, k.Versions})
	require.Equal(t, Settings{MinDecrypt: 3}, k.Settings)
	places := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		full, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		require.Contains(t, string(full.Bytes()), at.Path, "the material stands where its binding says")
		places[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{binding(one, a, 3): true, binding(one, a, 4): true, binding(one, again, 1): true, binding(one, b, 5): true, binding(two, other, 1): true}, places)
	row, _, err := versions.Get(v, fsm.K(one, a, uint64(3)))
	require.NoError(t, err)
	require.EqualValues(t, 2*block, row.Reserved)
	list, next, err := List(v, one, "", 1)
	require.NoError(t, err)
	require.Equal(t, "a", list[0].Name)
	list, next, err = List(v, one, next, 1)
	require.NoError(t, err)
	require.Equal(t, "b", list[0].Name)
	list, next, err = List(v, one, next, 1)
	require.NoError(t, err)
	require.Equal(t, "back", list[0].Name)
	require.Empty(t, next)
	n, _, err := changes.Get(v, fsm.K())
	require.NoError(t, err)
	require.EqualValues(t, 10, n, "eight versions came, two operations had some go")
}
