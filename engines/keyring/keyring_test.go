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
}

func newRig(t *testing.T) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, store: s, kek: filepath.Join(t.TempDir(), "kek")}
	require.NoError(t, seal.Keygen(r.kek))
	r.keys = r.ring(cluster, r.kek)
	events, err := r.keys.Found(t.Context())
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

func TestARootKeyThatNobodyVouchesForIsRefused(t *testing.T) {
	r := newRig(t)
	forged, err := New(cluster, r.keys.seals...).Found(t.Context())
	require.NoError(t, err)
	e := forged[0].(RootAdded)
	root, err := r.keys.unwrap(t.Context(), e)
	require.NoError(t, err)
	e.Version = 2
	e.Wraps[0], err = r.keys.wrap(t.Context(), r.keys.seals[0], 2, root)
	require.NoError(t, err)
	e.Canary, err = sealed(cluster, fsm.KEKID{Version: 2}, root, canaryBinding(2), []byte(canaryText))
	require.NoError(t, err)
	good := e
	before, err := r.keys.root(1)
	require.NoError(t, err)
	v := voucher(before, good)
	good.MAC = v[:]
	e.MAC = make([]byte, 32)
	r.apply(fsm.RootTenant, e)
	require.ErrorContains(t, r.keys.Unseal(t.Context(), r.view()), "added by no one")
	r.apply(fsm.RootTenant, good)
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
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
			s, err := sealed(cluster, id, k, place, text)
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
