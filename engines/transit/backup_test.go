package transit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm/fault"
)

func (r *rig) wrappingKey() Version {
	_, _, err := r.e.EnsureWrapping(r.t.Context(), r.req())
	require.NoError(r.t, err)
	v, err := Wrapping(r.view(), r.tenant)
	require.NoError(r.t, err)
	return v
}

func (r *rig) restore(w *Worker, name string, backup []byte) error {
	b, err := w.Open(r.view(), r.tenant, backup)
	if err != nil {
		return err
	}
	defer b.Wipe()
	_, _, err = r.e.Restore(r.t.Context(), r.req(), name, b)
	return err
}

func TestAKeyThatWasDeletedComesBack(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	_, err := r.use(w, "a").Backup()
	requireKind(t, fault.Conflict, err, "trstctl transit wrapping-key")
	r.wrappingKey()
	_, err = r.rotate("a")
	require.NoError(t, err)
	token, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	backup, err := r.use(w, "a").Backup()
	require.NoError(t, err)
	_, err = r.rotate("a")
	require.NoError(t, err)
	uid := r.info("a").UID

	requireKind(t, fault.Conflict, r.restore(w, "b", backup), `as "a"`)
	requireKind(t, fault.Conflict, r.restore(w, "a", backup), "there is a transit key")
	require.NoError(t, r.configure("a", Change{Deletable: to(true)}))
	_, _, err = r.e.Delete(t.Context(), r.req(), "a")
	require.NoError(t, err)
	require.NoError(t, r.create("a", primitive.AES256GCM), "its name may go to another key")
	_, err = r.use(w, "a").Decrypt(nil, With{}, token)
	require.ErrorIs(t, err, primitive.ErrDecrypt)

	_, _, err = r.e.RotateWrapping(t.Context(), r.req())
	require.NoError(t, err, "older backups are opened still")
	require.NoError(t, r.restore(w, "b", backup))
	got, err := r.use(w, "b").Decrypt(nil, With{}, token)
	require.NoError(t, err)
	require.Equal(t, secret, got)
	require.Equal(t, uid, r.info("b").UID)
	require.Equal(t, []uint64{2, 1}, r.numbers("b"))
	require.NotZero(t, r.info("b").Restored)
	next, err := r.rotate("b")
	require.NoError(t, err)
	require.EqualValues(t, 4, next, "3 was another material's")
	requireKind(t, fault.Conflict, r.restore(w, "c", backup), `as "b"`)
}

// TestARestoredVersionMayHaveEncryptedMore than its backup knows of.
func TestARestoredVersionMayHaveEncryptedMore(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	r.wrappingKey()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	require.NoError(t, r.create("x", primitive.XChaCha20Poly1305))
	r.log.Must(t, acme, Reserved{"a", 1, 3 * block})
	for _, name := range []string{"a", "x"} {
		backup, err := r.use(w, name).Backup()
		require.NoError(t, err)
		require.NoError(t, r.configure(name, Change{Deletable: to(true)}))
		_, _, err = r.e.Delete(t.Context(), r.req(), name)
		require.NoError(t, err)
		require.NoError(t, r.restore(w, name, backup))
	}
	found, _, err := Versions(r.view(), acme, "a", 0, 1)
	require.NoError(t, err)
	require.EqualValues(t, rotateAt+3*block, found[0].Reserved)
	require.NoError(t, r.e.Rotator(discard).round(t.Context()))
	require.EqualValues(t, 2, r.info("a").Latest)
	require.EqualValues(t, 1, r.info("x").Latest, "its nonces are long")
}

