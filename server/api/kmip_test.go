package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// aCA stands in a sample for the UID of a CA that may be removed.
const aCA = "CA-UID"

func kmipCAs(b *bench) { b.post("/kmip/ca", b.root, `{"algorithm":"ec-p256"}`).is(200) }

// oldCA is the UID of a client CA that another has followed.
func (b *bench) oldCA() string {
	uid := b.post("/kmip/ca", b.root, `{"algorithm":"ec-p256"}`).is(200).reply()["uid"].(string)
	b.post("/kmip/ca/rotate", b.root, `{"algorithm":"ec-p256"}`).is(200)
	return uid
}

func kmipRoleR(b *bench) { b.put("/kmip/roles/r", b.root, `{"operations":["Get"]}`).is(200) }

func kmipClientC(b *bench) {
	kmipCAs(b)
	b.post("/kmip/clients/c", b.root, `{"algorithm":"ec-p256"}`).is(200)
}

// kmipSubject is a client that is known by its subject from another's CA.
func kmipSubject(b *bench) {
	b.put("/kmip/ca/external/partner", b.root, partner.body()).is(200)
	b.post("/kmip/clients/c", b.root, `{"ca":"partner","subject_der":"`+partner.subject("app")+`"}`).is(200)
}

// kmipServer makes the CA of the cluster's servers, as a node with a port for KMIP does.
func kmipServer(b *bench) {
	id, err := newUID()
	require.NoError(b.t, err)
	_, _, err = b.api.opt.KMIP.EnsureServerCA(b.t.Context(), fsm.Request{ID: id, Tenant: fsm.RootTenant}, kmipclient.P256)
	require.NoError(b.t, err)
}

// kmipTenant makes a tenant and a token that may do all of KMIP's there.
func (b *bench) kmipTenant(name string) string {
	b.t.Helper()
	b.tenant(name)
	b.send(req("PUT", base+"/policies/kmip", b.root, rules("kmip/* read,write,delete,list,sudo")).with(tenantHeader, name)).is(200)
	return b.send(req("POST", base+"/tokens", b.root, `{"policies":["kmip"]}`).with(tenantHeader, name)).is(200).reply()["token"].(string)
}

// certified is a CA that somebody else keeps.
type certified struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var partner = newCertified("partner")

func newCertified(name string) certified {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := certified{&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}, key}
	c.cert = c.issue(c.cert, key)
	return c
}

func (c certified) issue(t *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.SerialNumber, t.NotBefore, t.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, &key.PublicKey, c.key)
	if err != nil {
		panic(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return out
}

// leaf issues a certificate for a key of its own.
func (c certified) leaf(name string) *x509.Certificate {
	return c.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}}, newCertified(name).key)
}

func (c certified) subject(name string) string {
	return base64.StdEncoding.EncodeToString(c.leaf(name).RawSubject)
}

func (c certified) body() string { return certificateBody(c.cert) }

func certificateBody(c *x509.Certificate) string {
	return `{"certificate":` + quoted(certificatePEM(c.Raw)) + `}`
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func parsedPEM(t testing.TB, s any) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(s.(string)))
	require.NotNil(t, block)
	c, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return c
}

// comes is what a KMIP server does with a certificate: it returns the name of the client that shows it, "" for nobody's.
func (b *bench) comes(chain ...*x509.Certificate) string {
	b.t.Helper()
	v, err := b.store.View()
	require.NoError(b.t, err)
	defer v.Close()
	c, err := b.api.opt.KMIP.Authenticate(v, chain, b.api.now(v))
	if err != nil {
		require.Equal(b.t, fault.Unauthenticated, fault.KindOf(err), "%v", err)
	}
	return c.Name
}

// credential says of each credential whether the client with this certificate may show it.
func (b *bench) credential(leaf *x509.Certificate, each ...kmipclient.Credential) (out []bool) {
	v, err := b.store.View()
	require.NoError(b.t, err)
	defer v.Close()
	c, err := b.api.opt.KMIP.Authenticate(v, []*x509.Certificate{leaf}, b.api.now(v))
	require.NoError(b.t, err)
	for _, one := range each {
		out = append(out, b.api.opt.KMIP.CheckCredential(v, c, one) == nil)
	}
	return out
}

