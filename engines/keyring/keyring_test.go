package keyring

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var (
	cluster = fsm.UID{9, 9}
	acme    = fsm.UID{1, 2, 3}
	umbra   = fsm.UID{4, 5, 6}
)

// rig is a keyring over a real store.
type rig struct {
	t     *testing.T
	store *fsm.Store
	kek   string
	keys  *Keyring
	index uint64

	entries []*fsm.Entry // that were applied
}

func newRig(t *testing.T) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register, testEvents, keptEvents), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, store: s, kek: filepath.Join(t.TempDir(), "kek")}
	require.NoError(t, seal.Keygen(r.kek))
	r.keys = r.ring(cluster, r.kek)
	events, _, err := r.keys.Found(t.Context(), r.view(), People{})
	require.NoError(t, err)
	r.apply(fsm.RootTenant, events...)
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	for _, tenant := range []fsm.UID{fsm.RootTenant, acme, umbra} {
		events, err := r.keys.NewTenant(r.view(), tenant)
		require.NoError(t, err)
		r.apply(tenant, events...)
	}
	return r
}

func (r *rig) ring(cluster fsm.UID, path string) *Keyring {
	s, err := seal.OpenFile(path)
	require.NoError(r.t, err)
	return New(cluster, s)
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { v.Close() })
	return v
}

func (r *rig) apply(tenant fsm.UID, events ...fsm.Event) {
	e := &fsm.Entry{Tenant: tenant}
	e.Add(events...)
	r.entries = append(r.entries, e)
	raw, err := e.Marshal()
	require.NoError(r.t, err)
	var b fsm.Batch
	b.Add(raw)
	r.index++
	out, ok := r.store.FSM().Apply(&raft.Log{Index: r.index, Term: 1, Data: b.Marshal(1, fsm.Time(r.index))}).([]fsm.Outcome)
	require.True(r.t, ok)
	require.NoError(r.t, out[0].Err)
}

var place = fsm.Binding{Tenant: acme, Feature: "secret", Field: "value", Path: "db/password", Version: 3}

func TestAValueOpensAtItsPlaceOnly(t *testing.T) {
	r := newRig(t)
	s, err := r.keys.Seal(r.view(), place, []byte("hunter2"))
	require.NoError(t, err)
	got, err := r.keys.Open(r.view(), place, s)
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(got))

	elsewhere := map[string]func(*fsm.Binding){
		"tenant":  func(b *fsm.Binding) { b.Tenant = umbra },
		"feature": func(b *fsm.Binding) { b.Feature = "secretv" },
		"field":   func(b *fsm.Binding) { b.Field = "alue" },
		"path":    func(b *fsm.Binding) { b.Path = "db/passwore" },
		"version": func(b *fsm.Binding) { b.Version = 4 },
	}
	for name, move := range elsewhere {
		b := place
		move(&b)
		_, err := r.keys.Open(r.view(), b, s)
		require.True(t, fault.Is(err, fault.Corrupt), name)
	}
	other := r.ring(fsm.UID{8}, r.kek)
	require.True(t, fault.Is(other.Unseal(t.Context(), r.view()), fault.Corrupt), "another cluster with the same seal")
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	r := newRig(t)
	s, err := r.keys.Seal(r.view(), place, []byte("x"))
	require.NoError(t, err)
	for i := range s.Bytes() {
		blob := append([]byte(nil), s.Bytes()...)
		blob[i] ^= 1
		bad, err := fsm.NewSealed(blob)
		if err != nil {
			continue // the format byte
		}
		_, err = r.keys.Open(r.view(), place, bad)
		require.Error(t, err, "byte %d", i)
	}
}

func TestAnotherNodeUnsealsFromItsOwnState(t *testing.T) {
	r := newRig(t)
	s, err := r.keys.Seal(r.view(), place, []byte("x"))
	require.NoError(t, err)
	other := r.ring(cluster, r.kek)
	require.False(t, other.Unsealed())
	_, err = other.Open(r.view(), place, s)
	require.True(t, fault.Is(err, fault.Sealed))
	require.NoError(t, other.Unseal(t.Context(), r.view()))
	got, err := other.Open(r.view(), place, s)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
	nonce := make([]byte, 32)
	a, err := r.keys.Prove(nonce, []byte("n2"))
	require.NoError(t, err)
	b, err := other.Prove(nonce, []byte("n2"))
	require.NoError(t, err)
	require.Equal(t, a, b)
	other.Close()
	require.False(t, other.Unsealed())
	_, err = other.Seal(r.view(), place, nil)
	require.True(t, fault.Is(err, fault.Sealed))
}

