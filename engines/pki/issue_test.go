package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func certPEM(ders ...[]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// TestAnIssuedCertificateServesTLS has a client that trusts the root alone talk to a server with what was issued, of every type of key.
func TestAnIssuedCertificateServesTLS(t *testing.T) {
	r := ready(t)
	r.role(Role{Name: "all", Issuer: "web", Domains: []string{"*.example.com"}, KeyTypes: []KeyType{P256, P384, P521, RSA2048, Ed25519}})
	for _, kind := range []KeyType{"", P384, P521, RSA2048, Ed25519} {
		c := r.issued(Order{Role: "all", DNS: []string{"db.example.com"}, KeyType: kind})
		pair, err := tls.X509KeyPair(certPEM(append([][]byte{c.DER}, c.Chain...)...), c.Private)
		require.NoError(t, err)
		require.Len(t, c.Chain, 1)
		roots := x509.NewCertPool()
		roots.AddCert(parse(t, c.Anchor))
		now := func() time.Time { return r.log.Now().Std() }
		a, b := net.Pipe()
		go func() {
			s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{pair}, Time: now})
			_, _ = s.Write([]byte("hello")) // the client's read says whether it worked
			_ = s.Close()
		}()
		got, err := io.ReadAll(tls.Client(b, &tls.Config{ServerName: "db.example.com", RootCAs: roots, Time: now}))
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		require.NoError(t, b.Close())
	}
}

func TestTheSerialNumberIsTheCertificates(t *testing.T) {
	r := ready(t)
	c := r.issued(Order{Role: "hosts", CommonName: "a.example.com", TTL: time.Hour})
	x := parse(t, c.DER)
	require.Equal(t, c.Serial, x.SerialNumber.Text(16))
	require.GreaterOrEqual(t, x.SerialNumber.BitLen(), 120)
	kept, err := GetCertificate(r.view(), acme, c.Serial)
	require.NoError(t, err)
	require.Equal(t, []any{c.DER, "web", "hosts", []string{"a.example.com"}, "acc_1"}, []any{kept.DER, kept.Issuer, kept.Role, kept.Names, kept.Holder})
	require.Equal(t, []string{"a.example.com"}, x.DNSNames, "the common name stands among the names")
	require.Equal(t, r.log.Now().Std().Add(time.Hour).Truncate(time.Second), x.NotAfter)
	web, err := r.e.GetIssuer(r.view(), acme, "web")
	require.NoError(t, err)
	at := "http://pki.example:8280/pki/" + web.UID.String()
	require.Equal(t, []string{at + "/crl"}, x.CRLDistributionPoints)
	require.Equal(t, []string{at + "/ocsp"}, x.OCSPServer)
	require.Equal(t, []string{at + "/ca.cer"}, x.IssuingCertificateURL)
	require.Equal(t, parse(t, web.Chain[0]).SubjectKeyId, x.AuthorityKeyId)
	require.False(t, x.IsCA)
	require.True(t, x.BasicConstraintsValid)
	require.NoError(t, r.verify(c.DER, c.Chain, c.Anchor))

	_, err = GetCertificate(r.view(), umbra, c.Serial)
	require.True(t, fault.Is(err, fault.NotFound), "another tenant's")
}