func TestKMIPIsOffUnlessItIsOn(t *testing.T) {
	b := newBench(t, func(o *Options) { o.EnableKMIP = false })
	require.Contains(t, b.get("/kmip/clients", b.root).refused(fault.NotFound, "").reply()["detail"], "kmip.enable_api")
	b.post("/kmip/ca", b.root, `{}`).refused(fault.NotFound, "")
}

// TestAKMIPKeyThatWasMadeIsTheCertificatesAndComesIn: what was issued logs in, and is shown again only to who repeats the request.
func TestAKMIPKeyThatWasMadeIsTheCertificatesAndComesIn(t *testing.T) {
	b := newBench(t)
	b.post("/kmip/clients/c", b.root, `{}`).refused(fault.Conflict, "")
	kmipCAs(b)
	q := req("POST", base+"/kmip/clients/c", b.root, `{"algorithm":"ec-p256","ttl":"48h","password":{"username":"u","password":"a password"}}`).with(idempotencyKey, "once")
	first := b.send(q).is(200)
	made := first.reply()
	pair, err := tls.X509KeyPair([]byte(made["certificate"].(string)), []byte(made["private_key"].(string)))
	require.NoError(t, err)
	require.Equal(t, "c", b.comes(pair.Leaf))
	require.WithinDuration(t, time.Now().Add(48*time.Hour), pair.Leaf.NotAfter, time.Minute)
	require.NoError(t, pair.Leaf.CheckSignatureFrom(parsedPEM(t, made["ca_certificate"])))
	sum := sha256.Sum256(pair.Leaf.Raw)
	require.Equal(t, hex.EncodeToString(sum[:]), made["fingerprint"])

	require.Equal(t, []bool{true, false}, b.credential(pair.Leaf, kmipclient.Password{Username: "u", Password: []byte("a password")}, kmipclient.Password{Username: "u", Password: []byte("another one")}))

	again := b.send(q).is(200)
	require.Equal(t, "true", again.header.Get(replayedHeader))
	require.Equal(t, string(first.body), string(again.body))
	info := b.get("/kmip/clients/c", b.root).is(200)
	require.NotContains(t, string(info.body), "private_key")
	require.Equal(t, "u", info.reply()["username"])
	b.post("/kmip/clients/c/revoke", b.root, `{}`).is(200)
	b.send(q).refused(fault.Conflict, "")
	require.Empty(t, b.comes(pair.Leaf))
	require.Equal(t, "revoked", b.get("/kmip/clients/c", b.root).is(200).reply()["state"])
	require.NotContains(t, b.log.String(), "a password")
	require.NotContains(t, b.log.String(), "PRIVATE KEY")
}

// TestByWhatAKMIPClientCanBeKnown enrols by each source, and has its certificate come in.
func TestByWhatAKMIPClientCanBeKnown(t *testing.T) {
	b := newBench(t)
	kmipCAs(b)
	b.put("/kmip/ca/external/partner", b.root, partner.body()).is(200)
	key := newCertified("x").key
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "root"}}, key)
	require.NoError(t, err)
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	made := b.post("/kmip/clients/request", b.root, `{"csr":`+quoted(csr)+`}`).is(200).reply()
	require.NotContains(t, made, "private_key")
	require.Equal(t, "request", made["kind"])
	require.Equal(t, "request", b.comes(parsedPEM(t, made["certificate"])))

	print := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	for kind, body := range map[string]func(*x509.Certificate) string{
		"certificate": certificateBody,
		"fingerprint": func(c *x509.Certificate) string { return `{"fingerprint":"` + strings.ToUpper(print(c.Raw)) + `"}` },
		"public-key": func(c *x509.Certificate) string {
			return `{"public_key_fingerprint":"` + print(c.RawSubjectPublicKeyInfo) + `"}`
		},
		"subject": func(c *x509.Certificate) string {
			return `{"ca":"partner","subject_der":"` + base64.StdEncoding.EncodeToString(c.RawSubject) + `"}`
		},
	} {
		leaf := partner.leaf(kind)
		require.Empty(t, b.comes(leaf, partner.cert), kind)
		require.Equal(t, kind, b.post("/kmip/clients/"+kind, b.root, body(leaf)).is(200).reply()["kind"])
		require.Equal(t, kind, b.comes(leaf, partner.cert), kind)
		b.post("/kmip/clients/other", b.root, body(leaf)).refused(fault.Conflict, "")
		bindings := b.get("/kmip/clients/"+kind, b.root).is(200).reply()["bindings"].([]any)
		require.Equal(t, kind, bindings[0].(map[string]any)["kind"])
		if kind == "subject" {
			require.Equal(t, "CN=subject", bindings[0].(map[string]any)["subject"])
		}
	}
}