func TestAKeyMovesToAnotherTenant(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	token, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	to2 := r.in(umbra).wrappingKey()
	_, err = r.use(w, "a").ExportTo(to2.Public)
	requireKind(t, fault.Conflict, err, "not exportable")
	_, _, err = r.use(w, "a").Export(0, primitive.Raw)
	requireKind(t, fault.Conflict, err, "not exportable")
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Exportable: to(true)}, true)
	require.NoError(t, err)
	moved, err := r.use(w, "a").ExportTo(to2.Public)
	require.NoError(t, err)

	r.wrappingKey()
	requireKind(t, fault.Invalid, r.restore(w, "b", moved), "another wrapping key than this tenant's")
	require.NoError(t, r.in(umbra).restore(w, "b", moved))
	got, err := r.in(umbra).use(w, "b").Decrypt(nil, With{}, token)
	require.NoError(t, err)
	require.Equal(t, secret, got)
	next, err := r.in(umbra).rotate("b")
	require.NoError(t, err)
	require.EqualValues(t, 1+jump+1, next, "where it comes from it goes on by itself")
	mine, _, err := r.use(w, "a").Export(1, primitive.Raw)
	require.NoError(t, err)
	theirs, _, err := r.in(umbra).use(w, "b").Export(1, primitive.Raw)
	require.NoError(t, err)
	require.Equal(t, mine, theirs)
}

func TestTwoRestoreTheSameKey(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	r.wrappingKey()
	require.NoError(t, r.create("a", primitive.Ed25519))
	backup, err := r.use(w, "a").Backup()
	require.NoError(t, err)
	require.NoError(t, r.configure("a", Change{Deletable: to(true)}))
	_, _, err = r.e.Delete(t.Context(), r.req(), "a")
	require.NoError(t, err)
	r.log.Before(func() { require.NoError(t, r.restore(w, "b", backup)) })
	requireKind(t, fault.Conflict, r.restore(w, "c", backup), `as "b"`)
}

func TestBackupsThatAreNone(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	public := r.wrappingKey().Public
	require.NoError(t, r.create("a", primitive.AES256GCM))
	good, err := r.use(w, "a").Backup()
	require.NoError(t, err)
	for _, at := range []int{0, 5, 40, len(good) - 1} {
		bad := append([]byte(nil), good...)
		bad[at] ^= 1
		requireKind(t, fault.Invalid, r.restore(w, "b", bad), "does not open")
	}
	requireKind(t, fault.Invalid, r.restore(w, "b", good[:20]), "does not open")
	for _, plain := range []string{"", "x", "\xa0", "\xa1\x01\x02"} { // whoever has the public key can make it say anything
		forged, err := primitive.SealTo(public, []byte(plain))
		require.NoError(t, err)
		requireKind(t, fault.Invalid, r.restore(w, "b", forged), "")
	}
}

func TestImportUnderTheWrappingKey(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	_, err := w.Unwrap(r.view(), acme, primitive.AES256GCM, 0, nil)
	requireKind(t, fault.Conflict, err, "wrapping-key")
	pem := pemOf(r.wrappingKey().Public)
	blob, err := primitive.WrapForImport(pem, 0, make([]byte, 32))
	require.NoError(t, err)
	k, err := w.Unwrap(r.view(), acme, primitive.AES256GCM, 0, blob)
	require.NoError(t, err)
	_, _, err = r.e.Import(context.Background(), r.req(), Spec{Name: "mine", Change: Change{Exportable: to(true)}}, k)
	require.NoError(t, err)
	got, _, err := r.use(w, "mine").Export(0, primitive.Raw)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), got)
	_, err = w.Unwrap(r.view(), acme, primitive.AES256GCM, 0, blob[:len(blob)-8])
	require.ErrorIs(t, err, primitive.ErrDecrypt)
	list, _, err := List(r.view(), acme, "", 10)
	require.NoError(t, err)
	require.Len(t, list, 1, "the wrapping key is no key of anybody's")
	_, err = Get(r.view(), acme, wrapping)
	requireKind(t, fault.Invalid, err, "")
	_, err = w.Use(r.view(), acme, wrapping)
	requireKind(t, fault.Invalid, err, "")
	_, err = r.rotate(wrapping)
	requireKind(t, fault.Invalid, err, "")
}
