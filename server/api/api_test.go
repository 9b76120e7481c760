package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
)

func TestValuesOfAnyBytesComeBack(t *testing.T) {
	b := newBench(t)
	for name, value := range map[string]string{"text": "plain é \" \\ \n", "empty": "", "control": "\x00\x01\x7f", "binary": "\xff\xfe\x00", "large": strings.Repeat("\x01", 1<<20)} {
		b.put("/secrets/store/"+name, b.root, `{"value_base64":"`+base64.StdEncoding.EncodeToString([]byte(value))+`"}`).is(200)
		got := b.get("/secrets/store/"+name, b.root).is(200).reply()
		if s, text := got["value"].(string); text {
			require.Equal(t, value, s)
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(got["value_base64"].(string))
		require.NoError(t, err)
		require.Equal(t, value, string(raw))
	}
	require.Contains(t, b.get("/secrets/store/binary", b.root).reply(), "value_base64")
	require.Contains(t, b.get("/secrets/store/control", b.root).reply(), "value")
}

func TestPathsAreCanonicalEverywhere(t *testing.T) {
	b := newBench(t)
	reader := b.token("secrets/team a/* read,write")
	b.put("/secrets/store/team%20a/p%C3%A4th+x", reader, `{"value":"v"}`).is(200)
	got := b.get("/secrets/store/%74eam%20a/p%c3%a4th+x", reader).is(200).reply()
	require.Equal(t, "team a/päth+x", got["path"])
	for url, field := range map[string]string{
		"/secrets/store/team%20a%2Fx": "path", "/secrets/store/team%20a%2fx": "path", "/secrets/store/": "", "/secrets/store/a//b": "", "/secrets/store//a": "",
		"/secrets/store/a/": "", "/secrets/store/a/../b": "", "/secrets/store/a/%2e%2e/b": "", "/secrets/store/.": "", "/secrets/store/a%00b": "", "/secrets/store/a%0Ab": "",
		"/secrets/store/%ff": "", "/secrets/store/*": "", "/secrets/store/a/+/b": "", "/secrets/store/" + strings.Repeat("x", 1025): "",
	} {
		for _, method := range []string{"GET", "PUT"} {
			body := ""
			if method == "PUT" {
				body = `{"value":"v"}`
			}
			before := b.digest()
			b.do(method, url, b.root, body).refused(fault.Invalid, field)
			require.Equal(t, before, b.digest(), url)
		}
	}
	// A path that looks like a route of the store is a path all the same.
	b.put("/secrets/store/versions/x", b.root, `{"value":"v"}`).is(200)
	b.get("/secrets/versions/versions/x", b.root).is(200)
}

func TestBodiesAreRefusedWithTheFieldNamed(t *testing.T) {
	b := newBench(t)
	before := b.digest()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct {
		method, path, body string
		kind               fault.Kind
		field              string
	}{
		{"PUT", "/secrets/store/a", "", fault.Invalid, "value"},
		{"PUT", "/secrets/store/a", `{}`, fault.Invalid, "value"},
		{"PUT", "/secrets/store/a", `{"value":"a","value_base64":"YQ=="}`, fault.Invalid, "value_base64"},
		{"PUT", "/secrets/store/a", `{"value":1}`, fault.Invalid, "value"},
		{"PUT", "/secrets/store/a", `{"value":"a","nope":1}`, fault.Invalid, "nope"},
		{"PUT", "/secrets/store/a", `{"value":"a","value":"b"}`, fault.Invalid, "value"},
		{"PUT", "/secrets/store/a", `{"value":"a"}{}`, fault.Invalid, ""},
		{"PUT", "/secrets/store/a", `{"value":"a"`, fault.Invalid, ""},
		{"PUT", "/secrets/store/a", `[]`, fault.Invalid, ""},
		{"PUT", "/secrets/store/a", `{"value":"a","cas":"1"}`, fault.Invalid, "cas"},
		{"PUT", "/secrets/store/a", `{"value":"a","labels":{"k":1}}`, fault.Invalid, "labels.k"},
		{"PUT", "/secrets/store/a", `{"value":"a","expires_at":"9999-01-01T00:00:00Z"}`, fault.Invalid, "expires_at"},
		{"PUT", "/secrets/store/a", `{"value_base64":"%%"}`, fault.Invalid, "value_base64"},
		{"PUT", "/secrets/store/a", deep, fault.Invalid, ""},
		{"PUT", "/secrets/store/a", `{"value":"` + strings.Repeat("x", 2<<20) + `"}`, fault.TooLarge, ""},
		{"PUT", "/secrets/store/a", `{"value":"` + strings.Repeat("x", 1<<20+1) + `"}`, fault.TooLarge, ""},
		{"POST", "/secrets/rollback/a", `{}`, fault.Invalid, "version"},
		{"POST", "/secrets/purge/a", `{}`, fault.Invalid, "version"},
		{"POST", "/secrets/purge/a", `{"version":1,"all":true}`, fault.Invalid, "version"},
		{"POST", "/secrets/move", `{"source":"a"}`, fault.Invalid, "destination"},
		{"POST", "/secrets/import", `{"secrets":[{"path":"a","value":"x"},{"path":"b"}]}`, fault.Invalid, "secrets[1].value"},
		{"POST", "/secrets/import", `{"secrets":[{"value":"x"}]}`, fault.Invalid, "secrets[0].path"},
		{"POST", "/tokens", `{"policies":[],"ttl":"tomorrow"}`, fault.Invalid, "ttl"},
		{"POST", "/tokens", `{"policies":"root"}`, fault.Invalid, "policies"},
		{"PUT", "/policies/p", `{"rules":[{"path":"a"}]}`, fault.Invalid, "rules[0].capabilities"},
		{"DELETE", "/secrets/store/a", `{}`, fault.Invalid, ""},
		{"GET", "/secrets/store/a?version=x", "", fault.Invalid, "version"},
		{"GET", "/secrets/store/a?verison=1", "", fault.Invalid, "verison"},
		{"GET", "/secrets/store/a?version=1&version=2", "", fault.Invalid, "version"},
		{"GET", "/secrets/store/a?expand=yes", "", fault.Invalid, "expand"},
		{"GET", "/secrets/store/a?at=sometimes", "", fault.Invalid, "at"},
		{"GET", "/secrets/store/a?at=stale&max_stale=1h", "", fault.Invalid, "max_stale"},
		{"GET", "/secrets/list?limit=1001", "", fault.Invalid, "limit"},
		{"GET", "/audit/events?order=up", "", fault.Invalid, "order"},
	} {
		b.do(c.method, c.path, b.root, c.body).refused(c.kind, c.field)
		require.Equal(t, before, b.digest(), "%s %s %.80s", c.method, c.path, c.body)
	}
	// Shape and size are judged before the token.
	b.put("/secrets/store/a", "trs.nonsense", deep).refused(fault.Invalid, "")
	b.put("/secrets/store/a", "trs.nonsense", `{"nope":1}`).refused(fault.Unauthenticated, "")
}

func TestIdempotencyKeys(t *testing.T) {
	b := newBench(t)
	for _, key := range []string{"", strings.Repeat("k", 129), "a\tb", "é"} {
		r := req("PUT", base+"/secrets/store/a", b.root, `{"value":"v"}`)
		r.header[idempotencyKey] = []string{key}
		b.send(r).refused(fault.Invalid, idempotencyKey)
	}
	put := func(path, token, body string) answer {
		return b.send(req("PUT", base+path, token, body).with(idempotencyKey, "same"))
	}
	first := put("/secrets/store/a", b.root, `{"value":"v"}`).is(200)
	require.Empty(t, first.header.Get(replayedHeader))
	again := put("/secrets/store/a", b.root, `{"value":"v"}`).is(200)
	require.Equal(t, string(first.body), string(again.body))
	require.Equal(t, "true", again.header.Get(replayedHeader))
	require.Equal(t, first.header.Get(indexHeader), again.header.Get(indexHeader))
	put("/secrets/store/a", b.root, `{"value":"w"}`).refused(fault.KeyReused, "")
	put("/secrets/store/b", b.root, `{"value":"v"}`).refused(fault.KeyReused, "")
	other := b.token("secrets/* write")
	require.Empty(t, put("/secrets/store/a", other, `{"value":"v"}`).is(200).header.Get(replayedHeader), "another identity's key is its own")
	require.EqualValues(t, 2, b.get("/secrets/store/a", b.root).reply()["version"])
}

func TestAReplayedTokenIsTheSameAndOnlyForWhoMayAskNow(t *testing.T) {
	b := newBench(t)
	maker := b.token("tokens write", "x read")
	ask := func() answer {
		return b.send(req("POST", base+"/tokens", maker, `{"policies":[]}`).with(idempotencyKey, "mint"))
	}
	first := ask().is(200)
	again := ask().is(200)
	require.Equal(t, first.reply()["token"], again.reply()["token"])
	require.Equal(t, "true", again.header.Get(replayedHeader))
	b.get("/tokens/self", first.reply()["token"].(string)).is(200)
	b.post("/tokens/self/revoke", maker, "").is(200)
	ask().refused(fault.Unauthenticated, "")
	b.get("/tokens/self", first.reply()["token"].(string)).refused(fault.Unauthenticated, "")
}

func TestAnAnswerIsRepeatedToItsTokenOnly(t *testing.T) {
	b := newBench(t)
	b.put("/policies/maker", b.root, rules("tokens write", "x read")).is(200)
	twin := func(policies string) string {
		return b.post("/tokens", b.root, `{"policies":`+policies+`,"name":"ci"}`).is(200).reply()["token"].(string)
	}
	ask := func(token string) answer {
		return b.send(req("POST", base+"/tokens", token, `{"policies":[]}`).with(idempotencyKey, "mint"))
	}
	strong, weak := ask(twin(`["root"]`)).is(200), ask(twin(`["maker"]`)).is(200)
	require.NotEqual(t, strong.reply()["token"], weak.reply()["token"], "a name is chosen freely: it gives nothing of another's")
	require.Empty(t, weak.header.Get(replayedHeader))
	ask(twin(`[]`)).refused(fault.Denied, "")
}

func TestCheckAndSet(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/a", b.root, `{"value":"1","cas":0}`).is(200)
	b.put("/secrets/store/a", b.root, `{"value":"2","cas":0}`).refused(fault.Conflict, "")
	b.put("/secrets/store/a", b.root, `{"value":"2","cas":1}`).is(200)
	b.delete("/secrets/store/a?cas=1", b.root).refused(fault.Conflict, "")
	b.delete("/secrets/store/a?cas=2", b.root).is(200)
	b.get("/secrets/store/a", b.root).refused(fault.NotFound, "")
	b.post("/secrets/undelete/a", b.root, "").is(200)
	require.Equal(t, "1", b.get("/secrets/store/a?version=1", b.root).reply()["value"])
	b.post("/secrets/purge/a", b.root, `{"version":1}`).is(200)
	b.get("/secrets/store/a?version=1", b.root).refused(fault.NotFound, "")
}

func TestTokensDie(t *testing.T) {
	b := newBench(t)
	for _, bad := range []string{"", "trs.", "trs.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "acc_x", strings.Repeat("x", 600)} {
		b.get("/tokens/self", bad).refused(fault.Unauthenticated, "")
	}
	require.Contains(t, b.get("/tokens/self", "").header.Get("Www-Authenticate"), "Bearer")
	made := b.post("/tokens", b.root, `{"policies":["root"],"ttl":"5m","name":"short"}`).is(200).reply()
	token, acc := made["token"].(string), made["accessor"].(string)
	require.Equal(t, "root", made["tenant"])
	b.get("/tokens/"+acc, token).is(200)
	born := b.post("/tokens", token, `{"policies":[]}`).is(200).reply()
	child, childAcc := born["token"].(string), born["accessor"].(string)
	require.Equal(t, false, b.get("/tokens/"+childAcc, b.root).reply()["revoked"])
	b.shift = 6 * time.Minute
	b.get("/tokens/self", token).refused(fault.Unauthenticated, "")
	b.get("/tokens/self", child).refused(fault.Unauthenticated, "")
	b.shift = 0
	b.post("/tokens/"+acc+"/revoke", b.root, "").is(200)
	b.get("/tokens/self", token).refused(fault.Unauthenticated, "")
	b.get("/tokens/self", child).refused(fault.Unauthenticated, "")
	require.Equal(t, true, b.get("/tokens/"+childAcc, b.root).reply()["revoked"], "its parent was")
	for _, one := range b.get("/tokens", b.root).is(200).reply()["items"].([]any) {
		shown := one.(map[string]any)
		require.Equal(t, shown["accessor"] == acc || shown["accessor"] == childAcc, shown["revoked"], "%v", shown)
	}
	b.post("/tokens/"+acc+"/revoke", b.root, "").refused(fault.NotFound, "")
	b.put("/secrets/store/x", child, `{"value":"v"}`).refused(fault.Unauthenticated, "")
}

func TestTenantsAreApart(t *testing.T) {
	b := newBench(t)
	acme, other := b.tenant("acme"), b.tenant("other")
	b.put("/secrets/store/a", acme, `{"value":"of acme"}`).is(200)
	b.get("/secrets/store/a", other).refused(fault.NotFound, "")
	b.get("/secrets/store/a", b.root).refused(fault.NotFound, "")
	in := func(name, token string) answer {
		return b.send(req("GET", base+"/secrets/store/a", token, "").with(tenantHeader, name))
	}
	require.Equal(t, "of acme", in("acme", b.root).is(200).reply()["value"])
	in("nobody", b.root).refused(fault.NotFound, "")
	in("acme", other).refused(fault.NotFound, "")
	in("root", acme).refused(fault.NotFound, "")
	in("acme", b.token("secrets/* read")).refused(fault.NotFound, "")
	in("acme", b.token("secrets/* read", "tenants/acme sudo")).is(200)
	acc := b.get("/tokens/self", acme).is(200).reply()
	require.Equal(t, "acme", acc["tenant"])
	b.get("/tokens/"+acc["accessor"].(string), other).refused(fault.NotFound, "")
	b.post("/tokens/"+acc["accessor"].(string)+"/revoke", other, "").refused(fault.NotFound, "")
	for _, r := range table() {
		if s := samples[r.name]; r.roots {
			b.do(r.method, s.url, acme, s.body).refused(fault.NotFound, "")
		} else if r.global {
			b.do(r.method, s.url, acme, s.body).refused(fault.Denied, "")
		}
	}
	b.put("/policies/wide", acme, rules("* read,write,delete,list,sudo")).is(200)
	wide := b.post("/tokens", acme, `{"policies":["wide"]}`)
	if wide.status == 200 {
		b.get("/sys/members", wide.reply()["token"].(string)).refused(fault.Denied, "")
		b.get("/tenants", wide.reply()["token"].(string)).refused(fault.Denied, "")
	}
	b.delete("/tenants/acme", b.root).is(200)
	b.get("/tokens/self", acme).refused(fault.Unauthenticated, "")
	b.put("/secrets/store/a", acme, `{"value":"x"}`).refused(fault.Unauthenticated, "")
	again := b.tenant("acme")
	b.get("/secrets/store/a", again).refused(fault.NotFound, "")
}

func TestNobodyGrantsMoreThanTheyHave(t *testing.T) {
	b := newBench(t)
	lead := b.token("secrets/team/* read,write,list", "tokens write", "policies/* write,read")
	b.post("/tokens", lead, `{"policies":["root"]}`).refused(fault.Denied, "")
	b.put("/policies/mine", lead, rules("secrets/team/* read")).is(200)
	b.put("/policies/more", lead, rules("secrets/* read")).refused(fault.Denied, "")
	b.put("/policies/more", lead, rules("secrets/team/* delete")).refused(fault.Denied, "")
	b.put("/policies/root", lead, rules("* read")).is403or400()
	b.post("/tokens", lead, `{"policies":["mine"],"orphan":true}`).refused(fault.Denied, "")
	child := b.post("/tokens", lead, `{"policies":["mine"]}`).is(200).reply()["token"].(string)
	b.put("/secrets/store/team/x", lead, `{"value":"v"}`).is(200)
	b.get("/secrets/store/team/x", child).is(200)
	b.put("/secrets/store/team/x", child, `{"value":"v"}`).refused(fault.Denied, "")
	require.NotContains(t, string(b.get("/secrets/store/other", child).refused(fault.Denied, "").body), "mine")
}

func (a answer) is403or400() {
	a.t.Helper()
	require.Contains(a.t, []int{400, 403}, a.status, "%s", a.body)
}

func TestListsLeaveOutWhatIsDenied(t *testing.T) {
	b := newBench(t)
	has("a/1", "a/2", "b/1", "c")(b)
	some := b.token("secrets/a/* list", "secrets/a/2 deny", "secrets/c list")
	names := func(url, token string) (out []string) {
		for _, it := range b.get(url, token).is(200).reply()["items"].([]any) {
			m := it.(map[string]any)
			for _, k := range []string{"path", "folder", "name"} {
				if s, found := m[k].(string); found {
					out = append(out, s)
				}
			}
		}
		return out
	}
	require.Equal(t, []string{"a/1", "a/2", "b/1", "c"}, names("/secrets/list", b.root))
	require.Equal(t, []string{"a/1", "c"}, names("/secrets/list", some))
	require.Equal(t, []string{"a/", "c"}, names("/secrets/list?folders=true", some))
	require.Equal(t, []string{"a/1"}, names("/secrets/list?prefix=a/", some))
	b.get("/secrets/list?prefix=b/", some).refused(fault.Denied, "")
	page := b.get("/secrets/list?limit=3", b.root).is(200).reply()
	require.Len(t, page["items"], 3)
	require.Equal(t, []string{"c"}, names("/secrets/list?limit=3&cursor="+page["next_cursor"].(string), b.root))
	b.put("/policies/hidden", b.root, rules("x read")).is(200)
	require.NotContains(t, names("/policies", b.token("policies list", "policies/hidden deny")), "hidden")
	require.Contains(t, names("/policies", b.root), "hidden")
}

func TestReferencesAreReadsByTheReader(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/db/password", b.root, `{"value":"s3cret"}`).is(200)
	b.put("/secrets/store/db/url", b.root, `{"value":"pg://u:${secret:db/password}@h"}`).is(200)
	require.Equal(t, "pg://u:s3cret@h", b.get("/secrets/store/db/url?expand=true", b.root).reply()["value"])
	b.get("/secrets/store/db/url?expand=true", b.token("secrets/db/url read")).refused(fault.Denied, "")
	b.get("/secrets/store/db/url", b.token("secrets/db/url read")).is(200)
}

func TestPolicyTestSaysWhy(t *testing.T) {
	b := newBench(t)
	token := b.token("secrets/a/* read", "secrets/a/x deny")
	got := b.post("/policies/test", token, `{"path":"secrets/a/b","capability":"read"}`).is(200).reply()
	require.Equal(t, true, got["allowed"])
	require.Equal(t, "secrets/a/*", got["rule"].(map[string]any)["path"])
	got = b.post("/policies/test", token, `{"path":"secrets/a/x","capability":"read"}`).is(200).reply()
	require.Equal(t, false, got["allowed"])
	require.NotEmpty(t, got["reason"])
	b.post("/policies/test", token, `{"path":"secrets/a/x","capability":"fly"}`).refused(fault.Invalid, "")
	b.post("/policies/test", token, `{"path":"secrets/a/x","capability":"read","policies":["root"]}`).refused(fault.Denied, "")
	some := b.token("policies read", "policies/open read")
	b.put("/policies/open", b.root, rules("x read")).is(200)
	b.post("/policies/test", some, `{"path":"x","capability":"read","policies":["open"]}`).is(200)
	b.post("/policies/test", some, `{"path":"x","capability":"read","policies":["open","root"]}`).refused(fault.Denied, "")
	many := `"open"` + strings.Repeat(`,"open"`, 64)
	b.post("/policies/test", b.root, `{"path":"x","capability":"read","policies":[`+many+`]}`).refused(fault.Invalid, "policies")
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"", "/", "/nope", "/secrets", "/secrets/store", "/tokens/a/b", "/tokens/", "/sys/status/"} {
		b.get(path, b.root).refused(fault.NotFound, "")
	}
	got := b.do("PATCH", "/secrets/store/a", b.root, "").is(http.StatusMethodNotAllowed)
	require.ElementsMatch(t, []string{"GET", "PUT", "DELETE"}, got.header["Allow"])
	require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
	b.get("/policies/test", b.root).refused(fault.NotFound, "")
	off := newBench(t, func(o *Options) { o.EnableSecrets = false })
	require.Contains(t, off.get("/secrets/store/a", off.root).refused(fault.NotFound, "").reply()["detail"], "secrets.enable_api")
	off.get("/tokens/self", off.root).is(200)
}