// TestNothingThatTheRoleDoesNotSay tries what must not get into a certificate.
func TestNothingThatTheRoleDoesNotSay(t *testing.T) {
	r := ready(t)
	r.role(Role{Name: "one", Issuer: "web", Domains: []string{"*.example.com"}, URIs: []string{"spiffe://example.com/ns/*/sa/${identity}"}, Emails: []string{"${identity}@example.com"},
		CommonNames: []string{"${identity}", "svc-*"}, MaxTTL: 24 * time.Hour, TTL: time.Hour})
	for name, o := range map[string]Order{
		"no name":                 {Role: "one"},
		"another domain":          {Role: "one", DNS: []string{"a.example.org"}},
		"the domain itself":       {Role: "one", DNS: []string{"example.com"}},
		"two labels for one":      {Role: "one", DNS: []string{"a.b.example.com"}},
		"an end that looks alike": {Role: "one", DNS: []string{"aexample.com"}},
		"a wildcard":              {Role: "one", DNS: []string{"*.example.com"}},
		"a zero byte":             {Role: "one", DNS: []string{"a.example.com\x00.evil.org"}},
		"an underscore":           {Role: "one", DNS: []string{"a_b.example.com"}},
		"a dot at the end":        {Role: "one", DNS: []string{"a.example.com."}},
		"an empty label":          {Role: "one", DNS: []string{".example.com"}},
		"an address as host":      {Role: "hosts", DNS: []string{"10.0.0.1"}},
		"an address elsewhere":    {Role: "hosts", IPs: []string{"11.0.0.1"}},
		"no address":              {Role: "hosts", IPs: []string{"10.0.0.0/8"}},
		"somebody else":           {Role: "one", CommonName: "bob"},
		"somebody else's mail":    {Role: "one", Emails: []string{"bob@example.com"}},
		"two addresses":           {Role: "one", Emails: []string{"x@ann@example.com"}},
		"another's URI":           {Role: "one", URIs: []string{"spiffe://example.com/ns/a/sa/bob"}},
		"a URI over segments":     {Role: "one", URIs: []string{"spiffe://example.com/ns/a/b/sa/ann"}},
		"a URI that goes up":      {Role: "one", URIs: []string{"spiffe://example.com/ns/../sa/ann"}},
		"a URI with credentials":  {Role: "one", URIs: []string{"spiffe://x@example.com/ns/a/sa/ann"}},
		"too long a life":         {Role: "one", DNS: []string{"a.example.com"}, TTL: 25 * time.Hour},
		"no life":                 {Role: "one", DNS: []string{"a.example.com"}, TTL: time.Second},
		"another key":             {Role: "one", DNS: []string{"a.example.com"}, KeyType: RSA2048},
		"no role":                 {Role: "none", DNS: []string{"a.example.com"}},
		"control characters":      {Role: "one", CommonName: "svc-\n"},
		"a wildcard of a TLD":     {Role: "hosts", DNS: []string{"*.com"}},
		"a star within":           {Role: "hosts", DNS: []string{"a.*.example.com"}},
	} {
		_, err := r.issue(o)
		require.True(t, fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound), "%s: %v", name, err)
	}
	for _, o := range []Order{
		{Role: "one", DNS: []string{"A.Example.com"}},
		{Role: "one", CommonName: "ann"},
		{Role: "one", CommonName: "svc-web"},
		{Role: "one", URIs: []string{"spiffe://example.com/ns/a/sa/ann"}},
		{Role: "one", Emails: []string{"ann@EXAMPLE.com"}},
		{Role: "hosts", DNS: []string{"*.a.example.com", "example.com", "x.y.example.com"}, IPs: []string{"10.1.2.3", "::ffff:10.1.2.3"}},
		{Role: "hosts", DNS: []string{"*.example.com"}},
	} {
		c := r.issued(o)
		require.NoError(t, r.verify(c.DER, c.Chain, c.Anchor), "%v", o)
	}
	all, _, err := Certificates(r.view(), acme, "", 100)
	require.NoError(t, err)
	require.Len(t, all, 7+1, "with the intermediate's own, and nothing of what was refused")
}

