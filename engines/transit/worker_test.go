package transit

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// worker is one node's; reserved counts what it asks the leader for.
func (r *rig) worker() (w *Worker, reserved *int) {
	reserved = new(int)
	return NewWorker(r.keys, func(ctx context.Context, tenant fsm.UID, name string, version uint64) error {
		*reserved++
		_, err := r.e.Reserve(ctx, r.in(tenant).req(), name, version)
		return err
	}), reserved
}

// use is a key as it is now.
func (r *rig) use(w *Worker, name string) *Use {
	u, err := w.Use(r.view(), r.tenant, name)
	require.NoError(r.t, err)
	r.t.Cleanup(u.Close)
	return u
}

var secret = []byte("attack at dawn")

func TestWhatOneNodeEncryptsEveryNodeDecrypts(t *testing.T) {
	r := newRig(t)
	one, _ := r.worker()
	two, _ := r.worker()
	for _, a := range []primitive.Algorithm{primitive.AES256GCM, primitive.AES128GCM, primitive.ChaCha20Poly1305, primitive.XChaCha20Poly1305, primitive.RSA2048} {
		require.NoError(t, r.create(a.String(), a))
		with := With{Associated: []byte("row 7")}
		token, err := r.use(one, a.String()).Encrypt(t.Context(), []byte("> "), 0, with, secret)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(token, []byte("> trv:1:")))
		got, err := r.use(two, a.String()).Decrypt(nil, with, token[2:])
		require.NoError(t, err)
		require.Equal(t, secret, got)
		_, err = r.use(two, a.String()).Decrypt(nil, With{Associated: []byte("row 8")}, token[2:])
		require.ErrorIs(t, err, primitive.ErrDecrypt)
	}
}

func TestACiphertextOpensUnderItsKeyAlone(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	require.NoError(t, r.create("b", primitive.AES256GCM))
	require.NoError(t, r.in(umbra).create("a", primitive.AES256GCM))
	token, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	for _, u := range []*Use{r.use(w, "b"), r.in(umbra).use(w, "a")} {
		_, err := u.Decrypt(nil, With{}, token)
		require.ErrorIs(t, err, primitive.ErrDecrypt)
	}
	// nor when another tenant has come by the material: what binds is in the ciphertext
	uid := r.info("a").UID
	v := r.view()
	row, _, err := versions.Get(v, fsm.K(acme, uid, uint64(1)))
	require.NoError(t, err)
	b, err := r.keys.Open(v, binding(acme, uid, 1), row.Material)
	require.NoError(t, err)
	stolen, err := primitive.Unmarshal(b)
	require.NoError(t, err)
	m, err := materialOf(stolen)
	require.NoError(t, err)
	sealed, err := r.keys.Seal(v, binding(umbra, uid, 1), m.secret)
	require.NoError(t, err)
	r.log.Must(t, umbra, KeyCreated{Name: "stolen", UID: uid, Algorithm: "aes256-gcm", Origin: umbra}, VersionAdded{Name: "stolen", UID: uid, Version: 1, Material: sealed})
	_, err = r.in(umbra).use(w, "stolen").Decrypt(nil, With{}, token)
	require.ErrorIs(t, err, primitive.ErrDecrypt)
}

// TestAVersionThatIsGoneIsRefusedByAnyState that has it gone, although it is still unwrapped.
func TestAVersionThatIsGoneIsRefusedByAnyState(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	first, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	before := r.use(w, "a")
	_, err = r.rotate("a")
	require.NoError(t, err)
	second, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	require.Contains(t, string(second), "trv:2:")
	_, err = before.Decrypt(nil, With{}, second)
	require.ErrorIs(t, err, primitive.ErrDecrypt, "a state before the rotation knows nothing of it")
	old, err := r.use(w, "a").Encrypt(t.Context(), nil, 1, With{}, secret)
	require.NoError(t, err, "until it is said otherwise")
	require.Contains(t, string(old), "trv:1:")

	require.NoError(t, r.configure("a", Change{MinDecrypt: to[uint64](2)}))
	_, err = r.use(w, "a").Decrypt(nil, With{}, first)
	require.ErrorIs(t, err, primitive.ErrDecrypt)
	_, err = r.use(w, "a").Encrypt(t.Context(), nil, 1, With{}, secret)
	requireKind(t, fault.Invalid, err, "from 2 to 2")
	require.NoError(t, r.configure("a", Change{MinDecrypt: to[uint64](1)}))
	_, err = r.use(w, "a").Decrypt(nil, With{}, first)
	require.NoError(t, err, "the version is still there")
	again, err := r.use(w, "a").Rewrap(t.Context(), nil, 0, With{}, first)
	require.NoError(t, err)
	require.Contains(t, string(again), "trv:2:")

	require.NoError(t, r.configure("a", Change{MinDecrypt: to[uint64](2), Deletable: to(true)}))
	_, _, err = r.e.Trim(t.Context(), r.req(), "a", 2)
	require.NoError(t, err)
	require.NoError(t, r.configure("a", Change{MinDecrypt: to[uint64](2)}))
	_, err = r.use(w, "a").Decrypt(nil, With{}, first)
	require.ErrorIs(t, err, primitive.ErrDecrypt)
	got, err := r.use(w, "a").Decrypt(nil, With{}, again)
	require.NoError(t, err)
	require.Equal(t, secret, got)
	require.Len(t, w.ring.places(), 2)
	require.NoError(t, w.Refresh(r.view()))
	require.Equal(t, map[place]uint64{{acme, r.info("a").UID, 2}: 2}, w.ring.places())
	_, err = r.rotate("a")
	require.NoError(t, err)
	require.NoError(t, w.Refresh(r.view()))
	require.Empty(t, w.ring.places(), "what was rotated is dropped, and taken up again when it is used")

	_, _, err = r.e.Delete(t.Context(), r.req(), "a")
	require.NoError(t, err)
	_, err = w.Use(r.view(), acme, "a")
	requireKind(t, fault.NotFound, err, "no transit key")
	w.Wipe()
	require.Empty(t, w.ring.places())
}