func TestLevelsReachTheCluster(t *testing.T) {
	b := newBench(t)
	has("a")(b)
	b.cluster.wants = nil
	b.get("/secrets/store/a", b.root).is(200)
	b.get("/secrets/store/a?at=stale&max_stale=500ms", b.root).is(200)
	b.send(req("GET", base+"/secrets/store/a?at=session", b.root, "").with(indexHeader, "1.5")).is(200)
	require.Equal(t, []Want{{Linearizable, MaxStale, 0}, {Stale, 500 * time.Millisecond, 0}, {Session, MaxStale, 5}}, b.cluster.wants)
	b.send(req("GET", base+"/secrets/store/a?at=session", b.root, "").with(indexHeader, "2.5")).refused(fault.Conflict, "")
	b.send(req("GET", base+"/secrets/store/a?at=session", b.root, "").with(indexHeader, "five")).refused(fault.Invalid, indexHeader)
	b.cluster.awaitErr = fault.New(fault.NotDone, "cut off").After(1500 * time.Millisecond)
	require.Equal(t, "2", b.get("/secrets/store/a", b.root).refused(fault.NotDone, "").header.Get("Retry-After"))
	b.get("/sys/status", "").is(200)
	b.put("/secrets/store/a", "trs.x", `{"value":"v"}`).refused(fault.NotDone, "") // a refusal that could not be confirmed is none
}