func TestAWrongKeyFileIsNamed(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(path))
	k := r.ring(cluster, path)
	err := k.Unseal(t.Context(), r.view())
	require.True(t, fault.Is(err, fault.Corrupt))
	require.ErrorContains(t, err, path)
	require.False(t, k.Unsealed())
}

func TestAnEmptyStateIsSealedNotWrong(t *testing.T) {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register), fsm.Options{})
	require.NoError(t, err)
	defer s.Close()
	v, err := s.View()
	require.NoError(t, err)
	defer v.Close()
	require.True(t, fault.Is(New(cluster).Unseal(t.Context(), v), fault.Sealed))
}

// second is a version 2 of the root KEK, vouched for by whoever has version 1, and its key.
func (r *rig) second() (RootAdded, *key) {
	root, e := newKey(), RootAdded{Version: 2}
	w, err := r.keys.wrap(r.t.Context(), r.keys.seals[0], 2, root)
	require.NoError(r.t, err)
	e.Wraps = []Wrap{w}
	e.Canary, err = sealed(cluster, 1, fsm.KEKID{Version: 2}, root, canaryBinding(2), []byte(canaryText))
	require.NoError(r.t, err)
	before, err := r.keys.root(r.view(), 1)
	require.NoError(r.t, err)
	v := voucher(before, root, e)
	e.MAC = v[:]
	return e, root
}

func TestARootKeyThatNobodyVouchesForIsRefused(t *testing.T) {
	r := newRig(t)
	good, _ := r.second()
	forged := good
	forged.MAC = make([]byte, 32)
	r.apply(fsm.RootTenant, forged)
	require.ErrorContains(t, r.keys.Unseal(t.Context(), r.view()), "added by no one")
	r.apply(fsm.RootTenant, good)
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
}

// TestAVoucherIsForOneKey wraps the DEK of a vouched canary under another root key: the canary's digest stays the same.
func TestAVoucherIsForOneKey(t *testing.T) {
	r := newRig(t)
	good, root := r.second()
	forged, other, id := good, newKey(), fsm.KEKID{Version: 2}
	w, err := r.keys.wrap(t.Context(), r.keys.seals[0], 2, other)
	require.NoError(t, err)
	forged.Wraps = []Wrap{w}
	blob := append([]byte(nil), good.Canary.Bytes()...)
	context := contextOf(cluster, 1, canaryBinding(2), &id)
	from, err := wrapper(root, blob[saltAt:wrapAt], context)
	require.NoError(t, err)
	dek, err := from.Open(nil, make([]byte, 12), blob[wrapAt:fsm.SealedNonceAt], context)
	require.NoError(t, err)
	to, err := wrapper(other, blob[saltAt:wrapAt], context)
	require.NoError(t, err)
	copy(blob[wrapAt:], to.Seal(nil, make([]byte, 12), dek, context))
	forged.Canary, err = fsm.NewSealed(blob)
	require.NoError(t, err)
	a, err := fsm.Encode(good.Canary)
	require.NoError(t, err)
	b, err := fsm.Encode(forged.Canary)
	require.NoError(t, err)
	require.Equal(t, a, b)
	r.apply(fsm.RootTenant, forged)
	require.ErrorContains(t, r.keys.Unseal(t.Context(), r.view()), "added by no one")
}

// TestAWrappedRootKeyStandsBesideItsRecord: who reads the audit does not get it, and it can be destroyed.
func TestAWrappedRootKeyStandsBesideItsRecord(t *testing.T) {
	r := newRig(t)
	row, found, err := roots.Get(r.view(), fsm.K(uint64(1)))
	require.NoError(t, err)
	require.True(t, found)
	wrap, found, err := fsm.Load(r.view(), row.Wraps[0].Key)
	require.NoError(t, err)
	require.True(t, found)
	require.True(t, wrap.IsWrap())
	require.Equal(t, fsm.KEKID{}, wrap.KEK())
	require.NoError(t, fsm.History(r.view(), 0, false, func(rec fsm.Record) (bool, error) {
		for _, e := range rec.Events {
			require.NotContains(t, string(e.Data), string(wrap.Bytes()[1:17]), e.Type)
		}
		return true, nil
	}))
	_, err = r.keys.Open(r.view(), place, wrap)
	require.True(t, fault.Is(err, fault.Corrupt), "a wrap is not a value: %v", err)
	_, err = open(cluster, newKey(), place, wrap)
	require.ErrorIs(t, err, errOpen)

	r.apply(fsm.RootTenant, wrapDestroyed{1, 0})
	require.True(t, fault.Is(r.keys.Unseal(t.Context(), r.view()), fault.Sealed))
	_, err = fsm.VerifyChain(t.Context(), r.view())
	require.NoError(t, err, "the chain stays whole")
}

