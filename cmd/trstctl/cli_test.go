package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// request is what the fake node was asked.
type request struct{ line, body, token, tenant string }

// rig is a fake node with one answer, and a place to run commands against it.
type rig struct {
	env   map[string]string
	asked []request
	in    string
	out   bytes.Buffer
	err   bytes.Buffer
}

func newRig(t *testing.T, status int, answer any) *rig {
	r := &rig{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		r.asked = append(r.asked, request{q.Method + " " + q.URL.RequestURI(), string(b), q.Header.Get("Authorization"), q.Header.Get("X-Trstctl-Tenant")})
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	r.env = map[string]string{"TRSTCTL_ADDR": s.URL, "TRSTCTL_CACERT": ca, "TRSTCTL_TOKEN": "trs.me"}
	return r
}

func (r *rig) run(t *testing.T, args ...string) int {
	r.asked = nil
	r.out.Reset()
	r.err.Reset()
	a := &app{in: strings.NewReader(r.in), out: &r.out, err: &r.err, env: func(k string) string { return r.env[k] }}
	return a.main(t.Context(), args)
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		code   int
	}{
		{400, "invalid", 2}, {404, "not-found", 3}, {403, "denied", 4}, {401, "unauthenticated", 4}, {409, "conflict", 5}, {503, "not-done", 6},
		{503, "sealed", 6}, {429, "rate-limited", 6}, {507, "no-space", 6}, {504, "outcome-unknown", 7}, {500, "internal", 1}, {422, "key-reused", 1}, {500, "corrupt", 1},
	} {
		r := newRig(t, c.status, map[string]string{"kind": c.kind, "detail": "because"})
		require.Equal(t, c.code, r.run(t, "secret", "delete", "a", "--timeout", "100ms"), c.kind)
		require.Contains(t, r.err.String(), "because")
		require.Empty(t, r.out.String())
	}
}

func TestUsageExitsWithTwoAndAsksNobody(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	for _, args := range [][]string{
		{"secret"}, {"nonsense"}, {"secret", "nonsense"}, {"secret", "get"}, {"secret", "get", "a", "b"}, {"secret", "get", "a", "--nonsense"}, {"status", "-o", "xml"},
		{"secret", "purge", "a"}, {"secret", "purge", "a", "--all", "--version", "1"}, {"secret", "rollback", "a"}, {"secret", "put", "a", "@/does/not/exist"},
		{"token", "create"}, {"token", "revoke", "trs.abc"}, {"token", "revoke", "-", "--accessor", "x"}, {"token", "revoke", "--accessor", "trs.abc"}, {"secret", "get", "a", "--at", "soon"}, {"secret", "get", "/a"},
		{"policy", "write", "p", "/does/not/exist"}, {"operator", "init"}, {"secret", "put", "a", "b", "--cas", "-1"}, {"secret", "list", "--address", "http://x"},
		{"secret", "put", "a", "b", "--label", "x"}, {"secret", "put", "a", "b", "--expires-at", "tomorrow"},
	} {
		require.Equal(t, exitUsage, r.run(t, args...), args)
		require.Empty(t, r.asked, args)
		require.NotEmpty(t, r.err.String(), args)
	}
	delete(r.env, "TRSTCTL_ADDR")
	require.Equal(t, exitUsage, r.run(t, "secret", "get", "a"))
	require.Contains(t, r.err.String(), "TRSTCTL_ADDR")
}

func TestATokenIsNotTakenForAnAccessor(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	require.Equal(t, exitUsage, r.run(t, "token", "revoke", "--accessor", "trs.planted"))
	require.Contains(t, r.err.String(), "use - for a token")
	require.NotContains(t, r.err.String(), "planted")
}

func TestPutTakesTheValueFromThreePlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	require.NoError(t, os.WriteFile(file, []byte("from file\n"), 0o600))
	r := newRig(t, 200, map[string]any{"path": "a", "version": 1})
	r.in = "from stdin\n"
	for arg, want := range map[string]string{"plain": `{"value":"plain"}`, "@" + file: `{"value":"from file\n"}`, "-": `{"value":"from stdin\n"}`} {
		require.Equal(t, exitOK, r.run(t, "secret", "put", "a", arg), r.err.String())
		require.JSONEq(t, want, r.asked[0].body)
		require.Equal(t, strings.Contains(r.err.String(), "history"), arg == "plain")
	}
	r.in = "\xff\x00"
	require.Equal(t, exitOK, r.run(t, "secret", "put", "a", "-", "--cas", "0", "--label", "k=v=w"))
	require.JSONEq(t, `{"value_base64":"/wA=","cas":0,"labels":{"k":"v=w"}}`, r.asked[0].body)
	r.in = strings.Repeat("x", maxValue+1)
	require.Equal(t, exitUsage, r.run(t, "secret", "put", "a", "-"))
	require.Empty(t, r.asked)
}