func TestAFollowerForwardsMutationsWhole(t *testing.T) {
	leader := newBench(t)
	b := newBench(t)
	b.cluster.follows = true
	var seen *http.Request
	b.cluster.forward = func(r *http.Request, body []byte) (*http.Response, error) {
		seen = r
		in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
		in.RequestURI, in.Header, in.RemoteAddr = r.RequestURI, r.Header, "node:n2"
		w := httptest.NewRecorder()
		leader.api.Peer().ServeHTTP(w, in)
		return w.Result(), nil
	}
	q := req("PUT", base+"/secrets/store/a%20b?", leader.root, `{"value":"v"}`).with(forwardedFor, "6.6.6.6").with("X-Trstctl-Forwarded-Cert", "x").with("X-Request-Id", "mine-1")
	got := b.send(q).is(200)
	require.Equal(t, "a b", got.reply()["path"])
	require.Equal(t, "192.0.2.1", seen.Header.Get(forwardedFor), "the caller's address, not what it says of itself")
	require.Empty(t, seen.Header.Get("X-Trstctl-Forwarded-Cert"))
	require.Equal(t, "mine-1", got.header.Get("X-Request-Id"))
	require.NotEmpty(t, got.header.Get(indexHeader))
	require.Contains(t, leader.log.String(), `"address":"192.0.2.1"`)
	require.Contains(t, leader.log.String(), `"request":"mine-1"`)
	b.send(req("PUT", base+"/secrets/store/x", leader.root, `{"cas":3,"value":"v"}`)).refused(fault.Conflict, "")
	b.put("/secrets/store/x", leader.root, `{"value":`).refused(fault.Invalid, "") // malformed: not even forwarded

	for _, err := range []error{fault.New(fault.NotDone, "no leader"), fault.New(fault.Unknown, "cut")} {
		b.cluster.forward = func(*http.Request, []byte) (*http.Response, error) { return nil, err }
		b.put("/secrets/store/x", leader.root, `{"value":"v"}`).refused(fault.KindOf(err), "")
	}
	b.cluster.forward = func(*http.Request, []byte) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))}, nil
	}
	b.put("/secrets/store/x", leader.root, `{"value":"v"}`).refused(fault.Unknown, "")

	leader.cluster.follows = true // two nodes that both follow do not send it round
	w := httptest.NewRecorder()
	leader.api.Peer().ServeHTTP(w, req("PUT", base+"/secrets/store/x", leader.root, `{"value":"v"}`).build())
	answer{t, w.Code, w.Header(), w.Body.Bytes()}.refused(fault.NotDone, "")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }

