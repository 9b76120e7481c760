package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// These stand in samples for what has to be made.
const (
	aRoot          = "A-ROOT"          // a CA that was made elsewhere, with its key
	ownCertificate = "OWN-CERTIFICATE" // of issuer web, which it has already
	aRequest       = "A-REQUEST"       // PKCS#10
	aCertificate   = "A-CERTIFICATE"   // that was issued
	aSerial        = "SERIAL-NUMBER"   // of one

	webBody   = `{"kind":"root","common_name":"Example","organization":"Example","country":"CH","key_type":"ec-p256","ttl":"87600h","path_length":1,"permitted_domains":["example.com"],"url":"http://pki.example:8280","max_ttl":"2160h","crl_validity":"24h"}`
	hostsBody = `{"issuer":"web","domains":["*.example.com"],"allow_wildcards":true,"networks":["10.0.0.0/8"],"uris":["spiffe://example.com/${identity}"],"emails":["*@example.com"],"common_names":["${identity}"],"organization":"Example","key_types":["ec-p256","rsa-2048"],"usages":["server"],"ttl":"24h","max_ttl":"48h","lease":true,"max_leases":10}`
)

var (
	web   = map[string]string{"name": "web"}
	hosts = map[string]string{"name": "hosts"}
)

var openRole = map[string]string{"name": "open"}

func roleOpen(b *bench) {
	issuerWeb(b)
	b.put("/secrets/pki/roles/open", b.root, `{"domains":["*.example.com"]}`).is(200)
}

func acmeOpen(b *bench) {
	roleOpen(b)
	b.put("/secrets/pki/acme/open", b.root, `{}`).is(200)
}

func issuerWeb(b *bench) { b.post("/secrets/pki/issuers/web", b.root, webBody).is(200) }
func issuerOther(b *bench) {
	b.post("/secrets/pki/issuers/other", b.root, `{"kind":"root","common_name":"Other"}`).is(200)
}

func roleHosts(b *bench) {
	issuerWeb(b)
	b.put("/secrets/pki/roles/hosts", b.root, hostsBody).is(200)
}

// certificate issues one to a token.
func (b *bench) certificate(token string) map[string]any {
	b.t.Helper()
	roleHosts(b)
	return b.post("/secrets/pki/issue/hosts", token, `{"common_name":"a.example.com"}`).is(200).reply()
}

// filled replaces what has to be made.
func (s sample) filled(b *bench) sample {
	switch {
	case strings.Contains(s.url, aSerial):
		serial := b.certificate(b.root)["serial_number"].(string)
		s.url, s.names = strings.ReplaceAll(s.url, aSerial, serial), map[string]string{"name": serial}
	case s.body == aRoot:
		s.body = b.foreignCA()
	case s.body == aRequest:
		s.body = body(b.t, map[string]any{"csr": csr(b.t, "a.example.com"), "ttl": "1h"})
	case s.body == ownCertificate:
		s.body = body(b.t, map[string]any{"certificate": b.get("/secrets/pki/issuers/web", b.root).is(200).reply()["certificate"]})
	case s.body == aCertificate:
		s.body = body(b.t, map[string]any{"certificate": b.certificate(b.root)["certificate"], "reason": "keyCompromise"})
	}
	return s
}

