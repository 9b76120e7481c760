package managedkey

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var (
	acme  = fsm.UID{1, 2, 3}
	umbra = fsm.UID{4, 5, 6}
	begin = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC)) // ahead of every wall clock, so that the log's time decides
)

const secret = "0123456789abcdef0123456789ABCDEF"

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *fsmtest.Solo
	keys   *keyring.Keyring
	e      *Engine
	ids    *byte
}

func newRig(t testing.TB) *rig {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, keyring.Register, fsmtest.Agreeing, Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, tenant: acme, store: s, log: fsmtest.NewSolo(s, begin), keys: keyring.New(fsm.UID{9}, file), ids: new(byte)}
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

// stage reads the present state.
func (r *rig) stage() *Stage { return r.e.View(r.view(), r.tenant) }

func (r *rig) req() fsm.Request {
	*r.ids++
	return fsm.Request{ID: fsm.UID{*r.ids, 7}, Tenant: r.tenant, Actor: fsm.Actor{Identity: "ann"}}
}

// commit carries operations out as one batch.
func (r *rig) commit(f func(*Stage) error) error {
	_, err := r.e.Commit(r.t.Context(), r.req(), f)
	return err
}

func (r *rig) must(f func(*Stage) error) {
	r.t.Helper()
	require.NoError(r.t, r.commit(f))
}

// key describes a symmetric key with attributes.
func key(values ...Value) Spec {
	return Spec{Type: SymmetricKey, Owner: "client-1", Material: []byte(secret), Key: Key{Format: RawFormat, Algorithm: AES, Length: 256}, Attributes: values}
}

func name(s string) Value { return Value{AttrName, Name{s, TextName}} }

// make registers an object and returns its id.
func (r *rig) make(s Spec) (id string) {
	r.t.Helper()
	r.must(func(st *Stage) (err error) {
		id, err = st.Register(s)
		return err
	})
	return id
}

func (r *rig) object(id string) Object {
	r.t.Helper()
	o, err := r.stage().Object(id)
	require.NoError(r.t, err)
	return o
}

func (r *rig) state(id string) State {
	o := r.object(id)
	return o.StateAt(r.log.Now())
}

// values are those of an attribute.
func (r *rig) values(id string, a Attribute) (out []any) {
	r.t.Helper()
	all, err := r.stage().Attribute(id, a)
	require.NoError(r.t, err)
	for _, i := range all {
		out = append(out, i.Value)
	}
	return out
}

func (r *rig) locate(q Query) []string {
	r.t.Helper()
	f, err := r.stage().Locate(r.t.Context(), q)
	require.NoError(r.t, err)
	return f.IDs
}

func (r *rig) named(s string) []string { return r.locate(Query{Match: []Value{name(s)}}) }

func requireReason(t testing.TB, want Reason, k fault.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, ReasonOf(err), "%v", err)
	require.Equal(t, k, fault.KindOf(err), "%v", err)
	require.NotContains(t, err.Error(), secret)
}

func to[T any](v T) *T { return &v }