func TestRatesAndHeads(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.AddressPerSecond = 5 })
	limited := false
	for range 10 {
		got := b.get("/tokens/self", b.root)
		if got.status == http.StatusTooManyRequests {
			require.NotEmpty(t, got.refused(fault.RateLimited, "").header.Get("Retry-After"))
			limited = true
		}
	}
	require.True(t, limited)
	b = newBench(t, func(o *Options) { o.Limits.TokenPerSecond = 3 })
	for range 5 {
		b.get("/tokens/self", b.root)
	}
	b.get("/tokens/self", b.root).refused(fault.RateLimited, "")
	b = newBench(t)
	b.send(req("GET", base+"/tokens/self", b.root, "").with("X-Long", strings.Repeat("x", 17<<10))).refused(fault.TooLarge, "")
	b.get("/secrets/store/"+strings.Repeat("x", 9<<10), b.root).refused(fault.TooLarge, "")
	many := req("GET", base+"/tokens/self", b.root, "")
	for i := range 70 {
		many.with(fmt.Sprintf("X-H-%d", i), "x")
	}
	b.send(many).refused(fault.TooLarge, "")
	require.Equal(t, "ok.id-1", b.send(req("GET", "/healthz", "", "").with("X-Request-Id", "ok.id-1")).header.Get("X-Request-Id"))
	for _, bad := range []string{"a b", "a\"b", strings.Repeat("x", 65)} {
		require.Regexp(t, "^req_", b.send(req("GET", "/healthz", "", "").with("X-Request-Id", bad)).header.Get("X-Request-Id"))
	}
}

