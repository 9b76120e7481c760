package kmipclient

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

func sealed(t testing.TB, tenant fsm.UID, text string) fsm.Sealed {
	s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, text))
	require.NoError(t, err)
	return s
}

// binding is an entry that binds something and claims it.
func binding(tenant fsm.UID, b Bound, admitsKey bool, more ...fsm.Event) *fsm.Entry {
	e := fsmtest.Entry(tenant, more...)
	e.Add(b)
	row := bindingRow{Kind: b.Kind, Print: b.Print, PublicKey: b.PublicKey, CAKey: b.CAKey, Subject: b.Subject}
	for _, kind := range claimKinds {
		if sum, found := row.sums()[kind]; found {
			e.AddIn(fsm.RootTenant, Claimed{kind, sum, tenant, b.Client, b.Number, kind != byKey || admitsKey})
		}
	}
	return e
}

// TestTheProjectionKeepsItsPromises takes two tenants' clients through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	one, two := fsm.UID{1}, fsm.UID{2}
	own, next, partner := fsm.UID{0xa}, fsm.UID{0xb}, fsm.UID{0xc}
	a, b, c, d := fsm.UID{1, 1}, fsm.UID{1, 2}, fsm.UID{1, 3}, fsm.UID{2, 1}
	day := fsm.Time(24 * 3600 * 1e9)
	ca := func(uid fsm.UID, tenant fsm.UID, kind CAKind, generation uint64) CAAdded {
		e := CAAdded{UID: uid, Kind: kind, Generation: generation, Certificate: []byte(uid.String()), PublicKey: Fingerprint{uid[0]},
			Expires: fsmtest.Start + 90*day}
		if kind == ExternalCA {
			e.Name = "partner"
			return e
		}
		e.Key, e.Algorithm = sealed(t, tenant, tenant.String()+uid.String()), "ec-p256"
		return e
	}
	made := func(tenant, client fsm.UID, n uint64, expires fsm.Time) Bound {
		return Bound{Client: client, Number: n, Kind: Made, Certificate: []byte("certificate"), Print: Fingerprint{client[0], client[1], byte(n)},
			PublicKey: Fingerprint{client[0], client[1], byte(n), 1}, CA: own, Expires: expires, Answer: sealed(t, tenant, client.String()+string(rune('0'+n)))}
	}
	subject := func(client fsm.UID, n uint64) Bound {
		return Bound{Client: client, Number: n, Kind: Subject, CA: partner, CAKey: Fingerprint{partner[0]}, Issuer: []byte("issuer"), Subject: []byte("subject")}
	}
	word := &Verifier{"Fred", [16]byte{1}, Fingerprint{2}}
	late := made(one, a, 2, fsmtest.Start+20*day)
	late.Ends = fsmtest.Start + 5*day
	last := made(one, a, 3, 0)
	last.Dropped = []uint64{1}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(fsm.RootTenant, ca(fsm.UID{0xe}, fsm.RootTenant, ServerCA, 1)),
		fsmtest.Entry(one, ca(own, one, ClientCA, 1),
			RoleSet{Role{Name: "disks", Operations: []uint32{1, 10}, Groups: []string{OwnGroup}, Objects: 7, PKCS1: true, Credential: true}}),
		fsmtest.Entry(two, ca(own, two, ClientCA, 1)),
		fsmtest.Entry(one, ca(partner, one, ExternalCA, 0)), fsmtest.Entry(one, ca(partner, one, ExternalCA, 0)),
		binding(one, made(one, a, 1, fsmtest.Start+10*day), false, Enrolled{a, "a", "disks", word, word}),
		binding(one, late, false),
		binding(one, subject(b, 1), false, Enrolled{b, "b", DefaultRole, nil, nil}),
		binding(two, made(two, d, 1, fsmtest.Start+day), false, Enrolled{d, "a", DefaultRole, nil, word}),
		fsmtest.Entry(one, Deleted{b}),
		binding(one, subject(c, 1), false, Enrolled{c, "b", "disks", nil, nil}),
		fsmtest.Entry(one, Configured{c, DefaultRole, word, nil}),
		fsmtest.Entry(one, RoleSet{Role{Name: "gone", All: true}}), fsmtest.Entry(one, RoleSet{Role{Name: "gone", All: true, Objects: 1}}),
		fsmtest.Entry(one, RoleDeleted{"gone"}),
		binding(one, last, false),
		fsmtest.Entry(one, Revoked{a, 2}),
		fsmtest.Entry(two, Revoked{d, 0}),
		fsmtest.Entry(one, ca(next, one, ClientCA, 2)), fsmtest.Entry(one, CARemoved{own}),
		fsmtest.Entry(fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"}),
		fsmtest.Entry(one, Confirmed{a}), fsmtest.Entry(two, Confirmed{}),
	)
	for name, want := range map[string]State{"a": Active, "b": Suspended} {
		i, err := Get(v, one, name)
		require.NoError(t, err)
		require.Equal(t, want, i.State, name)
	}
	i, err := Get(v, one, "a")
	require.NoError(t, err)
	require.Zero(t, i.Expires, "its last certificate does not say when")
	i, err = Get(v, two, "a")
	require.NoError(t, err)
	require.Equal(t, [2]any{Ended, fsm.Time(0)}, [2]any{i.State, i.Expires})
	all, err := Bindings(v, one, "a")
	require.NoError(t, err)
	require.Equal(t, [3]uint64{2, 2, 3}, [3]uint64{uint64(len(all)), all[0].Number, all[1].Number})
	require.NotZero(t, all[0].Revoked)
	counts, err := Count(v, one)
	require.NoError(t, err)
	require.Equal(t, Counts{1, 2, 1}, counts)

	held := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		full, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		require.Contains(t, string(full.Bytes()), at.Path, "what is sealed stands where its binding says")
		held[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{caBinding(fsm.RootTenant, fsm.UID{0xe}): true, caBinding(one, next): true, caBinding(two, own): true,
		answerBinding(one, a, 3): true}, held, "what was revoked, dropped or removed is destroyed")

	var seqs []uint64
	claim := func(kind string, sum Fingerprint) claimRow {
		row, found, err := claims.Get(v, fsm.K(kind, sum[:]))
		require.True(t, err == nil && found)
		seqs = append(seqs, row.Seq)
		row.Seq = 0
		return row
	}
	require.Equal(t, claimRow{one, a, 1, true, false, 0}, claim(byCertificate, Fingerprint{1, 1, 1}), "what was dropped stays claimed")
	require.Equal(t, claimRow{one, a, 2, false, true, 0}, claim(byKey, Fingerprint{1, 1, 2, 1}))
	require.Equal(t, claimRow{two, d, 1, true, true, 0}, claim(byCertificate, Fingerprint{2, 1, 1}))
	require.Equal(t, claimRow{one, c, 1, true, false, 0}, claim(bySubject, subjectSum(Fingerprint{partner[0]}, []byte("subject"))))
	require.IsIncreasing(t, []uint64{seqs[0], seqs[1], seqs[3], seqs[2]}, "the subject was claimed by the client that is gone, before the other tenant claimed anything")
	requireIndexes(t, v)
}

