package transit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

func requireKind(t testing.TB, k fault.Kind, err error, contains string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, k, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, contains)
}

func TestAKeyOfEveryAlgorithm(t *testing.T) {
	r := newRig(t)
	for _, a := range primitive.Algorithms() {
		if a == primitive.RSA3072 || a == primitive.RSA4096 {
			continue // they take seconds, and differ from RSA2048 in nothing that matters here
		}
		name := a.String()
		require.NoError(t, r.create(name, a))
		require.Equal(t, a, r.material(name, 1).Algorithm())
		found, _, err := Versions(r.view(), acme, name, 0, 10)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, a.Asymmetric(), len(found[0].Public) > 0)
		i := r.info(name)
		require.Equal(t, [3]any{a.String(), uint64(1), "ann"}, [3]any{i.Algorithm, i.Latest, i.By})
	}
}

func TestNames(t *testing.T) {
	r := newRig(t)
	for _, bad := range []string{"", "a/b", ".a", "a b", "ä", "a\x00", "*", fmt.Sprintf("%0129d", 0)} {
		requireKind(t, fault.Invalid, r.create(bad, primitive.AES256GCM), "letters")
	}
	require.NoError(t, r.create("a", primitive.AES256GCM))
	requireKind(t, fault.Conflict, r.create("a", primitive.AES256GCM), "there is a transit key")
	require.NoError(t, r.in(umbra).create("a", primitive.Ed25519), "names are a tenant's own")
	_, err := Get(r.view(), umbra, "b")
	requireKind(t, fault.NotFound, err, "no transit key")
	require.NotEqual(t, r.info("a").UID, r.in(umbra).info("a").UID)
}

func TestARepeatedRequestMakesOneVersion(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.AES256GCM))
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	for range 3 {
		d, _, err := r.e.Rotate(t.Context(), req, "a")
		require.NoError(t, err)
		require.EqualValues(t, 2, d.Version)
	}
	require.Equal(t, []uint64{2, 1}, r.numbers("a"))
}

func TestVersions(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.ChaCha20Poly1305))
	for want := uint64(2); want <= 5; want++ {
		got, err := r.rotate("a")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	r.log.Before(func() { // somebody rotates while another rotation is being decided
		_, err := r.rotate("b")
		require.Error(t, err)
		r.log.Must(t, acme, VersionAdded{Name: "a", UID: r.info("a").UID, Version: 6, Material: sealed(t, acme, "x")})
	})
	got, err := r.rotate("a")
	require.NoError(t, err)
	require.EqualValues(t, 7, got)

	trim := func(below uint64) error {
		_, _, err := r.e.Trim(t.Context(), r.req(), "a", below)
		return err
	}
	requireKind(t, fault.Invalid, trim(3), "raise min_decryption_version")
	requireKind(t, fault.Invalid, r.configure("a", Change{MinDecrypt: to[uint64](8)}), "latest version is 7")
	require.NoError(t, r.configure("a", Change{MinDecrypt: to[uint64](3)}))
	requireKind(t, fault.Invalid, r.configure("a", Change{MinEncrypt: to[uint64](2)}), "below min_decryption_version")
	require.NoError(t, trim(3))
	requireKind(t, fault.Conflict, trim(3), "nothing is below")
	require.Equal(t, []uint64{7, 6, 5, 4, 3}, r.numbers("a"))
	requireKind(t, fault.Invalid, r.configure("a", Change{MinDecrypt: to[uint64](2)}), "trimmed")

	page, next, err := Versions(r.view(), acme, "a", 0, 2)
	require.NoError(t, err)
	require.Equal(t, [2]uint64{7, 6}, [2]uint64{page[0].Number, page[1].Number})
	page, _, err = Versions(r.view(), acme, "a", next, 2)
	require.NoError(t, err)
	require.Equal(t, [2]uint64{5, 4}, [2]uint64{page[0].Number, page[1].Number})
}

func sealed(t testing.TB, tenant fsm.UID, text string) fsm.Sealed {
	s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, text))
	require.NoError(t, err)
	return s
}

func TestAKeyThatIsDeletedIsGoneForGood(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.AES256GCM))
	old := r.info("a").UID
	remove := func() error {
		_, _, err := r.e.Delete(t.Context(), r.req(), "a")
		return err
	}
	requireKind(t, fault.Conflict, remove(), "deletion_allowed")
	require.NoError(t, r.configure("a", Change{Deletable: to(true)}))
	_, err := r.rotate("a")
	require.NoError(t, err)
	require.NoError(t, remove())
	requireKind(t, fault.NotFound, remove(), "no transit key")
	for n := range uint64(3) {
		_, found, err := versions.Get(r.view(), fsm.K(acme, old, n))
		require.NoError(t, err)
		require.False(t, found)
	}
	require.NoError(t, r.create("a", primitive.AES256GCM), "the name may be given again")
	require.NotEqual(t, old, r.info("a").UID)
}

