package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"sync/atomic"
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
	acme, umbra = fsm.UID{1, 2, 3}, fsm.UID{4, 5, 6}
	begin       = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC)) // ahead of every wall clock, so that the log's time decides
)

// granted and closed are the events of the fake leases.
type granted struct{ ID, Serial string }

func (granted) EventType() string     { return "test.lease.granted" }
func (e granted) EventStream() string { return "lease/" + e.ID }

type closed struct{ ID string }

func (closed) EventType() string     { return "test.lease.closed" }
func (e closed) EventStream() string { return "lease/" + e.ID }

var given = fsm.NewTable[granted]("test.lease") // key: tenant, id

func testFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e granted) error { return given.Put(tx, fsm.K(m.Tenant, e.ID), e) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e closed) error { return given.Delete(tx, fsm.K(m.Tenant, e.ID)) })
}

// shelf keeps leases, as engines/lease does.
type shelf struct {
	drawn, taken atomic.Int32
	dead         atomic.Bool // the holder
}

func (s *shelf) NewID(role string) string {
	return "pki/" + role + "/" + string(rune('a'+s.drawn.Add(1)))
}

func (s *shelf) Reserve(_ fsm.Reader, _ fsm.UID, _ string, _ Holder, most uint64) (func(), error) {
	if most == 1 {
		return nil, fault.New(fault.Limit, "full")
	}
	s.taken.Add(1)
	return func() { s.taken.Add(-1) }, nil
}

func (s *shelf) Grant(_ *fsm.View, entry *fsm.Entry, t Terms) (fsm.Time, error) {
	if s.dead.Load() {
		return 0, fault.New(fault.Denied, "the token that asked for it is dead")
	}
	entry.Add(granted{t.ID, t.Serial})
	return t.Until, nil
}

func (s *shelf) Close(_ *fsm.View, entry *fsm.Entry, id string) error {
	entry.Add(closed{id})
	return nil
}

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *fsmtest.Solo
	keys   *keyring.Keyring
	leases *shelf
	e      *Engine
}

func newRig(t testing.TB) *rig {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, keyring.Register, fsmtest.Agreeing, Register, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, tenant: acme, store: s, log: fsmtest.NewSolo(s, begin), keys: keyring.New(fsm.UID{9}, file), leases: &shelf{}}
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
	r.e = r.node()
	return r
}

// node is an engine of another node with the same state.
func (r *rig) node() *Engine {
	return New(Options{Ledger: fsm.NewLedger(r.store, r.log), Keys: r.keys, Leases: r.leases, Now: r.log.Now, Log: slog.New(slog.DiscardHandler)})
}

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

// keyed is a request that may be repeated.
func (r *rig) keyed(key string) fsm.Request {
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{}
	copy(req.Receipt.Key[:], key)
	return req
}

func (r *rig) root(name string) Issuer {
	r.t.Helper()
	i, _, err := r.e.MakeIssuer(r.t.Context(), r.req(), Plan{Name: name, Kind: Root, Subject: Subject{CommonName: "Example " + name, Organization: "Example", Country: "CH"}, Settings: Settings{URL: "http://pki.example:8280"}})
	require.NoError(r.t, err)
	return i
}

func (r *rig) intermediate(name, parent string) Issuer {
	r.t.Helper()
	i, _, err := r.e.MakeIssuer(r.t.Context(), r.req(), Plan{Name: name, Kind: Intermediate, Parent: parent, Subject: Subject{CommonName: "Example " + name}, Settings: Settings{URL: "http://pki.example:8280"}})
	require.NoError(r.t, err)
	return i
}

func (r *rig) role(role Role) {
	r.t.Helper()
	_, _, err := r.e.WriteRole(r.t.Context(), r.req(), role)
	require.NoError(r.t, err)
}

// ready has a root, an intermediate that issues, and a role for hosts below example.com.
func ready(t testing.TB) *rig {
	r := newRig(t)
	r.root("root")
	r.intermediate("web", "root")
	r.role(Role{Name: "hosts", Issuer: "web", Domains: []string{"**.example.com", "example.com"}, Wildcards: true, Networks: []string{"10.0.0.0/8"}})
	return r
}

func (r *rig) holder() Holder { return Holder{r.tenant, "acc_1", "ann"} }

func (r *rig) issue(o Order) (Certificate, error) {
	o.Holder = r.holder()
	c, _, err := r.e.Issue(r.t.Context(), r.req(), o)
	return c, err
}

func (r *rig) issued(o Order) Certificate {
	r.t.Helper()
	c, err := r.issue(o)
	require.NoError(r.t, err)
	return c
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// verify has a client that trusts anchor alone accept a certificate with its chain.
func (r *rig) verify(der []byte, chain [][]byte, anchor []byte) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(parse(r.t, anchor))
	for _, c := range chain {
		between.AddCert(parse(r.t, c))
	}
	_, err := parse(r.t, der).Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: r.log.Now().Std(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

var requestTemplate = x509.CertificateRequest{DNSNames: []string{"a.example.com"}}

func request509(t testing.TB, template x509.CertificateRequest) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