// TestADestroyedWrapIsPassedOver: a seal that was removed is not asked, the others open the root key.
func TestADestroyedWrapIsPassedOver(t *testing.T) {
	r := newRig(t)
	e, root := r.second()
	again, err := r.keys.wrap(t.Context(), r.keys.seals[0], 2, root)
	require.NoError(t, err)
	e.Wraps = []Wrap{e.Wraps[0], again}
	r.apply(fsm.RootTenant, e)
	r.apply(fsm.RootTenant, wrapDestroyed{2, 0})
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
}

func TestAWrapThatIsSomethingElseIsNamed(t *testing.T) {
	r := newRig(t)
	e, _ := r.second()
	swapped := e
	swapped.Wraps = []Wrap{{e.Wraps[0].Seal, e.Canary}}
	r.apply(fsm.RootTenant, swapped)
	err := r.keys.Unseal(t.Context(), r.view())
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	require.ErrorContains(t, err, "something else")
	swapped = e
	swapped.Canary = e.Wraps[0].Key
	r.apply(fsm.RootTenant, swapped)
	require.True(t, fault.Is(r.keys.Unseal(t.Context(), r.view()), fault.Corrupt))
}

// TestKeysOfADeletedTenantAreZeroed, those of others stay.
func TestKeysOfADeletedTenantAreZeroed(t *testing.T) {
	r := newRig(t)
	for _, lookUp := range map[string]func() error{
		"seal": func() error { _, err := r.keys.Seal(r.view(), place, nil); return err },
		"mac":  func() error { _, err := r.keys.MAC(r.view(), acme, "p"); return err },
	} {
		old := r.view()
		_, err := r.keys.MAC(old, umbra, "p")
		require.NoError(t, err)
		_, err = r.keys.MAC(old, acme, "p")
		require.NoError(t, err)
		id := fsm.KEKID{Scope: acme, Version: 1}
		kek, err := r.keys.kek(old, id)
		require.NoError(t, err)
		row, _, err := tenants.Get(old, fsm.K(acme))
		require.NoError(t, err)
		m, err := r.keys.macKey(old, acme, row.MAC)
		require.NoError(t, err)
		r.apply(acme, TenantKeysDestroyed{})
		require.True(t, fault.Is(lookUp(), fault.NotFound))
		require.Equal(t, key{}, *kek)
		require.Equal(t, key{}, m.key)
		require.Len(t, r.keys.tenants, 1)
		require.Len(t, r.keys.macs, 1)
		_, err = r.keys.sealUnder(1, id, kek, place, []byte("x"))
		require.True(t, fault.Is(err, fault.NotFound), "nothing is sealed under a zeroed key: %v", err)
		events, err := r.keys.NewTenant(r.view(), acme)
		require.NoError(t, err)
		r.apply(acme, events...)
	}
}

// TestAnUnsealThatFailsKeepsNoRoot has version 1 opened when version 2 turns out to be forged.
func TestAnUnsealThatFailsKeepsNoRoot(t *testing.T) {
	r := newRig(t)
	e, _ := r.second()
	e.MAC = make([]byte, 32)
	r.apply(fsm.RootTenant, e)
	opened := map[uint32]*key{}
	_, err := r.keys.openRoots(t.Context(), r.view(), opened, nil)
	require.ErrorContains(t, err, "added by no one")
	require.Len(t, opened, 2, "Unseal has both to zero")
	k := New(cluster, r.keys.seals...)
	require.Error(t, k.Unseal(t.Context(), r.view()))
	require.False(t, k.Unsealed())
	require.Empty(t, k.roots)
}

// wrapDestroyed ends one wrap of a root KEK, as the removal of a seal will.
type wrapDestroyed struct{ Version, Wrap uint64 }

func (wrapDestroyed) EventType() string   { return "test.wrap.destroyed" }
func (wrapDestroyed) EventStream() string { return "wrap" }

