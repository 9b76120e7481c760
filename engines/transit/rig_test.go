package transit

import (
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var (
	acme  = fsm.UID{1, 2, 3}
	umbra = fsm.UID{4, 5, 6}
	begin = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC)) // ahead of every wall clock, so that the log's time decides
)

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *fsmtest.Solo
	keys   *keyring.Keyring
	e      *Engine
}

func newRig(t testing.TB) *rig {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, keyring.Register, fsmtest.Agreeing, Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, tenant: acme, store: s, log: fsmtest.NewSolo(s, begin), keys: keyring.New(fsm.UID{9}, file)}
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.log.Must(t, fsm.RootTenant, events...)
	r.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: since})
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	for _, tenant := range []fsm.UID{acme, umbra} {
		events, err := r.keys.NewTenant(r.view(), tenant)
		require.NoError(t, err)
		r.log.Must(t, tenant, events...)
	}
	r.e = New(fsm.NewLedger(s, r.log), r.keys, r.log.Now)
	return r
}

// in is the same rig as another tenant sees it.
func (r *rig) in(tenant fsm.UID) *rig {
	c := *r
	c.tenant = tenant
	return &c
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

func (r *rig) req() fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: r.tenant, Actor: fsm.Actor{Identity: "ann"}}
}

func (r *rig) create(name string, a primitive.Algorithm) error {
	_, _, err := r.e.Create(r.t.Context(), r.req(), Spec{Name: name, Algorithm: a})
	return err
}

func (r *rig) rotate(name string) (uint64, error) {
	d, _, err := r.e.Rotate(r.t.Context(), r.req(), name)
	return d.Version, err
}

func (r *rig) configure(name string, c Change) error {
	_, _, err := r.e.Configure(r.t.Context(), r.req(), name, c, false)
	return err
}

func (r *rig) info(name string) Info {
	i, err := Get(r.view(), r.tenant, name)
	require.NoError(r.t, err)
	return i
}

// numbers are those of the versions that are there, newest first.
func (r *rig) numbers(name string) (all []uint64) {
	found, next, err := Versions(r.view(), r.tenant, name, 0, 100)
	require.NoError(r.t, err)
	require.Zero(r.t, next)
	for _, v := range found {
		all = append(all, v.Number)
	}
	return all
}

// material is a version's, opened.
func (r *rig) material(name string, number uint64) *primitive.Key {
	v := r.view()
	i, err := Get(v, r.tenant, name)
	require.NoError(r.t, err)
	row, found, err := versions.Get(v, fsm.K(r.tenant, i.UID, number))
	require.NoError(r.t, err)
	require.True(r.t, found)
	b, err := r.keys.Open(v, binding(r.tenant, i.UID, number), row.Material)
	require.NoError(r.t, err)
	k, err := primitive.Unmarshal(b)
	require.NoError(r.t, err)
	return k
}

func to[T any](v T) *T { return &v }

var discard = slog.New(slog.DiscardHandler)

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}) }