func TestARequestIsHeldAgainstTheRole(t *testing.T) {
	r := ready(t)
	good := request509(t, x509.CertificateRequest{Subject: pkix.Name{CommonName: "a.example.com", Organization: []string{"Evil"}}, DNSNames: []string{"a.example.com"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}})
	c := r.issued(Order{Role: "hosts", Request: good})
	x := parse(t, c.DER)
	require.Equal(t, "CN=a.example.com", x.Subject.String(), "what the role does not say is left out")
	require.Nil(t, c.Private)
	require.False(t, c.Made)
	require.NoError(t, r.verify(c.DER, c.Chain, c.Anchor))

	evil, err := url.Parse("spiffe://evil/x")
	require.NoError(t, err)
	for name, request := range map[string][]byte{
		"another host": request509(t, x509.CertificateRequest{DNSNames: []string{"evil.org"}}),
		"a URI":        request509(t, x509.CertificateRequest{DNSNames: []string{"a.example.com"}, URIs: []*url.URL{evil}}),
		"not signed":   broken(t, good),
		"no request":   []byte("x"),
		"two":          append(append([]byte{}, good...), good...),
	} {
		_, err := r.issue(Order{Role: "hosts", Request: request})
		require.Error(t, err, name)
	}
	_, err = r.issue(Order{Role: "hosts", Request: good, DNS: []string{"b.example.com"}})
	require.ErrorContains(t, err, "ask for none beside it")
}

// broken changes the name in a request, so that its signature is not of it.
func broken(t *testing.T, text []byte) []byte {
	b, _ := pem.Decode(text)
	for i := range b.Bytes[:len(b.Bytes)-8] {
		if string(b.Bytes[i:i+4]) == "a.ex" {
			b.Bytes[i] = 'b'
		}
	}
	return pem.EncodeToMemory(b)
}

// TestTheKeyIsAnsweredAgainToTheSameRequestAlone: it is kept nowhere else.
func TestTheKeyIsAnsweredAgainToTheSameRequestAlone(t *testing.T) {
	r := ready(t)
	order := Order{Role: "hosts", DNS: []string{"a.example.com"}, Holder: r.holder(), Key: "key-1"}
	first, rc, err := r.e.Issue(t.Context(), r.keyed("one"), order)
	require.NoError(t, err)
	require.False(t, rc.Replayed)
	again, rc, err := r.node().Issue(t.Context(), r.keyed("one"), order)
	require.NoError(t, err)
	require.True(t, rc.Replayed)
	require.Equal(t, first, again)

	order.Key = "key-2"
	_, _, err = r.e.Issue(t.Context(), r.keyed("one"), order)
	require.Error(t, err, "the answer is encrypted to the idempotency key")
	order.Key = "key-1"
	_, _, err = r.e.Revoke(t.Context(), r.req(), first.Serial, "keyCompromise")
	require.NoError(t, err)
	_, _, err = r.e.Issue(t.Context(), r.keyed("one"), order)
	require.True(t, fault.Is(err, fault.Conflict), "a revocation destroys the key: %v", err)
}

func TestACertificateWithALeaseEndsWithIt(t *testing.T) {
	r := ready(t)
	r.role(Role{Name: "leased", Issuer: "web", Domains: []string{"*.example.com"}, Lease: true})
	c := r.issued(Order{Role: "leased", DNS: []string{"a.example.com"}})
	require.NotEmpty(t, c.Lease)
	g, found, err := given.Get(r.view(), fsm.K(acme, c.Lease))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, c.Serial, g.Serial)
	require.NoError(t, r.e.EndLease(t.Context(), acme, c.Serial))
	require.NoError(t, r.e.EndLease(t.Context(), acme, c.Serial), "twice is no error")
	require.NoError(t, r.e.EndLease(t.Context(), umbra, c.Serial))
	kept, err := GetCertificate(r.view(), acme, c.Serial)
	require.NoError(t, err)
	require.NotZero(t, kept.Revoked)
	require.Equal(t, "cessationOfOperation", ReasonName(kept.Reason))

	c = r.issued(Order{Role: "leased", DNS: []string{"a.example.com"}})
	_, _, err = r.e.Revoke(t.Context(), r.req(), c.Serial, "")
	require.NoError(t, err)
	_, found, err = given.Get(r.view(), fsm.K(acme, c.Lease))
	require.NoError(t, err)
	require.False(t, found, "nobody is owed the end of a lease whose certificate is revoked")

	r.leases.dead.Store(true)
	_, err = r.issue(Order{Role: "leased", DNS: []string{"b.example.com"}})
	require.True(t, fault.Is(err, fault.Denied))
	require.Zero(t, r.leases.taken.Load())
}