func TestDerivedAndConvergent(t *testing.T) {
	r := newRig(t)
	w, reserved := r.worker()
	_, _, err := r.e.Create(t.Context(), r.req(), Spec{Name: "a", Algorithm: primitive.AES256GCM, Derived: true, Convergent: true})
	require.NoError(t, err)
	encrypt := func(derivation, associated string) string {
		token, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{[]byte(associated), []byte(derivation), 0}, secret)
		require.NoError(t, err)
		return string(token)
	}
	require.Equal(t, encrypt("user 1", ""), encrypt("user 1", ""))
	require.NotEqual(t, encrypt("user 1", ""), encrypt("user 2", ""))
	require.NotEqual(t, encrypt("user 1", ""), encrypt("user 1", "x"))
	require.Zero(t, *reserved, "nonces that are made of the message are not counted")
	_, err = r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	requireKind(t, fault.Invalid, err, "needs a context")
}

func TestMessagesAreCountedByTheBlock(t *testing.T) {
	r := newRig(t)
	one, asked := r.worker()
	two, askedToo := r.worker()
	require.NoError(t, r.create("a", primitive.AES256GCM))
	for range 50 {
		for _, w := range []*Worker{one, two} {
			_, err := r.use(w, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
			require.NoError(t, err)
		}
	}
	require.Equal(t, [2]int{1, 1}, [2]int{*asked, *askedToo})
	found, _, err := Versions(r.view(), acme, "a", 0, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2*block, found[0].Reserved)
	require.EqualValues(t, block-50, one.allowed.left[place{acme, r.info("a").UID, 1}])

	down := NewWorker(r.keys, func(context.Context, fsm.UID, string, uint64) error { return errors.New("there is no leader") })
	_, err = r.use(down, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.ErrorContains(t, err, "no leader", "what is not reserved is not encrypted")
	token, err := r.use(one, "a").Encrypt(t.Context(), nil, 0, With{}, secret)
	require.NoError(t, err)
	_, err = r.use(down, "a").Decrypt(nil, With{}, token)
	require.NoError(t, err, "to decrypt takes nothing of it")
}

func TestDataKeys(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("a", primitive.XChaCha20Poly1305))
	require.NoError(t, r.create("kem", primitive.MLKEM768))
	key, token, err := r.use(w, "a").DataKey(t.Context(), 0, With{}, 32)
	require.NoError(t, err)
	got, err := r.use(w, "a").Decrypt(nil, With{}, token)
	require.NoError(t, err)
	require.Equal(t, key, got)
	key, token, err = r.use(w, "kem").DataKey(t.Context(), 0, With{Associated: []byte("x")}, 32)
	require.NoError(t, err)
	got, err = r.use(w, "kem").Decapsulate(With{Associated: []byte("x")}, 32, token)
	require.NoError(t, err)
	require.Equal(t, key, got)
	_, err = r.use(w, "kem").Decapsulate(With{}, 32, token)
	require.ErrorIs(t, err, primitive.ErrDecrypt)
	_, _, err = r.use(w, "a").DataKey(t.Context(), 0, With{}, 8)
	requireKind(t, fault.Invalid, err, "128 to 512 bits")
}

func TestSignaturesAndMACsNameTheirVersion(t *testing.T) {
	r := newRig(t)
	w, _ := r.worker()
	require.NoError(t, r.create("sign", primitive.Ed25519))
	require.NoError(t, r.create("other", primitive.Ed25519))
	require.NoError(t, r.create("mac", primitive.HMACSHA256))
	verify := func(name string, input, token []byte) bool {
		good, err := r.use(w, name).Verify(primitive.Signing{}, input, token)
		require.NoError(t, err)
		return good
	}
	signature, err := r.use(w, "sign").Sign(nil, 0, primitive.Signing{}, secret)
	require.NoError(t, err)
	require.True(t, verify("sign", secret, signature))
	require.False(t, verify("sign", []byte("attack at noon"), signature))
	require.False(t, verify("other", secret, signature), "the key is the one that was named")
	mac, err := r.use(w, "mac").MAC(nil, 0, 0, secret)
	require.NoError(t, err)
	check := func(token []byte) bool {
		good, err := r.use(w, "mac").VerifyMAC(0, secret, token)
		require.NoError(t, err)
		return good
	}
	require.True(t, check(mac))
	for _, name := range []string{"sign", "mac"} {
		_, err = r.rotate(name)
		require.NoError(t, err)
	}
	require.True(t, verify("sign", secret, signature))
	require.False(t, verify("sign", secret, bytes.Replace(signature, []byte("trv:1:"), []byte("trv:2:"), 1)))
	require.True(t, check(mac))
	for _, name := range []string{"sign", "mac"} {
		require.NoError(t, r.configure(name, Change{MinDecrypt: to[uint64](2)}))
	}
	require.False(t, verify("sign", secret, signature))
	require.False(t, check(mac))
	_, err = r.use(w, "sign").Encrypt(t.Context(), nil, 0, With{}, secret)
	requireKind(t, fault.Invalid, err, "cannot encrypt")
}
