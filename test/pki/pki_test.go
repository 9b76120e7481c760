// Package pki has programs that others wrote believe, or not, the certificates of a cluster.
package pki

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// rig is three nodes with a root, an intermediate that issues, and a role.
type rig struct {
	*harness.Cluster
	client  *sdk.Client
	openssl string
	dir     string
	issuer  sdk.Issuer
	root    sdk.Issuer
}

func newRig(t *testing.T) *rig { return newRigWith(t, harness.Options{}) }

func newRigWith(t *testing.T, o harness.Options) *rig {
	r := &rig{openssl: parts.Need(t, "openssl", "openssl"), Cluster: harness.Start(t, o), dir: t.TempDir()}
	r.client = r.Client()
	ctx := t.Context()
	settings := sdk.IssuerSettings{URL: "http://" + r.Nodes[0].PKI}
	var err error
	r.root, err = r.client.CreateIssuer(ctx, "root", sdk.IssuerSpec{Kind: "root", CommonName: "Example Root", KeyType: "rsa-2048", IssuerSettings: settings})
	require.NoError(t, err)
	r.issuer, err = r.client.CreateIssuer(ctx, "web", sdk.IssuerSpec{Kind: "intermediate", Parent: "root", CommonName: "Example Web", IssuerSettings: settings})
	require.NoError(t, err)
	_, err = r.client.WritePKIRole(ctx, "hosts", sdk.PKIRoleSpec{Issuer: "web", Domains: []string{"*.example.com"}, KeyTypes: []string{"ec-p256", "rsa-2048"}})
	require.NoError(t, err)
	r.file("root.pem", r.root.Certificate)
	r.file("web.pem", r.issuer.Certificate)
	return r
}

func (r *rig) file(name, text string) string {
	path := filepath.Join(r.dir, name)
	require.NoError(r.T, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (r *rig) at(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) issue(host string) sdk.Certificate {
	r.T.Helper()
	c, err := r.client.IssueCertificate(r.T.Context(), "hosts", sdk.CertificateSpec{DNSNames: []string{host}, TTL: time.Hour})
	require.NoError(r.T, err)
	return c
}

// run returns what openssl says, and whether it was content.
func (r *rig) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(r.T.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.openssl, args...).CombinedOutput()
	return string(out), err
}

// status is what openssl's OCSP client learns from a node.
func (r *rig) status(n *harness.Node, cert string) string {
	r.T.Helper()
	out, err := r.run("ocsp", "-issuer", r.at("web.pem"), "-cert", cert, "-CAfile", r.at("root.pem"), "-verify_other", r.at("web.pem"), "-url", "http://"+n.PKI+"/pki/"+r.issuer.UID+"/ocsp", "-no_nonce")
	require.NoError(r.T, err, out)
	require.Contains(r.T, out, "Response verify OK")
	_, after, _ := strings.Cut(out, cert+": ")
	status, _, _ := strings.Cut(after, "\n")
	return status
}

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }

func get(t testing.TB, url string) (int, http.Header, []byte) {
	t.Helper()
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, b
}

