package kmipclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
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

// open are tenants that are in use, unless they are listed.
type open map[fsm.UID]bool

func (o open) Active(_ fsm.Reader, tenant fsm.UID) (bool, error) { return !o[tenant], nil }

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *fsmtest.Solo
	keys   *keyring.Keyring
	ledger *fsm.Ledger
	closed open
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
	r := &rig{t: t, tenant: acme, store: s, log: fsmtest.NewSolo(s, begin), keys: keyring.New(fsm.UID{9}, file), closed: open{}}
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.log.Must(t, fsm.RootTenant, events...)
	r.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: since})
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	for _, tenant := range []fsm.UID{fsm.RootTenant, acme, umbra} {
		events, err := r.keys.NewTenant(r.view(), tenant)
		require.NoError(t, err)
		r.log.Must(t, tenant, events...)
	}
	r.ledger = fsm.NewLedger(s, r.log, fsm.WithClock(func() time.Time { return r.log.Now().Std() }))
	r.e = New(r.ledger, r.keys, r.closed, r.log.Now)
	return r
}

// withCAs is a rig whose two tenants have client CAs, with keys that are made quickly.
func withCAs(t testing.TB) *rig {
	r := newRig(t)
	for _, tenant := range []fsm.UID{acme, umbra} {
		_, _, err := r.e.InitCA(t.Context(), r.in(tenant).req(), P256)
		require.NoError(t, err)
	}
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

func (r *rig) try(n Enrolment) (Issued, error) {
	out, _, err := r.e.Enrol(r.t.Context(), r.req(), n, "")
	return out, err
}

func (r *rig) enrol(name string, by Source) Issued {
	r.t.Helper()
	out, err := r.try(Enrolment{Name: name, By: by})
	require.NoError(r.t, err)
	return out
}

func (r *rig) renew(name string, by Source, overlap *time.Duration) (Issued, error) {
	out, _, err := r.e.Renew(r.t.Context(), r.req(), name, by, overlap, "")
	return out, err
}

func (r *rig) revoke(name string) error {
	_, _, err := r.e.Revoke(r.t.Context(), r.req(), name)
	return err
}

func (r *rig) remove(name string) error {
	_, _, err := r.e.Delete(r.t.Context(), r.req(), name)
	return err
}

// external registers an external CA.
func (r *rig) external(name string, ca *authority) (CA, error) {
	out, _, err := r.e.AddCA(r.t.Context(), r.req(), name, ca.cert.Raw)
	return out, err
}

// login is what a server does at each request.
func (r *rig) login(chain ...*x509.Certificate) (Client, error) {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer v.Close()
	return r.e.Authenticate(v, chain, max(v.Now(), r.log.Now()))
}

// comes expects that a certificate is that of a client of the rig's tenant.
func (r *rig) comes(name string, chain ...*x509.Certificate) Client {
	r.t.Helper()
	c, err := r.login(chain...)
	require.NoError(r.t, err)
	require.Equal(r.t, [2]any{r.tenant, name}, [2]any{c.Tenant, c.Name})
	return c
}

func (r *rig) refused(chain ...*x509.Certificate) {
	r.t.Helper()
	c, err := r.login(chain...)
	requireKind(r.t, fault.Unauthenticated, err, "")
	require.Equal(r.t, refused().Error(), err.Error(), "all refusals are the same")
	require.Zero(r.t, c)
}

func (r *rig) info(name string) Info {
	r.t.Helper()
	i, err := Get(r.view(), r.tenant, name)
	require.NoError(r.t, err)
	return i
}

func requireKind(t testing.TB, k fault.Kind, err error, contains string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, k, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, contains)
}

func source(t testing.TB) func(Source, error) Source {
	return func(s Source, err error) Source {
		t.Helper()
		require.NoError(t, err)
		return s
	}
}

func to[T any](v T) *T { return &v }

func parsed(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

// authority is a CA that somebody else keeps.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

func named(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: begin.Std().Add(-time.Hour), NotAfter: begin.Std().Add(1000 * time.Hour),
		BasicConstraintsValid: true}
}

// elsewhere makes a CA that signs itself.
func elsewhere(t testing.TB, name string) *authority {
	tmpl := named(name)
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	a := &authority{t: t, cert: tmpl, key: newKey(t)}
	a.cert = a.sign(tmpl, a.key)
	return a
}

// sign has the authority issue what the template says for a key.
func (a *authority) sign(tmpl *x509.Certificate, key crypto.Signer) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(a.t, err)
	tmpl.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	return parsed(a.t, der)
}

// issue makes a certificate of a subject for a key of its own; change may spoil its template.
func (a *authority) issue(name string, change func(*x509.Certificate)) *x509.Certificate {
	tmpl := named(name)
	if change != nil {
		change(tmpl)
	}
	return a.sign(tmpl, newKey(a.t))
}

// selfSigned is a certificate that nobody vouches for.
func selfSigned(t testing.TB, name string) *x509.Certificate {
	key, tmpl := newKey(t), named(name)
	return (&authority{t, tmpl, key}).sign(tmpl, key)
}

func request(t testing.TB, key crypto.Signer) []byte {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "root"}}, key)
	require.NoError(t, err)
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