func TestAFullQueueRefusesAtOnceAndStarvesNoOther(t *testing.T) {
	b := newBench(t)
	b.api.queues[reads] = admit.NewQueue("reads", 1, 0)
	held, err := b.api.queues[reads].Enter(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, b.get("/secrets/store/a", b.root).refused(fault.NotDone, "").header.Get("Retry-After"))
	b.put("/secrets/store/a", b.root, `{"value":"v"}`).is(200)
	b.get("/secrets/list", b.root).is(200)
	b.get("/sys/status", "").is(200)
	held.Leave()
	b.get("/secrets/store/a", b.root).is(200)
}

func TestStatusShowsMoreToTokens(t *testing.T) {
	b := newBench(t)
	require.NotContains(t, b.get("/sys/status", "").is(200).reply(), "term")
	require.NotContains(t, b.get("/sys/status", "trs.nonsense").is(200).reply(), "term")
	require.Contains(t, b.get("/sys/status", b.token("x read")).is(200).reply(), "term")
}

func TestASealedNodeServesStatusOnly(t *testing.T) {
	b := newBench(t)
	b.keys.Close()
	b.get("/secrets/store/a", b.root).refused(fault.Sealed, "")
	b.put("/secrets/store/a", b.root, `{"value":"v"}`).refused(fault.Sealed, "")
	b.get("/sys/status", b.root).is(200)
	b.get("/sys/openapi.json", "").is(200)
}