func TestKMIPEnrolmentsThatAreRefused(t *testing.T) {
	b := newBench(t)
	kmipCAs(b)
	long := strings.Repeat("x", 40<<10)
	for body, field := range map[string]string{
		`{"csr":"x","certificate":"x"}`:                                 "",
		`{"csr":""}`:                                                    "csr",
		`{"csr":"` + long + `"}`:                                        "csr",
		`{"certificate":"x"}`:                                           "certificate",
		`{"certificate":"` + long + `"}`:                                "certificate",
		`{"certificate":"x","algorithm":"ec-p256"}`:                     "algorithm",
		`{"fingerprint":"00"}`:                                          "fingerprint",
		`{"fingerprint":""}`:                                            "fingerprint",
		`{"public_key_fingerprint":"zz"}`:                               "public_key_fingerprint",
		`{"fingerprint":"` + strings.Repeat("0", 64) + `"}`:             "fingerprint",
		`{"fingerprint":"` + strings.Repeat("0", 64) + `","ttl":"24h"}`: "ttl",
		`{"subject_der":"MAA="}`:                                        "ca",
		`{"ca":"x"}`:                                                    "ca",
		`{"subject_der":"MAA=","ca":"a/b"}`:                             "ca",
		`{"subject_der":"MAA=","ca":"x"}`:                               "subject",
		`{"algorithm":"rsa-1024"}`:                                      "algorithm",
		`{"ttl":"1s"}`:                                                  "ttl",
		`{"ttl":"999999h"}`:                                             "ttl",
		`{"role":""}`:                                                   "role",
		`{"role":"a/b"}`:                                                "role",
		`{"role":"` + long + `"}`:                                       "role",
		`{"algorithm":"ec-p256","password":{"username":"u"}}`:           "password.password",
		`{"algorithm":"ec-p256","password":{"username":"u","password":"short"}}`: "password",
		`{"algorithm":"ec-p256","device":{}}`:                                    "device",
		`{"private_key":"x"}`:                                                    "private_key",
	} {
		b.post("/kmip/clients/c", b.root, body).refused(fault.Invalid, field)
	}
	b.post("/kmip/clients/c", b.root, `{"algorithm":"ec-p256","role":"none"}`).refused(fault.NotFound, "")
	b.post("/kmip/clients/a%20b", b.root, `{"algorithm":"ec-p256"}`).refused(fault.Invalid, "name")
	b.post("/kmip/clients/c/renew", b.root, `{"algorithm":"ec-p256"}`).refused(fault.NotFound, "")
	require.Empty(t, b.get("/kmip/clients", b.root).is(200).reply()["items"])
}

