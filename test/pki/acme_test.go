package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// website is the address of the machine whose names are proved: this one, by an address that nothing else uses.
const website = "127.0.80.80"

// zone is a DNS server for the names of a test: all lead to website.
type zone struct {
	conn net.PacketConn
	mu   sync.Mutex
	txt  map[string][]string // under mu
}

func newZone(t *testing.T) *zone {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	z := &zone{conn: c, txt: map[string][]string{}}
	done := make(chan struct{})
	go func() { defer close(done); z.serve() }()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return z
}

func (z *zone) serve() {
	b := make([]byte, 1500)
	for {
		n, from, err := z.conn.ReadFrom(b)
		if err != nil {
			return
		}
		if out := z.answer(b[:n]); out != nil {
			_, _ = z.conn.WriteTo(out, from)
		}
	}
}

func (z *zone) set(name string, text ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.txt[name+"."] = text
}

func (z *zone) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
	z.mu.Lock()
	defer z.mu.Unlock()
	switch q.Type {
	case dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 80, 80}}}}
	case dnsmessage.TypeTXT:
		for _, text := range z.txt[strings.ToLower(q.Name.String())] {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.TXTResource{TXT: []string{text}}})
		}
		if len(m.Answers) == 0 {
			m.RCode = dnsmessage.RCodeNameError
		}
	}
	out, _ := m.Pack()
	return out
}

// acmeRig is three nodes whose role has a directory.
type acmeRig struct {
	*rig
	zone *zone
	path string
}

func newACMERig(t *testing.T, open bool) *acmeRig {
	z := newZone(t)
	r := &acmeRig{rig: newRigWith(t, harness.Options{Config: fmt.Sprintf("egress: {allow: [%s]}\n", website),
		PKI: fmt.Sprintf(", enable_acme: true, acme_resolver: %q", z.conn.LocalAddr())}), zone: z}
	_, err := r.client.WritePKIRole(t.Context(), "web", sdk.PKIRoleSpec{Issuer: "web", Domains: []string{"**.example.com"}, AllowWildcards: true, KeyTypes: []string{"ec-p256", "rsa-2048"}})
	require.NoError(t, err)
	d, err := r.client.WriteACMEDirectory(t.Context(), "web", open)
	require.NoError(t, err)
	r.path = d.Path
	return r
}

func (r *acmeRig) directory(n *harness.Node) string { return "https://" + n.API + r.path }

// anyone is a client of x/crypto/acme with a key of its own, which asks a node that does not lead.
func (r *acmeRig) anyone() *acme.Client {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(r.T, err)
	return &acme.Client{Key: key, HTTPClient: r.HTTP(), DirectoryURL: r.directory(r.Follower())}
}

// account opens one by a key that was made for it.
func (r *acmeRig) account() *acme.Client {
	c := r.anyone()
	k, err := r.client.CreateACMEKey(r.T.Context(), "web", "")
	require.NoError(r.T, err)
	secret, err := base64.RawURLEncoding.DecodeString(string(k.HMACKey))
	require.NoError(r.T, err)
	_, err = c.Register(r.T.Context(), &acme.Account{Contact: []string{"mailto:ops@example.com"}, ExternalAccountBinding: &acme.ExternalAccountBinding{KID: k.KID, Key: secret}}, acme.AcceptTOS)
	require.NoError(r.T, err)
	return c
}

// order has the names proved by prove, and returns the certificate.
func (r *acmeRig) order(c *acme.Client, kind string, prove func(c *acme.Client, name string, ch *acme.Challenge), names ...string) ([][]byte, *ecdsa.PrivateKey, error) {
	ctx, cancel := context.WithTimeout(r.T.Context(), time.Minute)
	defer cancel()
	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	if err != nil {
		return nil, nil, err
	}
	for _, u := range o.AuthzURLs {
		z, err := c.GetAuthorization(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		for _, ch := range z.Challenges {
			if ch.Type != kind {
				continue
			}
			prove(c, z.Identifier.Value, ch)
			if _, err := c.Accept(ctx, ch); err != nil {
				return nil, nil, err
			}
		}
		if _, err := c.WaitAuthorization(ctx, u); err != nil {
			return nil, nil, err
		}
	}
	if o, err = c.WaitOrder(ctx, o.URI); err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(r.T, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names}, key)
	require.NoError(r.T, err)
	chain, _, err := c.CreateOrderCert(ctx, o.FinalizeURL, csr, true)
	return chain, key, err
}