func TestWhatRestsOnATokenIsNotToldFromOldState(t *testing.T) {
	b := newBench(t)
	ask := func() answer { return b.send(req("GET", "/metrics", b.root, "")) }
	ask().is(200)
	b.cluster.age = MaxStale + time.Millisecond
	ask().refused(fault.NotDone, "")
	require.NotContains(t, b.get("/sys/status", b.root).is(200).reply(), "term")
}

func TestATokenInPlaceOfAnAccessorIsKeptNowhere(t *testing.T) {
	b := newBench(t)
	token := b.token("x read")
	b.log.Reset()
	for _, q := range []*ask{req("GET", base+"/tokens/"+token, b.root, ""), req("POST", base+"/tokens/"+token+"/revoke", b.root, "")} {
		got := b.send(q).refused(fault.Invalid, "accessor")
		require.NotContains(t, string(got.body), token[4:])
	}
	for _, path := range []string{"acc_" + token[4:], token[4:], "acc_nobody"} { // nothing has such a name
		got := b.send(req("POST", base+"/tokens/"+path+"/renew", b.root, "")).refused(fault.NotFound, "")
		require.NotContains(t, string(got.body), token[4:])
	}
	require.NotContains(t, b.log.String(), token[4:])
	b.get("/tokens/self", token).is(200)
}