func testEvents(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e wrapDestroyed) error {
		row, _, err := roots.Get(tx, fsm.K(e.Version))
		if err != nil || e.Wrap >= uint64(len(row.Wraps)) {
			return err
		}
		return tx.Destroy(row.Wraps[e.Wrap].Key)
	})
}

func TestADroppedTenantIsUnreadableAtOnce(t *testing.T) {
	r := newRig(t)
	s, err := r.keys.Seal(r.view(), place, []byte("x"))
	require.NoError(t, err)
	old := r.view()
	events, err := r.keys.DropTenant(r.view(), acme)
	require.NoError(t, err)
	r.apply(acme, events...)
	_, err = r.keys.Open(r.view(), place, s)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	_, err = r.keys.Seal(r.view(), place, []byte("y"))
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = r.keys.MAC(r.view(), acme, "p")
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = r.keys.Open(old, place, s)
	require.NoError(t, err, "a view from before still has it")
	_, err = fsm.VerifyChain(t.Context(), r.view())
	require.NoError(t, err)
}

func TestMACsDifferByTenantPurposeAndParts(t *testing.T) {
	r := newRig(t)
	seen := map[[32]byte]string{}
	for name, f := range map[string]func() ([32]byte, error){
		"acme":    func() ([32]byte, error) { return r.keys.MAC(r.view(), acme, "p", []byte("ab"), []byte("c")) },
		"umbra":   func() ([32]byte, error) { return r.keys.MAC(r.view(), umbra, "p", []byte("ab"), []byte("c")) },
		"purpose": func() ([32]byte, error) { return r.keys.MAC(r.view(), acme, "q", []byte("ab"), []byte("c")) },
		"split":   func() ([32]byte, error) { return r.keys.MAC(r.view(), acme, "p", []byte("a"), []byte("bc")) },
	} {
		m, err := f()
		require.NoError(t, err)
		require.Empty(t, seen[m], name)
		seen[m] = name
		again, err := f()
		require.NoError(t, err)
		require.Equal(t, m, again)
	}
}

func TestAnAnswerNeedsItsIdempotencyKey(t *testing.T) {
	r := newRig(t)
	s, err := r.keys.SealAnswer(r.view(), place, "key-1", []byte("token"))
	require.NoError(t, err)
	got, err := r.keys.OpenAnswer(r.view(), place, "key-1", s)
	require.NoError(t, err)
	require.Equal(t, "token", string(got))
	_, err = r.keys.OpenAnswer(r.view(), place, "key-2", s)
	require.True(t, fault.Is(err, fault.Denied))
}

// TestTheContextIsFixed holds the associated data to its format: what it makes is on disks for ever.
func TestTheContextIsFixed(t *testing.T) {
	id := fsm.KEKID{Scope: acme, Version: 7}
	require.Equal(t, "0000000101"+
		"0000001009090000000000000000000000000000"+
		"0000000400000001"+
		"0000001001020300000000000000000000000000"+
		"000000140102030000000000000000000000000000000007"+
		"00000006736563726574"+"0000000576616c7565"+"0000000b64622f70617373776f7264"+"000000080000000000000003",
		hex.EncodeToString(contextOf(cluster, 1, place, &id)))
	require.NotContains(t, string(contextOf(cluster, 1, place, nil)), "\x00\x00\x00\x14")
	require.Equal(t, acme, id.Scope, "the id is not written to")
}

func TestKeysShowNothing(t *testing.T) {
	k := newKey()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Equal(t, "[redacted]", fmt.Sprintf(verb, k))
	}
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(b))
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t)
	v := r.view()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 50 {
				b := place
				b.Version = uint64(i)
				s, err := r.keys.Seal(v, b, []byte("x"))
				if err == nil {
					_, err = r.keys.Open(v, b, s)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSealOpen(b *testing.B) {
	k, id := newKey(), fsm.KEKID{Scope: acme, Version: 1}
	text := make([]byte, 1024)
	b.Run("envelope", func(b *testing.B) {
		for b.Loop() {
			s, err := sealed(cluster, 1, id, k, place, text)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := open(cluster, k, place, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare AES-GCM", func(b *testing.B) {
		aead, err := gcm(k[:])
		if err != nil {
			b.Fatal(err)
		}
		nonce := make([]byte, 12)
		for b.Loop() {
			if _, err := aead.Open(nil, nonce, aead.Seal(nil, nonce, text, nil), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