// byHTTP serves what a client shows on port 80.
func (r *acmeRig) byHTTP() func(*acme.Client, string, *acme.Challenge) {
	l, err := net.Listen("tcp", website+":80")
	require.NoError(r.T, err)
	var mu sync.Mutex
	files := map[string]string{}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if text := files[q.Host+q.URL.Path]; text != "" {
			_, _ = w.Write([]byte(text))
			return
		}
		http.Redirect(w, q, "http://"+website+"/elsewhere", http.StatusFound)
	})}
	go func() { _ = s.Serve(l) }()
	r.T.Cleanup(func() { _ = s.Close() })
	return func(c *acme.Client, name string, ch *acme.Challenge) {
		text, err := c.HTTP01ChallengeResponse(ch.Token)
		require.NoError(r.T, err)
		mu.Lock()
		defer mu.Unlock()
		files[name+c.HTTP01ChallengePath(ch.Token)] = text
	}
}

func (r *acmeRig) byDNS(c *acme.Client, name string, ch *acme.Challenge) {
	text, err := c.DNS01ChallengeRecord(ch.Token)
	require.NoError(r.T, err)
	r.zone.set("_acme-challenge."+name, "something else", text)
}

// byALPN shows a certificate on port 443.
func (r *acmeRig) byALPN() func(*acme.Client, string, *acme.Challenge) {
	var mu sync.Mutex
	certs := map[string]tls.Certificate{}
	l, err := tls.Listen("tcp", website+":443", &tls.Config{NextProtos: []string{acme.ALPNProto}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		c := certs[h.ServerName]
		return &c, nil
	}})
	require.NoError(r.T, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	r.T.Cleanup(func() { _ = l.Close() })
	return func(c *acme.Client, name string, ch *acme.Challenge) {
		cert, err := c.TLSALPN01ChallengeCert(ch.Token, name)
		require.NoError(r.T, err)
		mu.Lock()
		defer mu.Unlock()
		certs[name] = cert
	}
}

func (r *acmeRig) verifies(chain [][]byte, name string) {
	r.T.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	require.True(r.T, roots.AppendCertsFromPEM([]byte(r.root.Certificate)))
	var leaf *x509.Certificate
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		require.NoError(r.T, err)
		if i == 0 {
			leaf = c
		} else {
			between.AddCert(c)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name})
	require.NoError(r.T, err)
}

// TestNamesAreProvedInThreeWays, through nodes that do not lead.
func TestNamesAreProvedInThreeWays(t *testing.T) {
	r := newACMERig(t, false)
	c := r.account()
	chain, _, err := r.order(c, "http-01", r.byHTTP(), "www.example.com", "a.b.example.com")
	require.NoError(t, err)
	r.verifies(chain, "a.b.example.com")
	chain, _, err = r.order(c, "dns-01", r.byDNS, "*.wild.example.com", "dns.example.com")
	require.NoError(t, err)
	r.verifies(chain, "x.wild.example.com")
	chain, key, err := r.order(c, "tls-alpn-01", r.byALPN(), "alpn.example.com")
	require.NoError(t, err)
	r.verifies(chain, "alpn.example.com")

	leaf := r.file("acme.pem", string(pemOf(chain[0])))
	require.Equal(t, "good", r.status(r.Nodes[0], leaf))
	require.NoError(t, c.RevokeCert(t.Context(), nil, chain[0], acme.CRLReasonSuperseded))
	require.Equal(t, "revoked", r.status(r.Nodes[1], leaf))
	chain, key, err = r.order(c, "dns-01", r.byDNS, "own.example.com")
	require.NoError(t, err)
	require.NoError(t, r.anyone().RevokeCert(t.Context(), key, chain[0], acme.CRLReasonKeyCompromise), "by its own key")
	other := r.account()
	chain, _, err = r.order(c, "dns-01", r.byDNS, "own.example.com")
	require.NoError(t, err)
	require.ErrorContains(t, other.RevokeCert(t.Context(), nil, chain[0], acme.CRLReasonSuperseded), "unauthorized")
	require.NoError(t, c.AccountKeyRollover(t.Context(), r.anyone().Key))
	r.Check()
}