// TestOpenSSLBelievesWhatTheClusterSays: chains, OCSP answers and CRLs, from every node.
func TestOpenSSLBelievesWhatTheClusterSays(t *testing.T) {
	r := newRig(t)
	c := r.issue("a.example.com")
	leaf := r.file("leaf.pem", c.Certificate)
	r.file("key.pem", string(c.PrivateKey))
	require.Equal(t, r.root.Certificate, c.CACertificate)
	out, err := r.run("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "a.example.com", "-CAfile", r.at("root.pem"), "-untrusted", r.at("web.pem"), leaf)
	require.NoError(t, err, out)
	public, err := r.run("x509", "-in", leaf, "-noout", "-pubkey")
	require.NoError(t, err)
	own, err := r.run("pkey", "-in", r.at("key.pem"), "-pubout")
	require.NoError(t, err)
	require.Equal(t, public, own)
	for _, n := range r.Nodes {
		require.Equal(t, "good", r.status(n, leaf))
	}
	r.crls("crl-before.pem")
	out, err = r.run("verify", "-crl_check_all", "-CAfile", r.at("root.pem"), "-untrusted", r.at("web.pem"), "-CRLfile", r.at("crl-before.pem"), leaf)
	require.NoError(t, err, out)

	_, err = r.client.RevokeCertificate(t.Context(), c.SerialNumber, "keyCompromise")
	require.NoError(t, err)
	for _, n := range r.Nodes {
		require.Equal(t, "revoked", r.status(n, leaf))
	}
	r.crls("crl-after.pem")
	out, err = r.run("verify", "-crl_check_all", "-CAfile", r.at("root.pem"), "-untrusted", r.at("web.pem"), "-CRLfile", r.at("crl-after.pem"), leaf)
	require.Error(t, err)
	require.Contains(t, out, "certificate revoked")
	r.byGET(leaf)
	r.delta(c)
	r.Check()
}

// crls writes the CRLs of both CAs, each from another node, into one file.
func (r *rig) crls(name string) {
	var all []byte
	for i, issuer := range []sdk.Issuer{r.root, r.issuer} {
		status, head, body := get(r.T, "http://"+r.Nodes[i].PKI+"/pki/"+issuer.UID+"/crl.pem")
		require.Equal(r.T, 200, status)
		require.Equal(r.T, "no-store", head.Get("Cache-Control"))
		all = append(all, body...)
	}
	r.file(name, string(all))
}

// byGET asks as browsers and web servers do (RFC 6960, appendix A.1), with and without escapes.
func (r *rig) byGET(leaf string) {
	out, err := r.run("ocsp", "-issuer", r.at("web.pem"), "-cert", leaf, "-no_nonce", "-reqout", r.at("request.der"))
	require.NoError(r.T, err, out)
	request, err := os.ReadFile(r.at("request.der"))
	require.NoError(r.T, err)
	text := base64.StdEncoding.EncodeToString(request)
	var answers []int
	for _, path := range []string{text, url.PathEscape(text), url.QueryEscape(text)} {
		status, head, body := get(r.T, "http://"+r.Nodes[2].PKI+"/pki/"+r.issuer.UID+"/ocsp/"+path)
		require.Equal(r.T, 200, status)
		require.Equal(r.T, "application/ocsp-response", head.Get("Content-Type"))
		a, err := ocsp.ParseResponse(body, nil)
		require.NoError(r.T, err, path)
		answers = append(answers, a.Status)
	}
	require.Equal(r.T, []int{ocsp.Revoked, ocsp.Revoked, ocsp.Revoked}, answers)
}

// delta finds the revocation on the delta CRL, and that openssl reads it.
func (r *rig) delta(c sdk.Certificate) {
	status, _, body := get(r.T, "http://"+r.Nodes[1].PKI+"/pki/"+r.issuer.UID+"/crl/delta")
	require.Equal(r.T, 200, status)
	r.file("delta.der", string(body))
	out, err := r.run("crl", "-inform", "DER", "-in", r.at("delta.der"), "-noout", "-text")
	require.NoError(r.T, err)
	require.Contains(r.T, out, "X509v3 Delta CRL Indicator: critical")
	require.Contains(r.T, strings.ToLower(out), c.SerialNumber)
	require.Contains(r.T, out, "Key Compromise")
	_, _, full := get(r.T, "http://"+r.Nodes[1].PKI+"/pki/"+r.issuer.UID+"/crl")
	r.file("full.der", string(full))
	out, err = r.run("crl", "-inform", "DER", "-in", r.at("full.der"), "-noout", "-text", "-CAfile", r.at("web.pem"))
	require.NoError(r.T, err)
	require.Contains(r.T, out, "verify OK")
	require.Contains(r.T, out, "X509v3 Freshest CRL")
}

// TestNoNodeSaysGoodAfterARevocation, whoever leads and whichever node is asked; one that is cut off from the others says that it does not know.
func TestNoNodeSaysGoodAfterARevocation(t *testing.T) {
	r := newRig(t)
	for i := range 12 {
		leaf := r.file("leaf.pem", r.issue("a.example.com").Certificate)
		if i == 4 || i == 8 {
			r.Leader().Kill()
		}
		require.NoError(t, r.revoked(leaf))
		for _, n := range r.Nodes {
			if n.Running() {
				require.Equal(t, "revoked", r.status(n, leaf), "node %s in round %d", n.ID, i)
			}
		}
		if i == 5 || i == 11 {
			r.startAll()
		}
	}
	leaf := r.file("leaf.pem", r.issue("b.example.com").Certificate)
	n := r.Follower()
	for _, o := range r.Nodes {
		if o != n {
			o.Pause()
		}
	}
	out, _ := r.run("ocsp", "-issuer", r.at("web.pem"), "-cert", leaf, "-url", "http://"+n.PKI+"/pki/"+r.issuer.UID+"/ocsp", "-CAfile", r.at("root.pem"), "-no_nonce")
	require.Contains(t, out, "trylater")
	status, head, _ := get(t, "http://"+n.PKI+"/pki/"+r.issuer.UID+"/crl")
	require.Equal(t, []any{503, "1"}, []any{status, head.Get("Retry-After")})
	for _, o := range r.Nodes {
		if o != n {
			o.Resume()
		}
	}
	r.Ready(r.Nodes...)
	r.Check()
}

// startAll starts the nodes that were killed.
func (r *rig) startAll() {
	for _, n := range r.Nodes {
		if !n.Running() {
			n.Start()
		}
	}
	r.Ready(r.Nodes...)
}

// revoked has a certificate revoked by presenting it.
func (r *rig) revoked(leaf string) error {
	b, err := os.ReadFile(leaf)
	if err != nil {
		return err
	}
	_, err = r.client.RevokePresented(r.T.Context(), string(b), "")
	return err
}

// TestWhatIsPublishedAndWhatIsNot: nothing but what the documentation says, without a token, on both ports.
func TestWhatIsPublishedAndWhatIsNot(t *testing.T) {
	r := newRig(t)
	n := r.Nodes[0]
	status, head, body := get(t, "http://"+n.PKI+"/pki/"+r.issuer.UID+"/ca.pem")
	require.Equal(t, []any{200, "application/x-pem-file"}, []any{status, head.Get("Content-Type")})
	require.Equal(t, r.issuer.Certificate+r.issuer.Chain, string(body))
	resp, err := r.HTTP().Get("https://" + n.API + "/pki/" + r.issuer.UID + "/ca.cer")
	require.NoError(t, err)
	der, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "application/pkix-cert", resp.Header.Get("Content-Type"))
	require.Contains(t, strings.ReplaceAll(r.issuer.Certificate, "\n", ""), base64.StdEncoding.EncodeToString(der))
	for _, path := range []string{"", "/", "/api/v1/secrets/pki/issuers", "/pki/", "/pki/" + r.issuer.UID, "/pki/" + strings.Repeat("0", 32) + "/crl", "/pki/x/crl", "/pki/" + r.issuer.UID + "/key", "/readyz"} {
		status, _, body := get(t, "http://"+n.PKI+path)
		require.Equal(t, 404, status, "%s: %s", path, body)
	}
	for name, junk := range map[string][]byte{"nothing": nil, "too much": make([]byte, 1<<20), "noise": bytes.Repeat([]byte{0x30, 0x80}, 1000)} {
		resp, err := http.Post(fmt.Sprintf("http://%s/pki/%s/ocsp", n.PKI, r.issuer.UID), "application/ocsp-request", bytes.NewReader(junk))
		if err != nil {
			continue // cut off in the middle of too much
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		_, err = ocsp.ParseResponse(b, nil)
		require.ErrorContains(t, err, "malformed", name)
	}
}