func TestAnUnstoredCertificateIsRevokedByPresentingIt(t *testing.T) {
	r := ready(t)
	_, _, err := r.e.WriteRole(t.Context(), r.req(), Role{Name: "brief", Domains: []string{"*.example.com"}, Unstored: true, MaxTTL: 25 * time.Hour})
	require.ErrorContains(t, err, "24h")
	r.role(Role{Name: "brief", Issuer: "web", Domains: []string{"*.example.com"}, Unstored: true})
	c := r.issued(Order{Role: "brief", DNS: []string{"a.example.com"}})
	x := parse(t, c.DER)
	require.Empty(t, x.OCSPServer)
	require.NotEmpty(t, x.CRLDistributionPoints)
	_, err = GetCertificate(r.view(), acme, c.Serial)
	require.True(t, fault.Is(err, fault.NotFound))
	_, _, err = r.in(umbra).e.RevokePresented(t.Context(), r.in(umbra).req(), certPEM(c.DER), "")
	require.True(t, fault.Is(err, fault.NotFound), "another tenant's issuer")
	serial, _, err := r.e.RevokePresented(t.Context(), r.req(), certPEM(c.DER), "keyCompromise")
	require.NoError(t, err)
	require.Equal(t, c.Serial, serial)
	_, _, err = r.e.RevokePresented(t.Context(), r.req(), certPEM(c.DER), "keyCompromise")
	require.NoError(t, err)
	require.Equal(t, []string{c.Serial}, r.listed("web", false))
}

func TestVerbatimTakesWhatTheRequestSays(t *testing.T) {
	r := ready(t)
	request := request509(t, x509.CertificateRequest{Subject: pkix.Name{CommonName: "Legacy", Organization: []string{"Other"}}, DNSNames: []string{"legacy.other.org"}})
	c, _, err := r.e.SignVerbatim(t.Context(), r.req(), Verbatim{Issuer: "web", Request: request, TTL: time.Hour, Holder: r.holder()})
	require.NoError(t, err)
	require.Equal(t, "CN=Legacy,O=Other", parse(t, c.DER).Subject.String())
	require.NoError(t, r.verify(c.DER, c.Chain, c.Anchor))

	_, _, err = r.e.SignVerbatim(t.Context(), r.req(), Verbatim{Issuer: "web", Request: request, CA: true})
	require.ErrorContains(t, err, "path length")
	c, _, err = r.e.SignVerbatim(t.Context(), r.req(), Verbatim{Issuer: "root", Request: request, CA: true, TTL: 100 * time.Hour})
	require.NoError(t, err)
	x := parse(t, c.DER)
	require.True(t, x.IsCA && x.MaxPathLenZero)
	require.Empty(t, x.DNSNames)
	_, _, err = r.e.Revoke(t.Context(), r.req(), c.Serial, "")
	require.NoError(t, err, "a CA that was signed is revoked like any other")
}

// TestALintRefusesBeforeTheCASigns: a subject that no role would allow (RFC 5280, appendix A.1) is not signed verbatim either.
func TestALintRefusesBeforeTheCASigns(t *testing.T) {
	r := ready(t)
	request := request509(t, x509.CertificateRequest{Subject: pkix.Name{CommonName: strings.Repeat("x", 65)}, DNSNames: []string{"a.example.com"}})
	_, _, err := r.e.SignVerbatim(t.Context(), r.req(), Verbatim{Issuer: "web", Request: request, TTL: time.Hour})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.ErrorContains(t, err, "common_name_max_length")
	all, _, err := Certificates(r.view(), acme, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 1, "the intermediate's alone")
}

func TestKeysAreNotPrinted(t *testing.T) {
	r := ready(t)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.NotEmpty(t, c.Private)
	require.Equal(t, "[redacted]", c.Private.String())
	key, err := keyOf(c.Private)
	require.NoError(t, err)
	require.True(t, sameKey(key.Public(), parse(t, c.DER).PublicKey.(crypto.PublicKey)))
}
