package managedkey

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// whole is an object with every field that is stored.
func whole(id string) Object {
	one := uint32(1)
	return Object{ID: id, Type: SymmetricKey, Owner: "client", Present: true,
		Key: Key{Format: RawFormat, Compression: 1, Algorithm: AES, Length: 256, CertificateType: 1, SecretDataType: 1, OpaqueDataType: 1,
			Split: &Split{3, 1, 2, 1, []byte{7}}, Wrapping: []byte("w"), Digests: []Digest{{SHA256, []byte("d"), RawFormat}}},
		Dates: Dates{1, 2, 3, 4, 5, 0, 0, 0, 0, 10, 11},
		Attributes: Attributes{Names: Many[Name]{{0, Name{"n " + id, TextName}}, {3, Name{"m " + id, URIName}}}, Groups: Many[string]{{0, "g"}},
			Applications: Many[Application]{{0, Application{"ns", "data"}}}, Contact: "c", Description: "d", Comment: "e",
			AltNames: Many[AltName]{{0, AltName{"alt", 1}}}, Policy: "default", Usage: UseEncrypt, Parameters: Many[Parameters]{{0, Parameters{BlockMode: 1, IVLength: &one}}},
			Domain: &Domain{2, 3}, Links: Many[Link]{{0, Link{PublicKeyLink, "other"}}}, Certificate: &CertificateInfo{Subject: "CN=a", SubjectAltName: [][]byte{{1}}},
			Signatures: Many[Signature]{{0, 4}}, Revocation: &Revocation{KeyCompromise, "lost"}, Limits: &UsageLimits{10, 10, ByteUnit}, Lease: 1, Fresh: true, Sensitive: true,
			AlwaysSensitive: true, Extractable: true, NeverExtractable: true, RNG: &RNG{Algorithm: 3}, FriendlyName: "f", Locations: Many[Location]{{0, Location{"hsm", 1}}},
			Custom: []CustomAttribute{{"x-a", Many[Field]{{0, Text("v")}, {2, Field{Kind: Structure, Fields: []Field{{Tag: 5, Kind: Integer, Number: 7}}}}}}}}}
}

// TestTheProjectionKeepsItsPromises takes two tenants' objects through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	one, two := fsm.UID{1}, fsm.UID{2}
	made := func(tenant fsm.UID, o Object) ObjectMade { return ObjectMade{o, sealed(t, tenant, o.ID)} }
	changed := whole("a")
	changed.Attributes.Groups, changed.Attributes.Comment, changed.Number = Many[string]{{0, "g"}, {1, "h"}}, "", 99
	gone := whole("b")
	gone.Dates.Destroy, gone.Present = 12, false
	goneCompromised := gone
	goneCompromised.Dates.Compromise = 13
	n := Name{"n a", TextName}
	v := fsmtest.Check(t, Register,
		fsmtest.Entry(one, NameTaken{n, "a"}, made(one, whole("a"))),
		fsmtest.Entry(one, made(one, whole("b")), ObjectMade{Object: Object{ID: "c", Type: Template}}),
		fsmtest.Entry(two, made(two, whole("a")), NameTaken{n, "a"}),
		fsmtest.Entry(one, ObjectChanged{changed}),
		fsmtest.Entry(one, UsageTaken{"a", 4, 20}), fsmtest.Entry(one, UsageTaken{"a", 6, 21}),
		fsmtest.Entry(one, GroupServed{"g", 1}), fsmtest.Entry(one, GroupServed{"g", 2}),
		fsmtest.Entry(one, ObjectDestroyed{gone}, NameFreed{Name{"n b", TextName}}), fsmtest.Entry(one, ObjectChanged{goneCompromised}),
		fsmtest.Entry(two, ObjectDestroyed{func() Object { o := whole("a"); o.Dates.Destroy = 12; return o }()}, NameFreed{n}),
		fsmtest.Entry(two, made(two, whole("d")), NameTaken{n, "d"}),
	)
	a, _, err := objects.Get(v, fsm.K(one, "a"))
	require.NoError(t, err)
	changed.Number, changed.Attributes.Limits, changed.Dates.LastChange = 1, &UsageLimits{10, 0, ByteUnit}, 21
	require.Equal(t, changed, a, "the number is the one that it got, and everything else what the events say")
	places := map[fsm.Binding]bool{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		full, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		require.Contains(t, string(full.Bytes()), at.Path, "the material stands where its binding says")
		places[at] = true
		return nil
	}))
	require.Equal(t, map[fsm.Binding]bool{binding(one, "a"): true, binding(two, "d"): true}, places)
	owners := map[fsm.UID]string{}
	for _, tenant := range []fsm.UID{one, two} {
		row, _, err := names.Get(v, nameKey(tenant, n))
		require.NoError(t, err)
		owners[tenant] = row.ID
	}
	require.Equal(t, map[fsm.UID]string{one: "a", two: "d"}, owners)
	states, err := StatesOf(t.Context(), v, one, 30)
	require.NoError(t, err)
	require.Equal(t, map[State]int{Deactivated: 1, DestroyedCompromised: 1, PreActive: 1}, states)
	counted, err := CountOf(v, one)
	require.NoError(t, err)
	require.Equal(t, Counts{2, 1}, counted)
	row, _, err := groups.Get(v, fsm.K(one, "g"))
	require.NoError(t, err)
	require.EqualValues(t, 2, row.Number)
	requireIndexed(t, v, one)
	requireIndexed(t, v, two)
}

// requireIndexed holds the indexes against the objects.
func requireIndexed(t testing.TB, v fsm.Reader, tenant fsm.UID) {
	t.Helper()
	want, has := map[string]string{}, map[string]string{}
	require.NoError(t, objects.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, o Object) (bool, error) {
		want[string(fsm.K(tenant, side(o.dead()), o.Number))] = o.ID
		all, err := o.terms()
		for _, term := range all {
			want[string(termKey(tenant, &o, term))] = o.ID
		}
		return true, err
	}))
	for _, table := range []fsm.Table[place]{orders, indexed} {
		require.NoError(t, table.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(k fsm.Key, p place) (bool, error) {
			has[string(k)] = p.ID
			return true, nil
		}))
	}
	require.Equal(t, want, has)
}

func sealed(t testing.TB, tenant fsm.UID, text string) fsm.Sealed {
	s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, tenant.String()+text))
	require.NoError(t, err)
	return s
}