func TestAKMIPClientsLife(t *testing.T) {
	b := newBench(t)
	kmipRoleR(b)
	kmipClientC(b)
	old := parsedPEM(t, b.get("/kmip/clients/c", b.root).is(200).reply()["bindings"].([]any)[0].(map[string]any)["certificate"])
	b.post("/kmip/clients/c/renew", b.root, `{"algorithm":"ec-p256","overlap":"-1h"}`).refused(fault.Invalid, "overlap")
	b.post("/kmip/clients/c/renew", b.root, `{"algorithm":"ec-p256","overlap":"9999h"}`).refused(fault.Invalid, "overlap")
	made := b.post("/kmip/clients/c/renew", b.root, `{"algorithm":"ec-p256","overlap":"0s"}`).is(200).reply()
	require.EqualValues(t, 2, made["number"])
	fresh := parsedPEM(t, made["certificate"])
	require.Equal(t, [2]string{"", "c"}, [2]string{b.comes(old), b.comes(fresh)})

	patch := func(body string) answer { return b.do("PATCH", "/kmip/clients/c", b.root, body) }
	patch(`{"role":"r","device":{"serial_number":"s","password":"p","media_identifier":"m"}}`).is(200)
	require.Equal(t, []bool{true, false}, b.credential(fresh, kmipclient.Device{Serial: "s", Password: []byte("p"), Media: "m"}, kmipclient.Device{Serial: "s", Password: []byte("p")}))
	info := b.get("/kmip/clients/c", b.root).is(200).reply()
	require.Equal(t, []any{"r", "s", true}, []any{info["role"], info["device_serial_number"], info["device"]})
	b.delete("/kmip/roles/r", b.root).refused(fault.Conflict, "")
	patch(`{"remove_device":true,"device":{"serial_number":"s"}}`).refused(fault.Invalid, "remove_device")
	patch(`{"remove_password":true,"password":{"username":"u","password":"12345678"}}`).refused(fault.Invalid, "remove_password")
	patch(`{"role":"none"}`).refused(fault.NotFound, "")
	patch(`{"role":"../x"}`).refused(fault.Invalid, "role")
	patch(`{"remove_device":true,"role":"default"}`).is(200)
	require.Equal(t, false, b.get("/kmip/clients/c", b.root).is(200).reply()["device"])

	b.post("/kmip/clients/c/bindings/revoke", b.root, `{}`).refused(fault.Invalid, "number")
	b.post("/kmip/clients/c/bindings/revoke", b.root, `{"number":9}`).refused(fault.NotFound, "")
	b.post("/kmip/clients/c/bindings/revoke", b.root, `{"number":0}`).refused(fault.NotFound, "")
	b.post("/kmip/clients/c/bindings/revoke", b.root, `{"number":2}`).is(200)
	require.Empty(t, b.comes(fresh))
	require.Equal(t, "active", b.get("/kmip/clients/c", b.root).is(200).reply()["state"])
	b.post("/kmip/clients/c/revoke", b.root, `{"number":2}`).refused(fault.Invalid, "number")
	b.delete("/kmip/clients/c", b.root).is(200)
	b.get("/kmip/clients/c", b.root).refused(fault.NotFound, "")
	b.post("/kmip/clients/c/revoke", b.root, `{}`).refused(fault.NotFound, "")
	b.post("/kmip/clients/c", b.root, certificateBody(fresh)).refused(fault.Conflict, "")
}

// TestWhoGivesAKMIPRoleMayReadIt: else a writer of clients would hand out what they may not see.
func TestWhoGivesAKMIPRoleMayReadIt(t *testing.T) {
	b := newBench(t)
	kmipCAs(b)
	kmipRoleR(b)
	some := b.token("kmip/clients/* write", "kmip/roles/r read")
	b.post("/kmip/clients/c", some, `{"algorithm":"ec-p256"}`).refused(fault.Denied, "")
	b.post("/kmip/clients/c", some, `{"algorithm":"ec-p256","role":"other"}`).refused(fault.Denied, "")
	b.post("/kmip/clients/c", some, `{"algorithm":"ec-p256","role":"r"}`).is(200)
	b.do("PATCH", "/kmip/clients/c", some, `{"role":"default"}`).refused(fault.Denied, "")
	b.do("PATCH", "/kmip/clients/c", some, `{"password":{"username":"u","password":"12345678"}}`).is(200)
	b.post("/kmip/clients/c/revoke", some, `{}`).refused(fault.Denied, "")
	b.post("/kmip/confirm", some, `{}`).refused(fault.Denied, "")
}