func body(t testing.TB, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func csr(t testing.TB, host string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}}, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// foreignCA is what imports a CA.
func (b *bench) foreignCA() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b.t, err)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Old"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(10000 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	require.NoError(b.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(b.t, err)
	return body(b.t, map[string]any{"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), "max_ttl": "720h"})
}

// TestACertificatesKeyIsGivenOnce, to the same caller again under the same key, and to nobody else.
func TestACertificatesKeyIsGivenOnce(t *testing.T) {
	b := newBench(t)
	roleHosts(b)
	app, other := b.token("pki/issue/hosts write"), b.token("pki/issue/hosts write")
	ask := func(token, key string) answer {
		return b.send(req("POST", base+"/secrets/pki/issue/hosts", token, `{"dns_names":["a.example.com"]}`).with("Idempotency-Key", key))
	}
	first := ask(app, "certificate-for-the-app-1").is(200)
	got := first.reply()
	_, err := tls.X509KeyPair([]byte(got["certificate"].(string)), []byte(got["private_key"].(string)))
	require.NoError(t, err)
	require.Equal(t, string(first.body), string(ask(app, "certificate-for-the-app-1").is(200).body))
	require.NotEqual(t, got["private_key"], ask(other, "certificate-for-the-app-1").is(200).reply()["private_key"])
	require.NotContains(t, b.log.String(), "PRIVATE KEY")
	require.Contains(t, got["lease_id"], "pki/hosts/")

	b.post("/leases/revoke/"+got["lease_id"].(string), app, `{}`).is(200)
	ask(app, "certificate-for-the-app-1").refused(fault.Conflict, "")
	require.Equal(t, "good", b.get("/secrets/pki/certificates/"+got["serial_number"].(string), b.root).is(200).reply()["state"], "until the backend is told")
	require.NoError(t, b.lending.PKI.EndLease(t.Context(), [16]byte{}, "1"))
}

// TestWhatATokenMayDoWithCertificates: a role's user neither writes the role nor signs anything else.
func TestWhatATokenMayDoWithCertificates(t *testing.T) {
	b := newBench(t)
	serial := b.certificate(b.root)["serial_number"].(string)
	app := b.token("pki/issue/hosts write", "pki/roles/hosts write", "pki/issuers/web write", "pki/sign/* read")
	b.post("/secrets/pki/issue/hosts", app, `{"dns_names":["b.example.com"]}`).is(200)
	for _, refused := range []answer{
		b.post("/secrets/pki/issue/other", app, `{}`), b.post("/secrets/pki/sign/hosts", app, body(t, map[string]any{"csr": csr(t, "a.example.com")})),
		b.put("/secrets/pki/roles/hosts", app, hostsBody), b.post("/secrets/pki/issuers/web/sign-verbatim", app, body(t, map[string]any{"csr": csr(t, "evil.org")})),
		b.post("/secrets/pki/issuers/web/cross-sign", app, `{"by":"web"}`), b.put("/secrets/pki/issuers/web/settings", app, `{"disabled":true}`),
		b.delete("/secrets/pki/issuers/web?force=true", app), b.post("/secrets/pki/certificates/"+serial+"/revoke", app, `{}`), b.post("/secrets/pki/revoke", app, `{"certificate":"x"}`),
		b.get("/secrets/pki/certificates", app), b.get("/secrets/pki/issuers", app), b.post("/secrets/pki/issuers/x", app, webBody),
	} {
		refused.refused(fault.Denied, "")
	}
	b.post("/secrets/pki/issue/hosts", app, `{"dns_names":["evil.org"]}`).refused(fault.Denied, "")
	b.post("/secrets/pki/issue/hosts", app, `{"common_name":"root"}`).refused(fault.Denied, "")
}

// TestThePKIOfAnotherTenantIsNotThere.
func TestThePKIOfAnotherTenantIsNotThere(t *testing.T) {
	b := newBench(t)
	got := b.certificate(b.root)
	serial := got["serial_number"].(string)
	b.tenant("acme")
	b.send(req("PUT", base+"/policies/all", b.root, rules("pki/* read,write,delete,list,sudo", "pki/issuers read,list", "pki/certificates list", "pki/roles list", "pki/revoke write")).with(tenantHeader, "acme")).is(200)
	acme := b.send(req("POST", base+"/tokens", b.root, `{"policies":["all"]}`).with(tenantHeader, "acme")).is(200).reply()["token"].(string)
	for _, url := range []string{"/secrets/pki/issuers/web", "/secrets/pki/roles/hosts", "/secrets/pki/certificates/" + serial} {
		b.get(url, acme).refused(fault.NotFound, "")
	}
	for url, sent := range map[string]string{"/secrets/pki/issue/hosts": `{"dns_names":["a.example.com"]}`, "/secrets/pki/sign/hosts": body(t, map[string]any{"csr": csr(t, "a.example.com")}),
		"/secrets/pki/issuers/web/sign-verbatim": body(t, map[string]any{"csr": csr(t, "a.example.com")}), "/secrets/pki/issuers/web/confirm": "{}", "/secrets/pki/issuers/web/default": "{}",
		"/secrets/pki/issuers/web/cross-sign": `{"by":"web"}`, "/secrets/pki/certificates/" + serial + "/revoke": "{}", "/secrets/pki/revoke": body(t, map[string]any{"certificate": got["certificate"]})} {
		b.post(url, acme, sent).refused(fault.NotFound, "")
	}
	b.put("/secrets/pki/issuers/web/settings", acme, `{"disabled":true}`).refused(fault.NotFound, "")
	b.put("/secrets/pki/roles/x", acme, hostsBody).refused(fault.NotFound, "")
	for _, url := range []string{"/secrets/pki/issuers/web?force=true", "/secrets/pki/roles/hosts"} {
		b.delete(url, acme).refused(fault.NotFound, "")
	}
	for _, url := range []string{"/secrets/pki/issuers", "/secrets/pki/roles", "/secrets/pki/certificates"} {
		require.Empty(t, b.get(url, acme).is(200).reply()["items"])
	}
}

func TestATenantWithIssuersIsNotDeleted(t *testing.T) {
	b := newBench(t)
	b.tenant("acme")
	in := func(method, url, body string) answer {
		return b.send(req(method, base+url, b.root, body).with(tenantHeader, "acme"))
	}
	in("POST", "/secrets/pki/issuers/web", webBody).is(200)
	require.Contains(t, b.delete("/tenants/acme", b.root).refused(fault.Conflict, "").reply()["detail"], "issuers of certificates")
	in("PUT", "/secrets/pki/roles/r", `{"domains":["*.example.com"]}`).is(200)
	in("PUT", "/secrets/pki/acme/r", `{}`).is(200)
	in("POST", "/secrets/pki/acme/r/keys", `{}`).is(200)
	in("DELETE", "/secrets/pki/issuers/web", "").is(200)
	b.delete("/tenants/acme", b.root).is(200)
}

func TestThePKIIsSwitchedOffUnlessItIsOn(t *testing.T) {
	off := newBench(t, func(o *Options) { o.EnablePKI = false })
	require.Contains(t, off.get("/secrets/pki/issuers", off.root).refused(fault.NotFound, "").reply()["detail"], "pki.enable_api")
	alone := newBench(t, func(o *Options) { o.EnableSecrets = false })
	issuerWeb(alone)
}

// TestAnACMEKeyIsGivenOnce, and nobody makes one for somebody else without sudo.
func TestAnACMEKeyIsGivenOnce(t *testing.T) {
	b := newBench(t)
	acmeOpen(b)
	app := b.token("pki/acme-keys/open write")
	ask := func(key string) answer {
		return b.send(req("POST", base+"/secrets/pki/acme/open/keys", app, `{}`).with("Idempotency-Key", key))
	}
	first := ask("an-account-for-the-app-1").is(200)
	require.Equal(t, string(first.body), string(ask("an-account-for-the-app-1").is(200).body))
	require.NotContains(t, b.log.String(), first.reply()["hmac_key"])
	b.post("/secrets/pki/acme/open/keys", app, `{"identity":"root"}`).refused(fault.Denied, "")
	b.put("/secrets/pki/acme/open", app, `{"open":true}`).refused(fault.Denied, "")
	b.put("/secrets/pki/roles/hosts", b.root, hostsBody).is(200)
	b.put("/secrets/pki/acme/hosts", b.root, `{}`).refused(fault.Conflict, "")
	b.tenant("acme")
	for method, url := range map[string]string{"GET": "/secrets/pki/acme/open", "POST": "/secrets/pki/acme/open/keys", "DELETE": "/secrets/pki/acme/open"} {
		b.send(req(method, base+url, b.root, map[string]string{"POST": "{}"}[method]).with(tenantHeader, "acme")).refused(fault.NotFound, "")
	}
}

func TestAKeyThatIsImportedIsInNoLog(t *testing.T) {
	b := newBench(t)
	sent := b.foreignCA()
	b.post("/secrets/pki/issuers/old/import", b.root, sent).is(200)
	var parts map[string]string
	require.NoError(t, json.Unmarshal([]byte(sent), &parts))
	block, _ := pem.Decode([]byte(parts["private_key"]))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	got, _ := pem.Decode([]byte(b.get("/secrets/pki/issuers/old", b.root).is(200).reply()["certificate"].(string)))
	c, err := x509.ParseCertificate(got.Bytes)
	require.NoError(t, err)
	require.True(t, c.PublicKey.(*ecdsa.PublicKey).Equal(key.(crypto.Signer).Public()))
	require.NotContains(t, b.log.String(), "PRIVATE KEY")
	require.NotContains(t, string(b.get("/audit/events", b.root).is(200).body), "PRIVATE KEY")
}