func TestHealthAndMetrics(t *testing.T) {
	b := newBench(t)
	ask := func(method, path, token string) answer { return b.send(req(method, path, token, "")) }
	for _, path := range []string{"/healthz", "/readyz", "/leaderz"} {
		ask("GET", path, "").is(200)
		ask("HEAD", path, "").is(200)
	}
	b.cluster.follows = true
	ask("GET", "/leaderz", "").refused(fault.NotDone, "")
	ask("GET", "/readyz", "").is(200)
	b.cluster.readyErr = errors.New("the node is sealed")
	require.Contains(t, ask("GET", "/readyz", "").refused(fault.NotDone, "").reply()["detail"], "sealed")
	ask("GET", "/healthz", "").is(200)
	ask("GET", "/metrics", "").refused(fault.Unauthenticated, "")
	b.cluster.follows = false
	ask("GET", "/metrics", b.token("x read")).refused(fault.Denied, "")
	require.Equal(t, "metrics", string(ask("GET", "/metrics", b.token("sys/metrics read")).is(200).body))
}

func TestTheAuditShowsWhoDidWhatAndNoSecret(t *testing.T) {
	b := newBench(t)
	acme := b.tenant("acme")
	b.put("/secrets/store/plan", acme, `{"value":"planted-secret"}`).is(200)
	all := b.get("/audit/events?limit=1000", b.root).is(200)
	require.NotContains(t, string(all.body), "planted-secret")
	require.NotContains(t, string(all.body), acme)
	require.Contains(t, string(all.body), `"max_expires"`, "fields have names")
	own := b.get("/audit/events?source=log", acme).is(200).reply()["items"].([]any)
	uid := b.get("/tenants/acme", b.root).reply()["uid"]
	for _, it := range own {
		require.Equal(t, uid, it.(map[string]any)["tenant"])
	}
	last := own[len(own)-1].(map[string]any)
	require.Equal(t, "secret/plan", last["events"].([]any)[0].(map[string]any)["stream"])
	require.Equal(t, "admin", last["origin"].(map[string]any)["policy"])
	require.NotEmpty(t, last["actor"].(map[string]any)["accessor"])

	var seqs []float64
	for url := "/audit/events?source=log&limit=2"; ; {
		page := b.get(url, b.root).is(200).reply()
		for _, it := range page["items"].([]any) {
			seqs = append(seqs, it.(map[string]any)["seq"].(float64))
		}
		if page["next_cursor"] == "" {
			break
		}
		url = "/audit/events?limit=2&after=" + page["next_cursor"].(string)
	}
	for i, s := range seqs {
		require.EqualValues(t, i+1, s)
	}
	newest := b.get("/audit/events?source=log&order=desc&limit=1", b.root).reply()
	require.EqualValues(t, len(seqs), newest["items"].([]any)[0].(map[string]any)["seq"])
	only := b.get("/audit/events?type=tenant.tenant.created", b.root).is(200).reply()["items"].([]any)
	require.NotEmpty(t, only)
	lines := strings.Split(strings.TrimSpace(string(b.get("/audit/export?source=log", b.root).is(200).body)), "\n")
	require.Len(t, lines, len(seqs)+4, "what it is, begin, end, head")
	require.Len(t, strings.Split(strings.TrimSpace(string(b.get("/audit/export?source=log", acme).is(200).body)), "\n"), len(own)+4)
	b.api.verifying.Store(true)
	b.get("/audit/verify", b.root).refused(fault.NotDone, "")
	b.get("/sys/digest", b.root).refused(fault.NotDone, "")
}