// TestWhatIsNotProvedIsNotCertified, and nothing is asked of anybody about names that the role does not allow.
func TestWhatIsNotProvedIsNotCertified(t *testing.T) {
	r := newACMERig(t, false)
	_, err := r.anyone().Register(t.Context(), &acme.Account{}, acme.AcceptTOS)
	require.ErrorContains(t, err, "externalAccountRequired")
	_, err = r.anyone().Register(t.Context(), &acme.Account{ExternalAccountBinding: &acme.ExternalAccountBinding{KID: "none", Key: []byte("guessed")}}, acme.AcceptTOS)
	require.ErrorContains(t, err, "no such key")
	c := r.account()
	nothing := func(*acme.Client, string, *acme.Challenge) {}
	_, _, err = r.order(c, "dns-01", nothing, "www.example.org")
	require.ErrorContains(t, err, "rejectedIdentifier")
	_, _, err = r.order(c, "http-01", nothing, "nobody.example.com")
	require.ErrorContains(t, err, "connection", "nobody listens there")
	r.byHTTP()
	_, _, err = r.order(c, "http-01", nothing, "redirects.example.com")
	require.ErrorContains(t, err, "redirects are not followed")
	_, _, err = r.order(c, "dns-01", func(_ *acme.Client, name string, _ *acme.Challenge) { r.zone.set("_acme-challenge."+name, "another's") }, "wrong.example.com")
	require.ErrorContains(t, err, "none is the proof")

	o, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs("early.example.com"))
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"early.example.com"}}, key)
	require.NoError(t, err)
	_, _, err = c.CreateOrderCert(t.Context(), o.FinalizeURL, csr, true)
	require.ErrorContains(t, err, "orderNotReady")
	_, err = r.account().GetOrder(t.Context(), o.URI)
	require.Error(t, err, "another account's order is not there")
	require.NoError(t, c.DeactivateReg(t.Context()))
	_, err = c.AuthorizeOrder(t.Context(), acme.DomainIDs("late.example.com"))
	require.Error(t, err)
	all, err := r.client.Certificates(t.Context(), sdk.Slice{})
	require.NoError(t, err)
	require.Len(t, all.Items, 1, "the intermediate's alone")
}

// TestAProofOutlivesTheLeader: another one looks for it.
func TestAProofOutlivesTheLeader(t *testing.T) {
	r := newACMERig(t, false)
	c := r.account()
	ctx := t.Context()
	leader := r.Leader()
	c.DirectoryURL = r.directory(r.Follower())
	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs("late.example.com"))
	require.NoError(t, err)
	z, err := c.GetAuthorization(ctx, o.AuthzURLs[0])
	require.NoError(t, err)
	for _, ch := range z.Challenges {
		if ch.Type == "dns-01" {
			_, err := c.Accept(ctx, ch)
			require.NoError(t, err)
			leader.Kill()
			r.byDNS(c, "late.example.com", ch)
		}
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = c.WaitAuthorization(wait, o.AuthzURLs[0])
	require.NoError(t, err)
	leader.Start()
	r.Ready(r.Nodes...)
	r.Check()
}

// TestCertbot gets a certificate as its manual says, and renews and revokes it.
func TestCertbot(t *testing.T) {
	certbot := parts.Need(t, "certbot", "certbot")
	r := newACMERig(t, false)
	k, err := r.client.CreateACMEKey(t.Context(), "web", "")
	require.NoError(t, err)
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, certbot, append(args, "--server", r.directory(r.Follower()), "--non-interactive", "--config-dir", dir, "--work-dir", dir, "--logs-dir", dir)...)
		c.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+r.file("cluster.pem", string(r.CA)))
		out, err := c.CombinedOutput()
		return string(out), err
	}
	standalone := []string{"certonly", "--standalone", "--http-01-address", website, "-d", "certbot.example.com", "-d", "www.certbot.example.com"}
	out, err := run(append(standalone, "--agree-tos", "--register-unsafely-without-email")...)
	require.Error(t, err, "without a key there is no account")
	require.NotContains(t, out, "Successfully")
	out, err = run(append(standalone, "--agree-tos", "-m", "ops@example.com", "--eab-kid", k.KID, "--eab-hmac-key", string(k.HMACKey))...)
	require.NoError(t, err, out)
	live := filepath.Join(dir, "live", "certbot.example.com")
	out, err = r.run("verify", "-CAfile", r.at("root.pem"), "-untrusted", filepath.Join(live, "chain.pem"), "-verify_hostname", "www.certbot.example.com", filepath.Join(live, "cert.pem"))
	require.NoError(t, err, out)
	before, err := os.ReadFile(filepath.Join(live, "cert.pem"))
	require.NoError(t, err)
	out, err = run("renew", "--force-renewal", "--no-random-sleep-on-renew")
	require.NoError(t, err, out)
	after, err := os.ReadFile(filepath.Join(live, "cert.pem"))
	require.NoError(t, err)
	require.NotEqual(t, string(before), string(after))
	out, err = run("revoke", "--cert-name", "certbot.example.com", "--reason", "keycompromise", "--no-delete-after-revoke")
	require.NoError(t, err, out)
	require.Equal(t, "revoked", r.status(r.Nodes[0], r.file("certbot.pem", string(after))))
	r.Check()
}