func TestGetPrintsExactlyTheBytes(t *testing.T) {
	r := newRig(t, 200, map[string]any{"path": "a", "version": 4, "value_base64": "/wAKCg==", "created_by": "me"})
	for _, args := range [][]string{{"secret", "get", "a"}, {"secret", "get", "a", "-o", "raw"}} {
		require.Equal(t, exitOK, r.run(t, args...))
		require.Equal(t, "\xff\x00\n\n", r.out.String())
	}
	require.Equal(t, exitOK, r.run(t, "secret", "get", "a", "--version", "4", "--at", "stale", "-o", "json"))
	require.Contains(t, r.out.String(), `"value_base64": "/wAKCg=="`)
	require.Equal(t, "GET /api/v1/secrets/store/a?at=stale&version=4", r.asked[0].line)
	require.Equal(t, exitOK, r.run(t, "secret", "get", "a", "-o", "table"))
	require.Contains(t, r.out.String(), "4 bytes that are not text")

	empty := newRig(t, 200, map[string]any{"path": "a", "version": 1, "value": ""})
	require.Equal(t, exitOK, empty.run(t, "secret", "get", "a"))
	require.Empty(t, empty.out.String())
}

func TestTheTokenIsShownOnlyWhereItIsMade(t *testing.T) {
	r := newRig(t, 200, map[string]any{"token": "trs.new", "accessor": "acc_1", "policies": []string{"p"}})
	require.Equal(t, exitOK, r.run(t, "token", "create", "--policy", "p", "--ttl", "5m", "-o", "json", "--tenant", "acme"))
	require.Contains(t, r.out.String(), `"token": "trs.new"`)
	require.JSONEq(t, `{"policies":["p"],"ttl":"5m0s"}`, r.asked[0].body)
	require.Equal(t, "acme", r.asked[0].tenant)
	require.Equal(t, exitOK, r.run(t, "token", "create", "--policy", "p", "-o", "raw"))
	require.Equal(t, "trs.new", r.out.String())
	require.Equal(t, exitOK, r.run(t, "token", "create", "--policy", "p"))
	require.Contains(t, r.out.String(), "trs.new")
	require.Equal(t, exitOK, r.run(t, "token", "lookup", "-o", "json"))
	require.NotContains(t, r.out.String(), "trs.")
}

func TestWhoseTokenIsMeant(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	r.in = "trs.other\n"
	for _, c := range []struct {
		args        []string
		line, token string
	}{
		{[]string{"token", "revoke"}, "POST /api/v1/tokens/self/revoke", "trs.me"},
		{[]string{"token", "revoke", "-"}, "POST /api/v1/tokens/self/revoke", "trs.other"},
		{[]string{"token", "renew", "--accessor", "acc_1", "--ttl", "1h"}, "POST /api/v1/tokens/acc_1/renew", "trs.me"},
		{[]string{"token", "lookup", "-"}, "GET /api/v1/tokens/self", "trs.other"},
	} {
		require.Equal(t, exitOK, r.run(t, c.args...), r.err.String())
		require.Equal(t, c.line, r.asked[0].line)
		require.Equal(t, "Bearer "+c.token, r.asked[0].token)
	}
}

func TestListsAreTablesWithoutEscapeSequences(t *testing.T) {
	r := newRig(t, 200, map[string]any{"items": []any{map[string]any{"folder": "db/"}, map[string]any{"path": "a", "version": 3, "labels": map[string]string{"x": "\x1b[31m\n"}}}})
	require.Equal(t, exitOK, r.run(t, "secret", "list", "db/", "--folders"))
	require.Equal(t, "GET /api/v1/secrets/list?folders=true&prefix=db%2F", r.asked[0].line)
	require.Equal(t, "PATH  VERSION  UPDATED  EXPIRES  LABELS\ndb/\na     3        -        -        x=\\x1b[31m\\n\n", r.out.String())
	require.Equal(t, exitOK, r.run(t, "secret", "list", "-o", "raw"))
	require.Equal(t, "db/\na\t3\t-\t-\tx=\\x1b[31m\\n\n", r.out.String())
}

func TestOnePageOrAll(t *testing.T) {
	r := newRig(t, 200, map[string]any{"items": []any{map[string]any{"name": "p"}}, "next_cursor": "more"})
	require.Equal(t, exitOK, r.run(t, "policy", "list", "--limit", "1", "-o", "json"))
	require.Contains(t, r.err.String(), "--cursor more")
	require.Contains(t, r.out.String(), `"next_cursor": "more"`)
	require.Len(t, r.asked, 1)
}