// requireIndexes holds the indexes against the rows.
func requireIndexes(t *testing.T, v *fsm.View) {
	want, have := map[string]int{}, map[string]int{}
	require.NoError(t, clients.Scan(v, fsm.Span{}, func(k fsm.Key, c clientRow) (bool, error) {
		want["names"]++
		want["members"]++
		if c.Expires > 0 {
			want["expiries"]++
		}
		return true, nil
	}))
	require.NoError(t, bindings.Scan(v, fsm.Span{}, func(_ fsm.Key, b bindingRow) (bool, error) {
		if b.Kind == Subject {
			want["subjects"]++
		} else {
			want["certificates"]++
		}
		return true, nil
	}))
	require.NoError(t, names.Scan(v, fsm.Span{}, func(fsm.Key, fsm.UID) (bool, error) { have["names"]++; return true, nil }))
	require.NoError(t, members.Scan(v, fsm.Span{}, func(fsm.Key, bool) (bool, error) { have["members"]++; return true, nil }))
	require.NoError(t, expiries.Scan(v, fsm.Span{}, func(fsm.Key, bool) (bool, error) { have["expiries"]++; return true, nil }))
	require.NoError(t, subjects.Scan(v, fsm.Span{}, func(fsm.Key, subjectRow) (bool, error) { have["subjects"]++; return true, nil }))
	require.NoError(t, certificates.Scan(v, fsm.Span{}, func(fsm.Key, []byte) (bool, error) { have["certificates"]++; return true, nil }))
	require.Equal(t, want, have)
}