func TestKMIPRoles(t *testing.T) {
	b := newBench(t)
	put := func(body string) answer { return b.put("/kmip/roles/r", b.root, body) }
	got := put(`{"operations":["Get","CreateKeyPair","0x01","Get"],"max_objects":7,"rsa_1024":true}`).is(200).reply()
	require.Equal(t, []any{"Create", "CreateKeyPair", "Get"}, got["operations"])
	require.Equal(t, []any{"@own"}, got["groups"])
	require.Equal(t, got, b.get("/kmip/roles/r", b.root).is(200).reply())
	delete(got, "name")
	round, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(b.get("/kmip/roles/r", b.root).body), string(put(string(round)).is(200).body), "what is read can be written")

	for body, field := range map[string]string{
		`{}`: "operations",
		`{"all_operations":true,"operations":["Get"]}`: "operations",
		`{"operations":["Get","Fly"]}`:                 "operations[1]",
		`{"operations":["0x7fffffff"]}`:                "operations[0]",
		`{"operations":[""]}`:                          "operations[0]",
		`{"all_operations":true,"groups":["*","x"]}`:   "groups",
		`{"all_operations":true,"groups":["@all"]}`:    "groups",
		`{"all_operations":true,"groups":[""]}`:        "groups",
		`{"all_operations":true,"max_objects":-1}`:     "max_objects",
	} {
		put(body).refused(fault.Invalid, field)
	}
	b.put("/kmip/roles/default", b.root, `{"all_operations":true}`).refused(fault.Conflict, "")
	b.delete("/kmip/roles/default", b.root).refused(fault.Conflict, "")
	b.put("/kmip/roles/a%20b", b.root, `{"all_operations":true}`).refused(fault.Invalid, "name")
	b.get("/kmip/roles/a%20b", b.root).refused(fault.Invalid, "name")
	b.get("/kmip/roles/none", b.root).refused(fault.NotFound, "")
	b.put("/kmip/roles/s", b.root, `{"all_operations":true}`).is(200)
	names := func(token, query string) (out []any, next any) {
		page := b.get("/kmip/roles"+query, token).is(200).reply()
		for _, i := range page["items"].([]any) {
			out = append(out, i.(map[string]any)["name"])
		}
		return out, page["next_cursor"]
	}
	all, next := names(b.root, "?limit=2")
	require.Equal(t, []any{"default", "r"}, all)
	rest, end := names(b.root, "?limit=2&cursor="+next.(string))
	require.Equal(t, []any{[]any{"s"}, ""}, []any{rest, end})
	some, _ := names(b.token("kmip/roles list", "kmip/roles/r deny"), "")
	require.Equal(t, []any{"default", "s"}, some, "a list leaves out what a rule denies")
	b.delete("/kmip/roles/r", b.root).is(200)
}

func TestKMIPAuthorities(t *testing.T) {
	b := newBench(t)
	b.post("/kmip/ca/rotate", b.root, `{}`).refused(fault.Conflict, "")
	b.post("/kmip/ca", b.root, `{"algorithm":"rsa-1024"}`).refused(fault.Invalid, "algorithm")
	first := b.oldCA()
	b.post("/kmip/ca", b.root, `{}`).refused(fault.Conflict, "")
	b.put("/kmip/ca/external/partner", b.root, partner.body()).is(200)
	b.put("/kmip/ca/external/other", b.root, partner.body()).refused(fault.Conflict, "")
	b.put("/kmip/ca/external/leaf", b.root, certificateBody(partner.leaf("x"))).refused(fault.Invalid, "certificate")
	b.put("/kmip/ca/external/a%20b", b.root, partner.body()).refused(fault.Invalid, "name")
	b.put("/kmip/ca/external/x", b.root, `{}`).refused(fault.Invalid, "certificate")
	kinds := func(token string) (out []any) {
		for _, i := range b.get("/kmip/ca", token).is(200).reply()["items"].([]any) {
			out = append(out, i.(map[string]any)["kind"])
		}
		return out
	}
	require.Equal(t, []any{"client", "client", "external"}, kinds(b.root))
	require.Equal(t, []any{"client", "external"}, kinds(b.token("kmip/ca list", "kmip/ca/"+first+" deny")))
	for _, uid := range []string{"x", strings.ToUpper(first), strings.Repeat("0", 32), "external"} {
		b.delete("/kmip/ca/"+uid, b.root).refused(fault.NotFound, "")
	}
	require.EqualValues(t, 1, b.delete("/kmip/ca/"+first, b.root).is(200).reply()["generation"])
	for _, i := range b.get("/kmip/ca", b.root).is(200).reply()["items"].([]any) {
		if ca := i.(map[string]any); ca["kind"] == "client" {
			b.delete("/kmip/ca/"+ca["uid"].(string), b.root).refused(fault.Conflict, "")
		}
	}
}

// TestKMIPServerRoots: every tenant may learn whom its clients must trust, and the root tenant alone changes it.
func TestKMIPServerRoots(t *testing.T) {
	b := newBench(t)
	b.get("/kmip/server/roots", b.root).refused(fault.NotFound, "")
	b.post("/kmip/server/rotate", b.root, `{"delay":"0s"}`).refused(fault.Conflict, "")
	kmipServer(b)
	acme := b.kmipTenant("acme")
	count := func() int {
		return strings.Count(b.get("/kmip/server/roots", acme).is(200).reply()["certificates"].(string), "BEGIN CERTIFICATE")
	}
	require.Equal(t, 1, count())
	b.post("/kmip/server/rotate", acme, `{"delay":"0s"}`).refused(fault.NotFound, "")
	b.post("/kmip/server/rotate", b.root, `{}`).refused(fault.Invalid, "delay")
	b.post("/kmip/server/rotate", b.root, `{"delay":"9999h"}`).refused(fault.Invalid, "delay")
	b.post("/kmip/server/rotate", b.root, `{"delay":"24h","algorithm":"ec-p256"}`).is(200)
	require.Equal(t, 2, count())
}