func TestPoliciesAreReadStrictly(t *testing.T) {
	for text, ok := range map[string]bool{
		`rules: [{path: "secrets/a/*", capabilities: [read, list]}]`: true,
		`{"rules": [{"path": "a", "capabilities": ["deny"]}]}`:       true,
		`rules: [{path: a, capability: [read]}]`:                     false,
		`rule: [{path: a, capabilities: [read]}]`:                    false,
		`rules: []`: false,
		``:          false,
		"rules: [{path: a, capabilities: [read]}]\n---\nrules: []": false,
		"rules: [{path: a, capabilities: [read]}]\nrules: []":      false,
		"a: &a [*a]": false,
	} {
		_, err := parsePolicy([]byte(text))
		require.Equal(t, ok, err == nil, "%s: %v", text, err)
	}
	r := newRig(t, 200, map[string]any{"name": "p"})
	r.in = `rules: [{path: "secrets/a/*", capabilities: [read, list]}]`
	require.Equal(t, exitOK, r.run(t, "policy", "write", "p", "-"))
	require.Equal(t, "PUT /api/v1/policies/p", r.asked[0].line)
	require.JSONEq(t, `{"rules":[{"path":"secrets/a/*","capabilities":["read","list"]}]}`, r.asked[0].body)
}

func TestImportIsStrict(t *testing.T) {
	r := newRig(t, 200, map[string]any{"items": []any{map[string]any{"path": "a", "version": 1}}})
	r.in = `{"secrets":[{"path":"a","value":"x","cas":0}]}`
	require.Equal(t, exitOK, r.run(t, "secret", "import", "-"), r.err.String())
	require.JSONEq(t, r.in, r.asked[0].body)
	for _, bad := range []string{`{"secrets":[{"path":"a","valu":"x"}]}`, `{"secret":[]}`, `[]`, ``, `{"secrets":[]} {}`} {
		r.in = bad
		require.Equal(t, exitUsage, r.run(t, "secret", "import", "-"), bad)
		require.Empty(t, r.asked)
	}
}

func TestAuditVerifyAsksEveryNode(t *testing.T) {
	good := newRig(t, 200, map[string]any{"node": "n1", "records": 7, "head": "ab"})
	require.Equal(t, exitOK, good.run(t, "audit", "verify"))
	require.Contains(t, good.out.String(), "intact")
	good.env["TRSTCTL_ADDRS"] = good.env["TRSTCTL_ADDR"] + ",https://127.0.0.1:1"
	require.Equal(t, exitFailure, good.run(t, "audit", "verify"))
	require.Contains(t, good.out.String(), "n1")
	require.Contains(t, good.out.String(), "https://127.0.0.1:1")
	bad := newRig(t, 500, map[string]any{"kind": "corrupt", "detail": "record 5 does not verify"})
	require.Equal(t, exitFailure, bad.run(t, "audit", "verify", "-o", "json"))
	require.Contains(t, bad.out.String(), "record 5")
}

func TestAddressesComeInOrderAndOnce(t *testing.T) {
	a := &app{env: func(k string) string {
		return map[string]string{"TRSTCTL_ADDR": "https://b:1", "TRSTCTL_ADDRS": "https://a:1, https://b:1,https://c:1"}[k]
	}}
	require.Equal(t, []string{"https://b:1", "https://a:1", "https://c:1"}, a.nodes())
	a.addresses = []string{"https://z:1"}
	require.Equal(t, []string{"https://z:1"}, a.nodes())
}

func TestTheSocketComesFromTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.yaml")
	require.NoError(t, os.WriteFile(file, []byte("node: n1\ndata: /srv/n1\n"), 0o600))
	none := func(string) string { return "" }
	got, err := socketOf(file, "", none)
	require.NoError(t, err)
	require.Equal(t, "/srv/n1/trstctl.sock", got)
	got, err = socketOf(file, "", func(string) string { return "/other" })
	require.NoError(t, err)
	require.Equal(t, "/other/trstctl.sock", got)
	_, err = socketOf(file, "/x", none)
	require.Error(t, err)
}

func TestCompletionAndVersionAndHelp(t *testing.T) {
	r := newRig(t, 200, nil)
	for _, args := range [][]string{{"completion", "bash"}, {"version"}, {"version", "-o", "json"}, {"--help"}, {"secret", "put", "--help"}} {
		require.Equal(t, exitOK, r.run(t, args...), args)
		require.NotEmpty(t, r.out.String())
	}
}