func TestExportableOnlyFromTheBeginningOrWithSudo(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.AES256GCM))
	requireKind(t, fault.Denied, r.configure("a", Change{Exportable: to(true)}), "sudo")
	_, _, err := r.e.Configure(t.Context(), r.req(), "a", Change{Exportable: to(true)}, true)
	require.NoError(t, err)
	require.NoError(t, r.configure("a", Change{Exportable: to(false)}), "less is always allowed")
	requireKind(t, fault.Denied, r.configure("a", Change{Exportable: to(true)}), "sudo")
	_, _, err = r.e.Create(t.Context(), r.req(), Spec{Name: "b", Algorithm: primitive.AES256GCM, Change: Change{Exportable: to(true)}})
	require.NoError(t, err)
	require.True(t, r.info("b").Exportable)
}

func TestSpecsThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	for want, s := range map[string]Spec{
		"no working keys":    {Algorithm: primitive.Ed25519, Derived: true},
		"takes derived":      {Algorithm: primitive.AES256GCM, Convergent: true},
		"has one version":    {Algorithm: primitive.AES256GCM, Change: Change{MinDecrypt: to[uint64](1)}},
		"from 1h0m0s to ten": {Algorithm: primitive.AES256GCM, Change: Change{RotateEvery: to(time.Minute)}},
	} {
		s.Name = "a"
		_, _, err := r.e.Create(t.Context(), r.req(), s)
		requireKind(t, fault.Invalid, err, want)
	}
}

func TestAnImportedKeyGetsItsVersionsFromElsewhere(t *testing.T) {
	r := newRig(t)
	bring := func(b byte) *primitive.Key {
		k, err := primitive.Import(primitive.AES128GCM, []byte(fmt.Sprintf("0123456789abcde%c", b)))
		require.NoError(t, err)
		return k
	}
	_, _, err := r.e.Import(t.Context(), r.req(), Spec{Name: "a"}, bring('1'))
	require.NoError(t, err)
	raw, err := r.material("a", 1).Export(primitive.Raw)
	require.NoError(t, err)
	require.Equal(t, "0123456789abcde1", string(raw))
	_, err = r.rotate("a")
	requireKind(t, fault.Conflict, err, "was imported")
	requireKind(t, fault.Invalid, r.configure("a", Change{RotateEvery: to(time.Hour)}), "imported")
	d, _, err := r.e.ImportVersion(t.Context(), r.req(), "a", bring('2'))
	require.NoError(t, err)
	require.EqualValues(t, 2, d.Version)
	require.NoError(t, r.configure("a", Change{Rotatable: to(true)}))
	_, err = r.rotate("a")
	require.NoError(t, err)

	other, err := primitive.Generate(primitive.AES256GCM)
	require.NoError(t, err)
	_, _, err = r.e.ImportVersion(t.Context(), r.req(), "a", other)
	requireKind(t, fault.Conflict, err, "is of aes128-gcm")
	require.NoError(t, r.create("made", primitive.AES128GCM))
	_, _, err = r.e.ImportVersion(t.Context(), r.req(), "made", bring('3'))
	requireKind(t, fault.Conflict, err, "was made here")
}

// TestNumbersAreNeverThoseOfAHistoryThatWasGivenUp: the lost future may have encrypted under versions that this history does not know.
func TestNumbersAreNeverThoseOfAHistoryThatWasGivenUp(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.AES256GCM))
	r.log.Must(t, fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"})
	got, err := r.rotate("a")
	require.NoError(t, err)
	require.EqualValues(t, jump+2, got)
	got, err = r.rotate("a")
	require.NoError(t, err)
	require.EqualValues(t, jump+3, got)
	require.Equal(t, []uint64{jump + 3, jump + 2, 1}, r.numbers("a"))
}

func TestMessagesAreReservedUpToTheBound(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.create("a", primitive.AES256GCM))
	_, err := r.e.Reserve(t.Context(), r.req(), "a", 1)
	require.NoError(t, err)
	r.log.Must(t, acme, Reserved{"a", 1, mostDrawn - 2*block})
	_, err = r.e.Reserve(t.Context(), r.req(), "a", 1)
	require.NoError(t, err)
	_, err = r.e.Reserve(t.Context(), r.req(), "a", 1)
	requireKind(t, fault.Limit, err, "rotate the key")
	_, err = r.e.Reserve(t.Context(), r.req(), "a", 2)
	requireKind(t, fault.NotFound, err, "trimmed")
}