func TestKMIPOfTwoTenants(t *testing.T) {
	b := newBench(t)
	acme, umbra := b.kmipTenant("acme"), b.kmipTenant("umbra")
	uid := b.post("/kmip/ca", acme, `{"algorithm":"ec-p256"}`).is(200).reply()["uid"].(string)
	b.post("/kmip/ca/rotate", acme, `{"algorithm":"ec-p256"}`).is(200)
	b.put("/kmip/roles/r", acme, `{"all_operations":true}`).is(200)
	made := b.post("/kmip/clients/c", acme, `{"algorithm":"ec-p256"}`).is(200).reply()
	for _, q := range []*ask{req("GET", base+"/kmip/clients/c", umbra, ""), req("DELETE", base+"/kmip/clients/c", umbra, ""),
		req("PATCH", base+"/kmip/clients/c", umbra, `{"remove_password":true}`), req("POST", base+"/kmip/clients/c/renew", umbra, certificateBody(partner.leaf("x"))),
		req("POST", base+"/kmip/clients/c/revoke", umbra, "{}"), req("POST", base+"/kmip/clients/c/confirm", umbra, "{}"),
		req("POST", base+"/kmip/clients/c/bindings/revoke", umbra, `{"number":1}`), req("GET", base+"/kmip/roles/r", umbra, ""),
		req("DELETE", base+"/kmip/roles/r", umbra, ""), req("DELETE", base+"/kmip/ca/"+uid, umbra, "")} {
		b.send(q).refused(fault.NotFound, "")
		b.send(q.with(tenantHeader, "acme")).refused(fault.NotFound, "")
	}
	require.Empty(t, b.get("/kmip/clients", umbra).is(200).reply()["items"])
	require.Empty(t, b.get("/kmip/ca", umbra).is(200).reply()["items"])
	b.post("/kmip/clients/c", umbra, certificateBody(parsedPEM(t, made["certificate"]))).refused(fault.Conflict, "")
	b.send(req("GET", base+"/kmip/clients/c", b.root, "").with(tenantHeader, "acme")).is(200)
}

// TestKMIPClientsWaitAfterARestore: each is let in by itself, or all are, and those who were revoked stay out.
func TestKMIPClientsWaitAfterARestore(t *testing.T) {
	b := newBench(t)
	kmipClientC(b)
	for _, name := range []string{"d", "gone"} {
		b.post("/kmip/clients/"+name, b.root, `{"algorithm":"ec-p256"}`).is(200)
	}
	b.post("/kmip/clients/gone/revoke", b.root, `{}`).is(200)
	for _, path := range []string{"/kmip/clients/c/confirm", "/kmip/confirm"} {
		before := b.digest()
		b.post(path, b.root, `{}`).is(200)
		require.Equal(t, before, b.digest(), "there is nothing to confirm")
	}
	b.restored()
	states := func() (out []any) {
		for _, i := range b.get("/kmip/clients", b.root).is(200).reply()["items"].([]any) {
			out = append(out, i.(map[string]any)["state"])
		}
		return out
	}
	require.Equal(t, []any{"suspended", "suspended", "revoked"}, states())
	b.post("/kmip/clients/c/confirm", b.root, `{}`).is(200)
	b.post("/kmip/clients/gone/confirm", b.root, `{}`).is(200)
	b.post("/kmip/clients/none/confirm", b.root, `{}`).refused(fault.NotFound, "")
	require.Equal(t, []any{"active", "suspended", "revoked"}, states())
	b.post("/kmip/confirm", b.root, `{}`).is(200)
	require.Equal(t, []any{"active", "active", "revoked"}, states())
}

