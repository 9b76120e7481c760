package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// lines returns what was logged since the last call.
func (b *bench) lines() []string {
	defer b.log.Reset()
	text := strings.TrimSpace(b.log.String())
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestNobodyFillsTheLog(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.AddressPerSecond = 30 })
	b.lines()
	b.send(req("GET", "/healthz", "", "")).is(200)
	b.get("/sys/status", "").is(200)
	require.Empty(t, b.lines())
	for i := range 50 {
		b.get(fmt.Sprint("/tokens/self?x=", i), "nobodys")
		b.get("/tokens/self", "nobodys")
		b.get("/nope", "")
	}
	require.Len(t, b.lines(), 1)
	b.shift += 2 * time.Second
	b.get("/tokens/self", b.root).is(200)
	told := b.lines()
	require.Len(t, told, 2)
	require.Contains(t, told[0], `"msg":"unauthenticated requests refused","count":149,"address":"192.0.2.1"`)
	require.Contains(t, told[1], `"route":"tokens.self"`)
	b.get("/sys/members", b.token("x read")).refused(fault.Denied, "")
	require.Contains(t, strings.Join(b.lines(), ""), `"kind":"denied"`, "a refusal of a known caller has its line")
}

func TestDebugShowsEveryRequest(t *testing.T) {
	var out bytes.Buffer
	b := newBench(t, func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	b.get("/tokens/self", "nobodys").refused(fault.Unauthenticated, "")
	require.Contains(t, out.String(), `"route":"tokens.self","status":401`)
}

func TestEachReferenceIsLoggedAsARead(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/db/password", b.root, `{"value":"planted-secret"}`).is(200)
	b.put("/secrets/store/db/url", b.root, `{"value":"${secret:db/password}"}`).is(200)
	reader := b.token("secrets/db/url read")
	b.lines()
	b.get("/secrets/store/db/url?expand=true", b.root).is(200)
	got := b.lines()
	require.Len(t, got, 2)
	require.Contains(t, got[0], `"route":"secrets.get","reference":true,"path":"db/password","policy":"root"`)
	require.NotContains(t, got[0]+got[1], "planted")
	b.get("/secrets/store/db/url?expand=true", reader).refused(fault.Denied, "")
	require.Contains(t, b.lines()[0], `"kind":"denied"`)
}

func TestARefusalNamesWhatTheBodyNamed(t *testing.T) {
	b := newBench(t)
	token := b.token("secrets/a read,write,delete")
	b.lines()
	b.post("/secrets/import", token, `{"secrets":[{"path":"a","value":"x"},{"path":"b/c","value":"x"}]}`).refused(fault.Denied, "")
	require.Contains(t, b.lines()[0], `"denied":"secrets/b/c"`)
	b.post("/secrets/move", token, `{"source":"a","destination":"d"}`).refused(fault.Denied, "")
	require.Contains(t, b.lines()[0], `"denied":"secrets/d"`)
}

func TestProblemsNameTheField(t *testing.T) {
	b := newBench(t)
	has("a", "b")(b)
	for _, c := range []struct {
		method, path, body string
		kind               fault.Kind
		field              string
	}{
		{"PUT", "/secrets/store/a", `{"value":"x","cas":7}`, fault.Conflict, "cas"},
		{"DELETE", "/secrets/store/a?cas=7", "", fault.Conflict, "cas"},
		{"POST", "/secrets/rollback/a", `{"version":1,"cas":7}`, fault.Conflict, "cas"},
		{"POST", "/secrets/move", `{"source":"a","destination":"b","cas":7}`, fault.Conflict, "cas"},
		{"POST", "/secrets/copy", `{"source":"a","destination":"b","cas":7}`, fault.Conflict, "cas"},
		{"POST", "/secrets/import", `{"secrets":[{"path":"n","value":"x"},{"path":"a","value":"x","cas":7}]}`, fault.Conflict, "secrets[1].cas"},
		{"PUT", "/secrets/store/a", `{"value":"` + strings.Repeat("x", 1<<20+1) + `"}`, fault.TooLarge, "value"},
		{"PUT", "/policies/p", `{"rules":[{"path":"a","capabilities":["read"]},{"path":"a//b","capabilities":["read"]}]}`, fault.Invalid, "rules[1].path"},
	} {
		b.do(c.method, c.path, b.root, c.body).refused(c.kind, c.field)
	}
	b.send(req("PUT", base+"/secrets/store/a", b.root, `{"value":"x"}`).with(idempotencyKey, "twice")).is(200)
	b.send(req("PUT", base+"/secrets/store/a", b.root, `{"value":"y"}`).with(idempotencyKey, "twice")).refused(fault.KeyReused, idempotencyKey)
}
