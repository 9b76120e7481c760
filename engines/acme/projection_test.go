package acme

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var acme, umbra = fsm.UID{1}, fsm.UID{2}

// TestTheProjectionKeepsItsPromises takes two tenants' directories through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	sealed := func(tenant fsm.UID, text string) fsm.Sealed {
		s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, text))
		require.NoError(t, err)
		return s
	}
	a, b, ann, bob := fsm.UID{0xa}, fsm.UID{0xb}, fsm.UID{0x11}, fsm.UID{0x12}
	order := func(id byte, names ...Named) OrderMade {
		return OrderMade{UID: fsm.UID{id}, Account: ann, Expires: 1, Names: names}
	}
	named := func(id byte, name string, wild bool) Named { return Named{fsm.UID{id}, name, wild, "token"} }
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(acme, DirectoryWritten{Role: "web", UID: a}),
		fsmtest.Entry(umbra, DirectoryWritten{Role: "web", UID: b, Open: true}),
		fsmtest.Entry(acme, KeyMade{a, "one", sealed(acme, "1"), "ann", 9}),
		fsmtest.Entry(acme, KeyMade{a, "two", sealed(acme, "2"), "bob", 9}),
		fsmtest.Entry(umbra, KeyMade{b, "one", sealed(umbra, "3"), "eve", 9}),
		fsmtest.Entry(acme, AccountMade{ann, a, []byte("jwk"), "thumb", []string{"mailto:a@b"}, "one", "ann"}),
		fsmtest.Entry(umbra, AccountMade{bob, b, []byte("jwk"), "thumb", nil, "", "acme"}),
		fsmtest.Entry(acme, AccountChanged{ann, a, []byte("jwk2"), "thumb2", nil, true}),
		fsmtest.Entry(acme, order(1, named(21, "a.b", false), named(22, "b.b", true))),
		fsmtest.Entry(acme, order(2, named(23, "c.b", false)), order(3, named(24, "d.b", false)), order(4, named(25, "e.b", false))),
		fsmtest.Entry(acme, ProofAsked{fsm.UID{21}, fsm.UID{1}, HTTP}),
		fsmtest.Entry(acme, ProofAsked{fsm.UID{22}, fsm.UID{1}, DNS}, ProofAsked{fsm.UID{23}, fsm.UID{2}, ALPN}),
		fsmtest.Entry(acme, ProofSettled{fsm.UID{21}, fsm.UID{1}, "", ""}),
		fsmtest.Entry(acme, ProofSettled{fsm.UID{22}, fsm.UID{1}, "", ""}),
		fsmtest.Entry(acme, ProofSettled{fsm.UID{23}, fsm.UID{2}, "dns", "no such name"}),
		fsmtest.Entry(acme, AuthorizationEnded{fsm.UID{24}, fsm.UID{3}}),
		fsmtest.Entry(acme, OrderFinalized{fsm.UID{1}, "ab", [][]byte{[]byte("der")}}),
		fsmtest.Entry(acme, OrdersForgotten{[]fsm.UID{{2}, {3}}}),
		fsmtest.Entry(umbra, DirectoryDeleted{"web"}),
	)
	done, _, err := orders.Get(v, fsm.K(acme, fsm.UID{1}))
	require.NoError(t, err)
	require.Equal(t, []any{Valid, "ab"}, []any{done.Status, done.Serial})
	gone, found, err := orders.Get(v, fsm.K(acme, fsm.UID{2}))
	require.NoError(t, err)
	require.False(t, found, "%v", gone)
	open := 0
	require.NoError(t, ofAccount.Scan(v, fsm.Span{}, func(fsm.Key, fsm.UID) (bool, error) { open++; return true, nil }))
	require.Equal(t, 1, open, "orders that ended count no more")
	left := 0
	require.NoError(t, proofs.Scan(v, fsm.Span{}, func(fsm.Key, fsm.UID) (bool, error) { left++; return true, nil }))
	require.Zero(t, left)
	places := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		_, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		places[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{keyBinding(acme, a, "two"): true}, places, "a key that has opened an account is gone, and those of a directory that is")
	d, err := Find(v, a)
	require.NoError(t, err)
	_, err = ByKey(v, d, "thumb")
	require.Equal(t, "accountDoesNotExist", TypeOf(err))
	_, err = ByKey(v, d, "thumb2")
	require.NoError(t, err)
	_, err = Find(v, b)
	require.Error(t, err)
}