// restored begins another history of the cluster, with a root token of its own.
func (b *bench) restored() {
	for _, events := range [][]fsm.Event{{fsm.Restored{Epoch: 2, From: 1, How: "restore"}}, b.rootToken()} {
		e := &fsm.Entry{Tenant: fsm.RootTenant}
		e.Add(events...)
		_, err := b.raft.Propose(b.t.Context(), e)
		require.NoError(b.t, err)
	}
}

func (b *bench) rootToken() []fsm.Event {
	events, token, err := b.api.opt.Tokens.Found(0)
	require.NoError(b.t, err)
	b.root = string(token)
	return events
}

// material is of the objects that a client keeps.
const material = "0123456789abcdef"

// keep makes an object of the root tenant as a client would.
func (b *bench) keep(id string, attributes ...managedkey.Value) {
	uid, err := newUID()
	require.NoError(b.t, err)
	_, err = b.api.opt.Objects.Commit(b.t.Context(), fsm.Request{ID: uid, Tenant: fsm.RootTenant}, func(s *managedkey.Stage) error {
		_, err := s.Import(managedkey.Spec{Type: managedkey.SymmetricKey, Owner: "client-1", Material: []byte(material), Attributes: attributes,
			Key: managedkey.Key{Format: managedkey.RawFormat, Algorithm: managedkey.AES, Length: 128}, Past: &managedkey.Past{ID: id, Initial: fsm.At(time.Now().Add(-time.Hour))}})
		return err
	})
	require.NoError(b.t, err)
}

func kmipObjectO(b *bench) {
	b.keep("o-1", managedkey.Value{Attribute: managedkey.AttrName, Value: managedkey.Name{Value: "disk 7", Type: managedkey.TextName}},
		managedkey.Value{Attribute: managedkey.AttrUsage, Value: managedkey.UsageMask(12)}, managedkey.Value{Attribute: managedkey.AttrGroup, Value: "disks"})
}

func TestKMIPObjectsAreShownWithoutTheirMaterial(t *testing.T) {
	b := newBench(t)
	kmipObjectO(b)
	got := b.get("/kmip/objects/o-1", b.root).is(200)
	o := got.reply()
	require.Equal(t, []any{"SymmetricKey", "PreActive", "AES", 128.0, "client-1", []any{"disk 7"}, []any{"disks"}, []any{"Encrypt", "Decrypt"}},
		[]any{o["type"], o["state"], o["algorithm"], o["length"], o["owner"], o["names"], o["groups"], o["usage"]})
	for _, secret := range []string{material, b64(material), hex.EncodeToString([]byte(material))} {
		require.NotContains(t, string(got.body), secret)
	}
	for _, id := range []string{"o-2", "o-3"} {
		b.keep(id)
	}
	list := func(token, query string) (out []any, next string) {
		page := b.get("/kmip/objects"+query, token).is(200).reply()
		for _, i := range page["items"].([]any) {
			out = append(out, i.(map[string]any)["id"])
		}
		return out, page["next_cursor"].(string)
	}
	first, next := list(b.root, "?limit=2")
	rest, end := list(b.root, "?limit=2&cursor="+next)
	require.Equal(t, []any{"o-3", "o-2", "o-1"}, append(first, rest...))
	require.Empty(t, end)
	seen, _ := list(b.token("kmip/objects list", "kmip/objects/o-2 deny"), "")
	require.Equal(t, []any{"o-3", "o-1"}, seen)
	for _, cursor := range []string{"x", "d", "-1", "dd1"} {
		b.get("/kmip/objects?cursor="+cursor, b.root).refused(fault.Invalid, "cursor")
	}
	told := b.get("/kmip/objects/none", b.root).refused(fault.NotFound, "").reply()["detail"]
	require.Equal(t, `there is no managed object "none": trstctl kmip object list shows those that there are`, told)
	b.get("/kmip/objects/"+strings.Repeat("x", 4000), b.root).refused(fault.NotFound, "")
	acme := b.kmipTenant("acme")
	b.get("/kmip/objects/o-1", acme).refused(fault.NotFound, "")
	none, _ := list(acme, "")
	require.Empty(t, none)
}

func TestCursorsOfKMIPObjects(t *testing.T) {
	for _, at := range []managedkey.Cursor{{}, {Number: 7}, {Dead: true, Number: 7}, {Dead: true}} {
		back, err := parseObjectCursor(objectCursor(at))
		require.NoError(t, err)
		require.Equal(t, at, back)
	}
}
