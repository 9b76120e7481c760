package api

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// aBackup stands in a sample for the body that restores a key that was deleted.
const aBackup = "BACKUP"

var k = map[string]string{"name": "k"}

// wrapTo is a key to which others wrap.
var wrapTo = func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}()

func key(name, algorithm string) func(*bench) {
	body := `{}`
	if algorithm != "" {
		body = `{"algorithm":"` + algorithm + `"}`
	}
	return func(b *bench) { b.post("/transit/keys/"+name, b.root, body).is(200) }
}

func wrapping(b *bench) { b.post("/transit/wrapping-key", b.root, `{}`).is(200) }

func trimmable(b *bench) {
	key("k", "")(b)
	b.post("/transit/keys/k/rotate", b.root, `{}`).is(200)
	b.post("/transit/keys/k/configure", b.root, `{"min_decryption_version":2}`).is(200)
}

// backup is the body that restores a key, which was deleted.
func (b *bench) backup(name string) string {
	wrapping(b)
	b.post("/transit/keys/"+name, b.root, `{"deletion_allowed":true}`).is(200)
	saved := b.get("/transit/backup/"+name, b.root).is(200).reply()["backup"].(string)
	b.delete("/transit/keys/"+name, b.root).is(200)
	return `{"backup":"` + saved + `"}`
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// use uses a key as root and returns the answer.
func (b *bench) use(op, name, body string) map[string]any {
	b.t.Helper()
	return b.post("/transit/"+op+"/"+name, b.root, body).is(200).reply()
}

func TestTransitThereAndBack(t *testing.T) {
	b := newBench(t)
	for _, algorithm := range []string{"aes256-gcm", "aes128-gcm", "chacha20-poly1305", "xchacha20-poly1305", "rsa-2048"} {
		key("k-"+algorithm, algorithm)(b)
		sealed := b.use("encrypt", "k-"+algorithm, `{"plaintext":"`+b64("attack at dawn")+`","associated_data":"eA=="}`)
		require.EqualValues(t, 1, sealed["key_version"])
		token := sealed["ciphertext"].(string)
		require.True(t, strings.HasPrefix(token, "trv:1:"))
		open := func(more string) answer {
			return b.post("/transit/decrypt/k-"+algorithm, b.root, `{"ciphertext":"`+token+`"`+more+`}`)
		}
		require.Equal(t, b64("attack at dawn"), open(`,"associated_data":"eA=="`).is(200).reply()["plaintext"])
		require.Equal(t, "cannot be decrypted", open("").refused(fault.Invalid, "").reply()["detail"])
		require.Equal(t, "cannot be decrypted", open(`,"associated_data":"eQ=="`).refused(fault.Invalid, "").reply()["detail"])
	}
}

func TestABatchIsAnsweredInOrderWithItsErrors(t *testing.T) {
	b := newBench(t)
	key("k", "")(b)
	items := b.use("encrypt", "k", `{"items":[{"plaintext":"YQ=="},{"plaintext":"not base64"},{},{"plaintext":"","key_version":7},{"plaintext":""},{"plaintext":"Yg==","context":"YQ=="}]}`)["items"].([]any)
	require.Len(t, items, 6)
	wrong := func(i int) map[string]any { return items[i].(map[string]any)["error"].(map[string]any) }
	require.Equal(t, "plaintext", wrong(1)["field"])
	require.Contains(t, wrong(1)["detail"], "base64")
	require.Contains(t, wrong(2)["detail"], "missing")
	require.Equal(t, "key_version", wrong(3)["field"])
	require.Equal(t, "context", wrong(5)["field"])
	again := b.use("decrypt", "k", fmt.Sprintf(`{"items":[{"ciphertext":%q},{"ciphertext":"trv:1:AAAA"},{"ciphertext":%q}]}`,
		items[4].(map[string]any)["ciphertext"], items[0].(map[string]any)["ciphertext"]))["items"].([]any)
	require.Equal(t, map[string]any{"plaintext": ""}, again[0])
	require.Equal(t, "cannot be decrypted", again[1].(map[string]any)["error"].(map[string]any)["detail"])
	require.Equal(t, map[string]any{"plaintext": "YQ=="}, again[2])

	b.post("/transit/encrypt/k", b.root, `{"items":[]}`).refused(fault.Invalid, "items")
	b.post("/transit/encrypt/k", b.root, `{"items":[{"plaintext":""}],"plaintext":"YQ=="}`).refused(fault.Invalid, "items")
	many := `{"items":[` + strings.Repeat(`{"plaintext":""},`, 1000) + `{"plaintext":""}]}`
	b.post("/transit/encrypt/k", b.root, many).refused(fault.Invalid, "items")
	require.Len(t, b.use("encrypt", "k", strings.Replace(many, `{"plaintext":""},`, "", 1))["items"], 1000)
	b.post("/transit/encrypt/k", b.root, `{}`).refused(fault.Invalid, "plaintext")
	b.post("/transit/encrypt/none", b.root, `{"items":[{"plaintext":""}]}`).refused(fault.NotFound, "")
	b.post("/transit/encrypt/k?at=stale", b.root, `{"plaintext":""}`).refused(fault.Invalid, "at")
}

func TestTransitOfTwoTenants(t *testing.T) {
	b := newBench(t)
	acme, umbra := b.tenant("acme"), b.tenant("umbra")
	b.post("/transit/keys/k", acme, `{}`).is(200)
	token := b.post("/transit/encrypt/k", acme, `{"plaintext":"YQ=="}`).is(200).reply()["ciphertext"].(string)
	body := `{"ciphertext":"` + token + `"}`
	b.post("/transit/decrypt/k", umbra, body).refused(fault.NotFound, "")
	for _, q := range []*ask{req("GET", base+"/transit/keys/k", umbra, ""), req("DELETE", base+"/transit/keys/k", umbra, ""),
		req("POST", base+"/transit/keys/k/rotate", umbra, "{}"), req("GET", base+"/transit/export/k", umbra, ""), req("GET", base+"/transit/backup/k", umbra, "")} {
		b.send(q).refused(fault.NotFound, "")
		b.send(q.with(tenantHeader, "acme")).refused(fault.NotFound, "")
	}
	b.post("/transit/keys/k", umbra, `{}`).is(200)
	require.Equal(t, "cannot be decrypted", b.post("/transit/decrypt/k", umbra, body).refused(fault.Invalid, "").reply()["detail"])
	require.Equal(t, "YQ==", b.post("/transit/decrypt/k", acme, body).is(200).reply()["plaintext"])
	require.Equal(t, "YQ==", b.send(req("POST", base+"/transit/decrypt/k", b.root, body).with(tenantHeader, "acme")).is(200).reply()["plaintext"])
}

func TestSignaturesAndMACs(t *testing.T) {
	b := newBench(t)
	for algorithm, how := range map[string]string{"ed25519": "", "ecdsa-p256": `,"encoding":"jws"`, "ecdsa-p384": "", "rsa-2048": `,"scheme":"pkcs1v15","hash":"sha2-512"`} {
		key("k-"+algorithm, algorithm)(b)
		token := b.use("sign", "k-"+algorithm, `{"input":"aGk="`+how+`}`)["signature"].(string)
		check := func(input, how string) any {
			return b.use("verify", "k-"+algorithm, `{"input":"`+input+`","signature":"`+token+`"`+how+`}`)["valid"]
		}
		require.Equal(t, true, check("aGk=", how), algorithm)
		require.Equal(t, false, check("aGo=", how), algorithm)
		if how != "" {
			require.Equal(t, false, check("aGk=", ""), algorithm)
		}
	}
	key("k", "hmac-sha256")(b)
	mac := b.use("hmac", "k", `{"input":"aGk="}`)["hmac"].(string)
	require.Equal(t, true, b.use("verify", "k", `{"input":"aGk=","hmac":"`+mac+`"}`)["valid"])
	require.Equal(t, false, b.use("verify", "k", `{"input":"","hmac":"`+mac+`"}`)["valid"])
	b.post("/transit/verify/k", b.root, `{"input":"aGk=","hmac":"`+mac+`","signature":"x"}`).refused(fault.Invalid, "signature")
	b.post("/transit/verify/k", b.root, `{"input":"aGk=","hmac":"`+mac+`","scheme":"pss"}`).refused(fault.Invalid, "hmac")
	b.post("/transit/sign/k", b.root, `{"input":"aGk="}`).refused(fault.Invalid, "")
	b.post("/transit/hmac/k", b.root, `{"input":"aGk=","hash":"md5"}`).refused(fault.Invalid, "hash")
}

func TestDataKeysAndTheirPolicies(t *testing.T) {
	b := newBench(t)
	key("k", "")(b)
	key("kem", "ml-kem-768")(b)
	for _, name := range []string{"k", "kem"} {
		made := b.use("datakey-plaintext", name, `{"bits":512}`)
		opened := b.use("decrypt", name, `{"ciphertext":"`+made["ciphertext"].(string)+`"`+map[string]string{"k": "", "kem": `,"bits":512`}[name]+`}`)
		require.Equal(t, made["plaintext"], opened["plaintext"])
		require.Len(t, made["plaintext"], base64.StdEncoding.EncodedLen(64))
		require.NotContains(t, b.use("datakey", name, `{}`), "plaintext")
	}
	blind := b.token("transit/datakey/k write", "transit/encrypt/* write")
	b.post("/transit/datakey/k", blind, `{}`).is(200)
	b.post("/transit/datakey-plaintext/k", blind, `{}`).refused(fault.Denied, "")
	b.post("/transit/decrypt/k", blind, `{"ciphertext":"x"}`).refused(fault.Denied, "")
	b.post("/transit/decrypt/none", blind, `{"ciphertext":"x"}`).refused(fault.Denied, "")
	b.post("/transit/decrypt/k", b.root, `{"ciphertext":"trv:1:AAAA","bits":256}`).refused(fault.Invalid, "bits")
}

func TestAKeysLife(t *testing.T) {
	b := newBench(t)
	b.post("/transit/keys/k", b.root, `{"derived":true,"convergent_encryption":true,"auto_rotate_period":"720h"}`).is(200)
	b.post("/transit/keys/k", b.root, `{}`).refused(fault.Conflict, "")
	b.post("/transit/keys/a%20b", b.root, `{}`).refused(fault.Invalid, "name")
	b.post("/transit/keys/x", b.root, `{"algorithm":"rot13"}`).refused(fault.Invalid, "algorithm")
	first := b.use("encrypt", "k", `{"plaintext":"YQ==","context":"Yw=="}`)["ciphertext"].(string)
	require.Equal(t, first, b.use("encrypt", "k", `{"plaintext":"YQ==","context":"Yw=="}`)["ciphertext"])
	require.EqualValues(t, 2, b.post("/transit/keys/k/rotate", b.root, `{}`).is(200).reply()["version"])
	second := b.use("rewrap", "k", `{"ciphertext":"`+first+`","context":"Yw=="}`)
	require.EqualValues(t, 2, second["key_version"])

	some := b.token("transit/keys/k write")
	b.post("/transit/keys/k/configure", some, `{"exportable":true}`).refused(fault.Denied, "")
	b.post("/transit/keys/k/configure", some, `{"exportable":false,"min_decryption_version":2,"deletion_allowed":true,"auto_rotate_period":"0s"}`).is(200)
	b.post("/transit/decrypt/k", b.root, `{"ciphertext":"`+first+`","context":"Yw=="}`).refused(fault.Invalid, "")
	b.post("/transit/keys/k/trim", some, `{"min_available_version":2}`).refused(fault.Denied, "")
	b.post("/transit/keys/k/trim", b.root, `{"min_available_version":2}`).is(200)
	info := b.get("/transit/keys/k", b.root).is(200).reply()
	require.EqualValues(t, 2, info["min_available_version"])
	require.NotContains(t, info, "auto_rotate_period")
	require.Len(t, b.get("/transit/keys/k/versions", b.root).is(200).reply()["items"], 1)
	b.get("/transit/export/k", b.root).refused(fault.Conflict, "")
	b.delete("/transit/keys/k", b.root).is(200)
	b.get("/transit/keys/k", b.root).refused(fault.NotFound, "")
}

func TestBringYourOwnKey(t *testing.T) {
	b := newBench(t)
	material := []byte("0123456789012345678901234567890!")
	some := b.token("transit/keys/mine write", "transit/wrapping-key read", "transit/encrypt/mine write")
	b.post("/transit/keys/mine/import", some, `{"key":"`+b64(string(material))+`"}`).refused(fault.Denied, "")
	public := b.post("/transit/wrapping-key", some, `{}`).is(200).reply()["public_key"].(string)
	require.Equal(t, public, b.post("/transit/wrapping-key", some, `{}`).is(200).reply()["public_key"])
	blob, err := primitive.WrapForImport([]byte(public), 0, material)
	require.NoError(t, err)
	wrapped := base64.StdEncoding.EncodeToString(blob)
	b.post("/transit/keys/mine/import", some, `{"wrapped_key":"`+wrapped+`","key":"`+b64(string(material))+`"}`).refused(fault.Invalid, "wrapped_key")
	b.post("/transit/keys/mine/import", some, `{}`).refused(fault.Invalid, "wrapped_key")
	b.post("/transit/keys/mine/import", some, `{"wrapped_key":"AAAA"}`).refused(fault.Invalid, "")
	b.post("/transit/keys/mine/import", some, `{"wrapped_key":"`+wrapped+`","exportable":true}`).is(200)
	b.post("/transit/keys/mine/rotate", some, `{}`).refused(fault.Conflict, "")
	b.post("/transit/keys/mine/import", some, `{"wrapped_key":"`+wrapped+`","next_version":true,"derived":true}`).refused(fault.Invalid, "next_version")
	require.EqualValues(t, 2, b.post("/transit/keys/mine/import", some, `{"wrapped_key":"`+wrapped+`","next_version":true}`).is(200).reply()["version"])
	b.get("/transit/export/mine", some).refused(fault.Denied, "")
	out := b.get("/transit/export/mine?version=1", b.root).is(200).reply()
	require.Equal(t, b64(string(material)), out["key"])
	b.get("/transit/export/mine?format=pem", b.root).refused(fault.Invalid, "format")
}

func TestTransitIsOffUnlessItIsOn(t *testing.T) {
	b := newBench(t, func(o *Options) { o.EnableTransit = false })
	require.Contains(t, b.post("/transit/keys/k", b.root, `{}`).refused(fault.NotFound, "").reply()["detail"], "transit.enable_api")
	b.post("/transit/random", b.root, `{}`).refused(fault.NotFound, "")
}

// TestUsesOfKeysAreInTheJournal: one record a request, with the number of its items and the version of a single one.
func TestUsesOfKeysAreInTheJournal(t *testing.T) {
	b := newBench(t)
	key("k", "")(b)
	token := b.use("encrypt", "k", `{"plaintext":"c2VjcmV0"}`)["ciphertext"].(string)
	b.use("decrypt", "k", `{"items":[{"ciphertext":"`+token+`"},{"ciphertext":"no"}]}`)
	b.post("/transit/decrypt/k", b.root, `{"ciphertext":"no"}`).refused(fault.Invalid, "")
	b.post("/transit/decrypt/k", b.token("x read"), `{"ciphertext":"no"}`).refused(fault.Denied, "")
	got := b.records(journal.Query{})
	require.Len(t, got, 4)
	for i, want := range []string{"transit.encrypt k 1 0 allowed", "transit.decrypt k 0 2 allowed", "transit.decrypt k 0 0 invalid", "transit.decrypt k 0 0 denied"} {
		r := got[i]
		require.Equal(t, want, fmt.Sprintf("%s %s %d %d %s", r.Op, r.Path, r.Version, r.Count, r.Outcome))
	}
	all, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(all)+b.log.String(), "c2VjcmV0")
	require.NotContains(t, string(all)+b.log.String(), token)
}