func TestTheLogHasOneLineARequestAndNothingSecret(t *testing.T) {
	b := newBench(t)
	b.log.Reset()
	b.put("/secrets/store/a/b", b.root, `{"value":"planted-secret"}`).is(200)
	b.get("/secrets/store/a/b?version=1", b.root).is(200)
	b.get("/secrets/store/"+strings.Repeat("x%0A", 200), b.root).refused(fault.Invalid, "")
	b.get("/nope?q=planted-query", b.root).refused(fault.NotFound, "")
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	require.Len(t, lines, 4)
	for _, line := range lines {
		for _, secret := range []string{"planted", b.root, `\n`} {
			require.NotContains(t, line, secret)
		}
		require.Less(t, len(line), 1000)
	}
	require.Contains(t, lines[0], `"route":"secrets.put","status":200`)
	require.Contains(t, lines[0], `"path":"a/b"`)
	require.Contains(t, lines[0], `"policy":"root"`)
	require.Contains(t, lines[0], `"tenant":"root"`)
	require.Contains(t, lines[0], `"accessor":"acc_`)
}

func TestThroughARealServer(t *testing.T) {
	b := newBench(t)
	server := httptest.NewServer(b.handler)
	defer server.Close()
	do := func(method, path, body string) *http.Response {
		r, err := http.NewRequest(method, server.URL+base+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+b.root)
		r.Header.Set(idempotencyKey, newKey())
		got, err := server.Client().Do(r)
		require.NoError(t, err)
		return got
	}
	read := func(r *http.Response) string {
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, 200, do("PUT", "/secrets/store/a%20b", `{"value":"v"}`).StatusCode)
	require.Contains(t, read(do("GET", "/secrets/store/a%20b", "")), `"value":"v"`)
	require.Equal(t, 400, do("GET", "/secrets/store/a%2Fb", "").StatusCode)
	require.Equal(t, 400, do("GET", "/secrets/store/a/../b", "").StatusCode)
	require.Equal(t, 400, do("GET", "/secrets/store//a", "").StatusCode)
	large := do("PUT", "/secrets/store/a", `{"value":"`+strings.Repeat("x", 3<<20)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, large.StatusCode)
	require.Equal(t, "application/x-ndjson", do("GET", "/audit/export", "").Header.Get("Content-Type"))
	require.Contains(t, read(do("GET", "/audit/verify", "")), `"head"`)
}

func TestAFullDiskRefusesWhatTakesSpaceOnly(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/a", b.root, `{"value":"v"}`).is(200)
	b.cluster.fullErr = fault.New(fault.NoSpace, "full")
	b.put("/secrets/store/a", b.root, `{"value":"w"}`).is(http.StatusInsufficientStorage)
	b.post("/tokens", b.root, `{"policies":["root"]}`).is(http.StatusInsufficientStorage)
	require.Equal(t, "v", b.get("/secrets/store/a", b.root).is(200).reply()["value"])
	b.delete("/secrets/store/a", b.root).is(200)
	b.post("/secrets/purge/a", b.root, `{"all":true}`).is(200)
	b.post("/tokens/self/revoke", b.root, `{}`).is(200)
}
