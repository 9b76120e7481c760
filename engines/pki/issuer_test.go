package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// outside is a CA that this cluster knows nothing of.
func (r *rig) outside(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(r.t, err)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: r.log.Now().Std().Add(-time.Hour), NotAfter: r.log.Now().Std().Add(10000 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	require.NoError(r.t, err)
	return parse(r.t, der), key
}

func TestACAThatIsSignedElsewhere(t *testing.T) {
	r := newRig(t)
	i, _, err := r.e.MakeIssuer(t.Context(), r.req(), Plan{Name: "sub", Kind: Requested, Subject: Subject{CommonName: "Sub CA"}})
	require.NoError(t, err)
	require.Equal(t, Waiting, i.State)
	require.False(t, i.Default)
	r.role(Role{Name: "hosts", Domains: []string{"*.example.com"}})
	_, err = r.issue(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)

	csr, err := x509.ParseCertificateRequest(i.Request)
	require.NoError(t, err)
	require.NoError(t, csr.CheckSignature())
	root, key := r.outside("Outside")
	sign := func(public any, subject pkix.Name, ca bool) []byte {
		t := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: subject, NotBefore: r.log.Now().Std().Add(-time.Hour), NotAfter: r.log.Now().Std().Add(1000 * time.Hour), IsCA: ca, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
		der, err := x509.CreateCertificate(rand.Reader, t, root, public, key)
		require.NoError(r.t, err)
		return der
	}
	for name, text := range map[string][]byte{
		"another key":     certPEM(sign(key.Public(), csr.Subject, true)),
		"another name":    certPEM(sign(csr.PublicKey, pkix.Name{CommonName: "x"}, true)),
		"no CA":           certPEM(sign(csr.PublicKey, csr.Subject, false)),
		"not its signer":  certPEM(sign(csr.PublicKey, csr.Subject, true), sign(csr.PublicKey, csr.Subject, true)),
		"no certificate":  []byte("x"),
		"a request":       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: i.Request}),
		"nothing between": nil,
	} {
		_, _, err := r.e.Certify(t.Context(), r.req(), "sub", text)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", name, err)
	}
	i, _, err = r.e.Certify(t.Context(), r.req(), "sub", certPEM(sign(csr.PublicKey, csr.Subject, true), root.Raw))
	require.NoError(t, err)
	require.Equal(t, Active, i.State)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.NoError(t, r.verify(c.DER, c.Chain, root.Raw))
	require.Equal(t, root.Raw, c.Anchor)
	require.NotNil(t, r.ask("sub", c.Serial))
}

func TestAnImportedCA(t *testing.T) {
	r := newRig(t)
	root, key := r.outside("Outside")
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	other, _ := r.outside("Other")
	_, _, err = r.e.Import(t.Context(), r.req(), "old", certPEM(other.Raw), keyPEM, Settings{})
	require.ErrorContains(t, err, "is not the one of the first certificate")
	i, _, err := r.e.Import(t.Context(), r.req(), "old", certPEM(root.Raw), keyPEM, Settings{MaxTTL: 48 * time.Hour})
	require.NoError(t, err)
	require.True(t, i.Imported && i.Default && i.State == Active)
	require.Equal(t, P256, i.KeyType)
	r.role(Role{Name: "hosts", Domains: []string{"*.example.com"}})
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.NoError(t, r.verify(c.DER, c.Chain, root.Raw))
	require.Equal(t, r.log.Now().Std().Add(48*time.Hour).Truncate(time.Second), parse(t, c.DER).NotAfter, "within what the issuer gives")
	_, err = r.issue(Order{Role: "hosts", DNS: []string{"a.example.com"}, TTL: 72 * time.Hour})
	require.ErrorContains(t, err, "48h")
	_, _, err = r.e.Import(t.Context(), r.req(), "old", certPEM(root.Raw), keyPEM, Settings{})
	require.True(t, fault.Is(err, fault.Conflict))
}

// TestRotationWithCrossSigning: who trusts the old root alone accepts what the new one issues.
func TestRotationWithCrossSigning(t *testing.T) {
	r := newRig(t)
	old := r.root("old")
	require.True(t, old.Default)
	next := r.root("new")
	require.False(t, next.Default)
	r.role(Role{Name: "hosts", Domains: []string{"*.example.com"}})
	_, _, err := r.e.Configure(t.Context(), r.req(), "new", func(s *Settings) { s.Cross = true })
	require.True(t, fault.Is(err, fault.Conflict))
	_, _, err = r.e.CrossSign(t.Context(), r.req(), "new", "old")
	require.NoError(t, err)
	_, _, err = r.e.SetDefault(t.Context(), r.req(), "new")
	require.NoError(t, err)
	_, _, err = r.e.Configure(t.Context(), r.req(), "new", func(s *Settings) { s.Cross = true })
	require.NoError(t, err)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.Equal(t, "new", c.Issuer)
	require.NoError(t, r.verify(c.DER, c.Chain, old.Chain[0]))
	require.NoError(t, r.verify(c.DER, nil, next.Chain[0]))
	_, _, err = r.e.CrossSign(t.Context(), r.req(), "new", "new")
	require.Error(t, err)
}

