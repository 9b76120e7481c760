package pki

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// TestTheProjectionKeepsItsPromises takes two tenants' issuers through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	sealed := func(tenant fsm.UID, text string) fsm.Sealed {
		s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, text))
		require.NoError(t, err)
		return s
	}
	a, b, c := fsm.UID{0xa}, fsm.UID{0xb}, fsm.UID{0xc}
	made := func(tenant fsm.UID, name string, uid fsm.UID, first bool) IssuerMade {
		return IssuerMade{Name: name, UID: uid, KeyType: P256, Key: sealed(tenant, "key of "+name+tenant.String()), Chain: [][]byte{[]byte("ca"), []byte("root")}, Settings: Settings{CRLValidity: time.Hour, URL: "http://x"},
			Epoch: 1, Default: first}
	}
	role := Role{Name: "r", Issuer: "i", Domains: []string{"*"}, KeyTypes: []KeyType{P256}, Usages: []Usage{Server}, TTL: time.Hour, MaxTTL: time.Hour, Lease: true, MaxLeases: 3}
	at := fsm.At(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))
	issued := func(serial string, answer fsm.Sealed) Issued {
		return Issued{Serial: serial, Issuer: a, Role: "r", Subject: "CN=x", Names: []string{"x"}, NotAfter: at, DER: []byte("der"), Holder: "h", Lease: "pki/r/x", Answer: answer}
	}
	unstored := issued("4", fsm.Sealed{})
	unstored.DER = nil
	waiting := IssuerMade{Name: "w", UID: c, KeyType: RSA2048, Key: sealed(acme, "w"), Request: []byte("csr"), Settings: Settings{CRLValidity: time.Hour}, Epoch: 1, Imported: true, Parent: "i"}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(acme, made(acme, "i", a, true), ResponderMade{"i", sealed(acme, "first"), []byte("der")}),
		fsmtest.Entry(umbra, made(umbra, "i", b, true)),
		fsmtest.Entry(acme, waiting),
		fsmtest.Entry(acme, IssuerCertified{"w", [][]byte{[]byte("ca")}}),
		fsmtest.Entry(acme, IssuerCrossed{"w", "i", []byte("cross")}),
		fsmtest.Entry(acme, IssuerConfigured{"w", Settings{CRLValidity: time.Hour, Cross: true, MaxTTL: time.Hour, Disabled: true}}),
		fsmtest.Entry(acme, IssuerConfirmed{"w", 2}),
		fsmtest.Entry(acme, DefaultSet{"w"}),
		fsmtest.Entry(acme, ResponderMade{"i", sealed(acme, "second"), []byte("der")}),
		fsmtest.Entry(acme, RoleWritten{role}),
		fsmtest.Entry(acme, RoleWritten{Role{Name: "gone", KeyTypes: role.KeyTypes, Usages: role.Usages}}),
		fsmtest.Entry(acme, RoleDeleted{"gone"}),
		fsmtest.Entry(umbra, RoleWritten{role}),
		fsmtest.Entry(acme, issued("1", sealed(acme, "leaf")), issued("2", fsm.Sealed{}), issued("3", fsm.Sealed{}), unstored),
		fsmtest.Entry(acme, Revoked{"1", a, 1, at}),
		fsmtest.Entry(acme, Revoked{"1", a, 4, at}),
		fsmtest.Entry(acme, Revoked{"4", a, 0, at}),
		fsmtest.Entry(acme, Revoked{"2", a, 0, at}),
		fsmtest.Entry(acme, Tidied{[]Outlived{{at, "2", a}}}),
		fsmtest.Entry(umbra, IssuerDeleted{"i"}),
	)
	row, err := findIssuer(v, acme, "i")
	require.NoError(t, err)
	require.Equal(t, [2]uint64{3, 2}, [2]uint64{row.Revocations, row.Signers}, "the second revocation of one is none")
	places := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		_, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		places[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{keyBinding(acme, a): true, signerBinding(acme, a, 2): true, keyBinding(acme, c): true}, places)
	first, err := GetCertificate(v, acme, "1")
	require.NoError(t, err)
	require.Equal(t, 1, first.Reason)
	all, _, err := Certificates(v, acme, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	_, found, err := homes.Get(v, fsm.K(b))
	require.NoError(t, err)
	require.False(t, found)
}