func TestAnIssuerDoesNotGoOnAfterARestoreByItself(t *testing.T) {
	r := ready(t)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	r.log.Must(t, fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"})
	require.Equal(t, Suspended, r.issuer("web").State)
	_, err := r.issue(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.ErrorContains(t, err, "confirm")
	_, _, err = r.e.Revoke(t.Context(), r.req(), c.Serial, "")
	require.NoError(t, err, "revocation goes on")
	require.Equal(t, []string{c.Serial}, r.listed("web", false))
	i, _, err := r.e.Confirm(t.Context(), r.req(), "web")
	require.NoError(t, err)
	require.Equal(t, Active, i.State)
	r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
}

func TestDisabledAndDeleted(t *testing.T) {
	r := ready(t)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}, TTL: time.Hour})
	i, _, err := r.e.Configure(t.Context(), r.req(), "web", func(s *Settings) { s.Disabled = true })
	require.NoError(t, err)
	require.Equal(t, Disabled, i.State)
	_, err = r.issue(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.True(t, fault.Is(err, fault.Conflict))
	require.NotNil(t, r.ask("web", c.Serial))
	_, err = r.e.DropTenant(r.view(), acme)
	require.True(t, fault.Is(err, fault.Conflict))
	_, err = r.e.DropTenant(r.view(), umbra)
	require.NoError(t, err)

	_, err = r.e.DeleteIssuer(t.Context(), r.req(), "web", false)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	_, err = r.in(umbra).e.DeleteIssuer(t.Context(), r.in(umbra).req(), "web", true)
	require.True(t, fault.Is(err, fault.NotFound))
	r.log.Pass(2 * time.Hour)
	_, err = r.e.DeleteIssuer(t.Context(), r.req(), "web", false)
	require.NoError(t, err)
	_, _, err = r.e.CRL(r.view(), i.UID, false)
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = CACertificate(r.view(), i.UID)
	require.True(t, fault.Is(err, fault.NotFound))
	kept, err := GetCertificate(r.view(), acme, c.Serial)
	require.NoError(t, err)
	require.Empty(t, kept.Issuer)
}

func TestPathLengthsAndLifetimesLieWithinTheParents(t *testing.T) {
	r := newRig(t)
	one := 1
	_, _, err := r.e.MakeIssuer(t.Context(), r.req(), Plan{Name: "root", Kind: Root, Subject: Subject{CommonName: "Root"}, PathLength: &one, TTL: 1000 * time.Hour})
	require.NoError(t, err)
	i, _, err := r.e.MakeIssuer(t.Context(), r.req(), Plan{Name: "a", Kind: Intermediate, Subject: Subject{CommonName: "A"}, PathLength: &one})
	require.NoError(t, err)
	c := parse(t, i.Chain[0])
	require.True(t, c.MaxPathLen == 0 && c.MaxPathLenZero, "it is cut to what the parent allows")
	require.False(t, c.NotAfter.After(parse(t, i.Chain[1]).NotAfter))
	_, _, err = r.e.MakeIssuer(t.Context(), r.req(), Plan{Name: "b", Kind: Intermediate, Parent: "a", Subject: Subject{CommonName: "B"}})
	require.ErrorContains(t, err, "path length")
	_, _, err = r.e.MakeIssuer(t.Context(), r.req(), Plan{Name: "b", Kind: Intermediate, Parent: "root", TTL: 2000 * time.Hour, Subject: Subject{CommonName: "B"}})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}

func TestPlansThatAreRefused(t *testing.T) {
	r := newRig(t)
	good := Plan{Name: "a", Kind: Root, Subject: Subject{CommonName: "A"}}
	for name, change := range map[string]func(*Plan){
		"no kind":      func(p *Plan) { p.Kind = "" },
		"no name":      func(p *Plan) { p.Name = "" },
		"a path":       func(p *Plan) { p.Name = "a/b" },
		"no subject":   func(p *Plan) { p.Subject.CommonName = "" },
		"a key":        func(p *Plan) { p.KeyType = "rsa-1024" },
		"a country":    func(p *Plan) { p.Subject.Country = "Swiss" },
		"a URL":        func(p *Plan) { p.Settings.URL = "pki.example" },
		"a file":       func(p *Plan) { p.Settings.URL = "file:///etc" },
		"a CRL":        func(p *Plan) { p.Settings.CRLValidity = time.Minute },
		"a parent":     func(p *Plan) { p.Parent = "b" },
		"no such one":  func(p *Plan) { p.Kind, p.Parent = Intermediate, "b" },
		"permitted":    func(p *Plan) { p.Permitted = []string{"a b"} },
		"a short life": func(p *Plan) { p.TTL = time.Minute },
	} {
		p := good
		change(&p)
		_, _, err := r.e.MakeIssuer(t.Context(), r.req(), p)
		require.True(t, fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound), "%s: %v", name, err)
	}
}
