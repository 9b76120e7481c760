package api

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/export"
	"github.com/trstctl/trstctl/server/journal"
)

func TestEveryReadIsOnRecordBeforeItIsAnswered(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/db/a", b.root, `{"value":"planted-value"}`).is(200)
	b.put("/secrets/store/db/a", b.root, `{"value":"planted-value"}`).is(200)
	before := b.last
	require.Empty(t, b.records(journal.Query{}), "a change is not a read")
	reader := b.token("secrets/db/* read")
	self := b.get("/tokens/self", reader).is(200).reply()
	got := b.get("/secrets/store/db/a", reader).is(200)
	r := before()
	require.Equal(t, journal.Record{Seq: r.Seq, At: r.At, Hash: r.Hash, Op: "secrets.get", Identity: self["identity"].(string), Accessor: self["accessor"].(string),
		Tenant: fsm.RootTenant, Path: "db/a", Version: 2, Outcome: journal.Allowed, Rule: r.Rule, Request: got.header.Get(requestID), Address: "192.0.2.1", Index: r.Index}, r)
	require.NotEmpty(t, r.Rule)
	require.Equal(t, fmt.Sprintf("1.%d", r.Index), got.header.Get(indexHeader))

	b.get("/secrets/store/other", reader).refused(fault.Denied, "")
	require.Equal(t, "denied", b.last().Outcome)
	require.Equal(t, "other", b.last().Path)
	b.get("/secrets/store/db/none", reader).refused(fault.NotFound, "")
	require.Equal(t, "not-found", b.last().Outcome)
	b.get("/secrets/list?prefix=db/", b.root).is(200)
	require.Equal(t, "secrets.list", b.last().Op)
	require.Equal(t, "db/", b.last().Path)
	b.get("/tokens/"+self["accessor"].(string), b.root).is(200)
	require.Equal(t, self["accessor"], b.last().Path)
	b.post("/policies/test", b.root, `{"path":"secrets/a","capability":"read","policies":["root"]}`)
	require.Equal(t, "policies.test", b.last().Op)
	require.Equal(t, "root", b.last().Path)
	b.put("/secrets/store/secret/x", reader, `{"value":"planted-value"}`).refused(fault.Denied, "")
	require.Equal(t, "secrets.put", b.last().Op, "what a known caller was refused is on record, whatever it was")

	seq := b.last().Seq
	b.get("/secrets/store/db/a", "trs.unknown").refused(fault.Unauthenticated, "")
	b.get("/sys/status", b.root).is(200)
	require.Equal(t, seq, b.last().Seq, "neither an unknown caller nor a status is")
	for _, r := range b.records(journal.Query{}) {
		require.NotContains(t, fmt.Sprintf("%+v", r), "planted-value")
		require.NotContains(t, fmt.Sprintf("%+v", r), reader)
	}
}

func TestAReferenceIsAReadOnRecord(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/db/pass", b.root, `{"value":"x"}`).is(200)
	b.put("/secrets/store/app/url", b.root, `{"value":"pg:${secret:db/pass}"}`).is(200)
	b.get("/secrets/store/app/url?expand=true", b.root).is(200)
	all := b.records(journal.Query{Op: "secrets.get.reference"})
	require.Len(t, all, 1)
	require.Equal(t, "db/pass", all[0].Path)
	b.get("/secrets/store/app/url?expand=true", b.token("secrets/app/* read")).refused(fault.Denied, "")
	all = b.records(journal.Query{Op: "secrets.get.reference"})
	require.Equal(t, "denied", all[1].Outcome)
}

func TestWithoutTheJournalNothingIsReadAndTheRestGoesOn(t *testing.T) {
	b := newBench(t)
	b.put("/secrets/store/a", b.root, `{"value":"planted-value"}`).is(200)
	b.put("/secrets/store/b", b.root, `{"value":"${secret:a}"}`).is(200)
	once := func() answer {
		return b.send(req("POST", base+"/tokens", b.root, `{"ttl":"5m","policies":["root"]}`).with(idempotencyKey, "once"))
	}
	once().is(200)
	b.journals.fail(errFull)
	for _, url := range []string{"/secrets/store/a", "/secrets/store/b?expand=true", "/secrets/list", "/tokens/self", "/policies", "/audit/events", "/audit/export"} {
		got := b.get(url, b.root).refused(fault.NoSpace, "")
		require.Equal(t, 507, got.status)
		require.NotContains(t, string(got.body), "planted-value")
	}
	b.get("/secrets/store/none", b.root).refused(fault.NoSpace, "")
	require.NotContains(t, string(once().refused(fault.NoSpace, "").body), "trs.", "a token is not given a second time without a record")
	b.put("/secrets/store/c", b.root, `{"value":"x"}`).is(200)
	b.do("DELETE", "/secrets/store/c", b.root, "").is(200)
	b.put("/secrets/store/c", b.token("x read"), `{"value":"x"}`).refused(fault.Denied, "")
	b.get("/sys/status", b.root).is(200)
	b.journals.fail(nil)
	require.Contains(t, string(b.get("/secrets/store/a", b.root).is(200).body), "planted-value")
	once().is(200)
	require.Equal(t, "tokens.create", b.last().Op)
}

func TestWhoMayNotActInATenantIsOnRecordAtHome(t *testing.T) {
	b := newBench(t)
	acme := b.tenant("acme")
	b.tenant("other")
	b.send(req("GET", base+"/secrets/store/a", acme, "").with(tenantHeader, "other")).refused(fault.NotFound, "")
	require.Equal(t, "not-found", b.last().Outcome)
	uid := b.get("/tenants/acme", b.root).reply()["uid"]
	require.Equal(t, uid, b.records(journal.Query{Op: "secrets.get"})[0].Tenant.String())
}

func TestUnknownCallersAreCounted(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.get("/secrets/store/a", "trs.unknown").refused(fault.Unauthenticated, "")
	}
	b.journals.own.Flush()
	items := b.get("/audit/events?source=refused", b.root).is(200).reply()["items"].([]any)
	require.Len(t, items, 1)
	read := items[0].(map[string]any)["read"].(map[string]any)
	require.EqualValues(t, 3, read["count"])
	require.Empty(t, b.get("/audit/events?source=refused", b.tenant("acme")).is(200).reply()["items"], "they are no tenant's")
}

// pages follows the cursors of a list.
func (b *bench) pages(query, token string) (all []map[string]any) {
	b.t.Helper()
	for cursor, n := "", 0; ; n++ {
		require.Less(b.t, n, 1000, "a list ends")
		page := b.get("/audit/events?"+query+"&after="+cursor, token).is(200).reply()
		for _, it := range page["items"].([]any) {
			all = append(all, it.(map[string]any))
		}
		if cursor = page["next_cursor"].(string); cursor == "" {
			return all
		}
	}
}

// spread puts reads into all three journals between changes.
func spread(b *bench) (first fsm.Time) {
	first = fsm.At(time.Now())
	for i := range 12 {
		b.put("/secrets/store/p", b.root, `{"value":"x"}`).is(200)
		for _, n := range []string{"n1", "n2", "n3"}[:1+i%3] {
			require.NoError(b.t, b.journals.nodes[n].Append(journal.Record{Op: "secrets.get", Identity: "reader-" + n, Accessor: "acc-" + n, Tenant: fsm.UID{15: byte(1 + i%2)},
				Path: "p/" + n, Outcome: journal.Allowed}))
		}
	}
	return first
}

func TestAListMergesTheLogAndAllJournalsInOrderOfTime(t *testing.T) {
	b := newBench(t)
	spread(b)
	name := func(it map[string]any) string { return fmt.Sprint(it["source"], it["node"], it["seq"]) }
	key := func(it map[string]any) time.Time {
		at, err := time.Parse(time.RFC3339Nano, it["at"].(string))
		require.NoError(t, err)
		return at
	}
	for _, limit := range []string{"1", "2", "5", "1000"} {
		asc := b.pages("limit="+limit, b.root)
		seen, sources := map[string]bool{}, map[string]int{}
		for i, it := range asc {
			require.False(t, seen[name(it)], "%s is shown twice", name(it))
			seen[name(it)] = true
			if it["read"] != nil && it["read"].(map[string]any)["operation"] == "audit.events" {
				continue
			}
			sources[fmt.Sprint(it["source"], it["node"])]++
			if i > 0 {
				require.False(t, key(it).Before(key(asc[i-1])), "in order of time")
			}
		}
		require.Equal(t, 12, sources["readsn1"])
		require.Equal(t, 8, sources["readsn2"])
		require.Equal(t, 4, sources["readsn3"])
		head, _ := b.store.View()
		seq, _ := head.Head()
		require.NoError(t, head.Close())
		require.EqualValues(t, seq, sources["log<nil>"])

		desc := b.pages("order=desc&limit="+limit, b.root)
		require.GreaterOrEqual(t, len(desc), len(asc), "the same, and the lists themselves")
		for i, it := range desc {
			if i > 0 {
				require.False(t, key(it).After(key(desc[i-1])))
			}
		}
	}
}

func TestAListIsFiltered(t *testing.T) {
	b := newBench(t)
	acme := b.tenant("acme")
	b.put("/secrets/store/p/deep", acme, `{"value":"x"}`).is(200)
	b.get("/secrets/store/p/deep", acme).is(200)
	first := spread(b)
	only := func(query string, n int, of func(it map[string]any) bool) {
		t.Helper()
		all := b.pages(query+"&limit=7", b.root)
		require.Len(t, all, n, query)
		for _, it := range all {
			require.True(t, of(it), "%s: %v", query, it)
		}
	}
	only("actor=reader-n2", 8, func(it map[string]any) bool { return it["node"] == "n2" })
	only("actor=acc-n3", 4, func(it map[string]any) bool { return it["node"] == "n3" })
	only("path=p/n3", 4, func(it map[string]any) bool { return it["node"] == "n3" })
	only("path=p&source=log", 13, func(it map[string]any) bool { return it["source"] == "log" })
	only("type=secret.version.written", 13, func(it map[string]any) bool { return it["source"] == "log" })
	only("type=secrets.get&path=p/deep", 1, func(it map[string]any) bool { return it["node"] == "n1" })
	since := url.QueryEscape(first.Std().Format(time.RFC3339Nano))
	only("since="+since+"&path=p", 36, func(it map[string]any) bool { return true })
	only("until="+since+"&path=p", 2, func(it map[string]any) bool { return true })
	only("until="+since+"&path=p&order=desc", 2, func(it map[string]any) bool { return true })
	for _, it := range b.pages("limit=3", acme) {
		require.Equal(t, b.get("/tenants/acme", b.root).reply()["uid"], it["tenant"], "a tenant sees its own")
	}
	require.NotEmpty(t, b.pages("source=reads", acme))
	for query, field := range map[string]string{"since=now": "since", "source=none": "source", "after=p!!": "after", "after=pe30": "after", "source=reads&after=3": "after"} {
		b.get("/audit/events?"+query, b.root).refused(fault.Invalid, field)
	}
}

func TestANodeThatDoesNotAnswerIsNamed(t *testing.T) {
	b := newBench(t)
	spread(b)
	b.journals.cut("n3", fault.New(fault.NotDone, "node n3 does not answer"))
	page := b.get("/audit/events?source=reads&limit=5", b.root).is(200).reply()
	missing := page["missing"].([]any)
	require.Len(t, missing, 1)
	require.Equal(t, map[string]any{"node": "n3", "source": "reads", "reason": "node n3 does not answer"}, missing[0])
	b.journals.cut("n3", nil)
	got := 0
	for cursor := page["next_cursor"].(string); cursor != ""; {
		page = b.get("/audit/events?source=reads&limit=5&after="+cursor, b.root).is(200).reply()
		require.Empty(t, page["missing"])
		for _, it := range page["items"].([]any) {
			if it.(map[string]any)["node"] == "n3" {
				got++
			}
		}
		cursor = page["next_cursor"].(string)
	}
	require.Equal(t, 4, got, "what it holds is shown when it is back")
}

func TestAnExportIsVerifiedWithoutAServer(t *testing.T) {
	b := newBench(t)
	acme := b.tenant("acme")
	b.put("/secrets/store/x", acme, `{"value":"planted-value"}`).is(200)
	b.get("/secrets/store/x", acme).is(200)
	spread(b)
	unsigned := b.get("/audit/export", b.root).is(200).body
	r, err := export.Verify(bytes.NewReader(unsigned), "")
	require.NoError(t, err)
	require.Empty(t, r.Key)
	require.True(t, r.Chained)
	print := b.sign()
	_, err = export.Verify(bytes.NewReader(unsigned), print)
	require.ErrorContains(t, err, "is not signed")

	file := b.get("/audit/export", b.root).is(200).body
	require.NotContains(t, string(file), "planted-value")
	require.Equal(t, print, b.get("/audit/key", b.root).is(200).reply()["fingerprint"])
	r, err = export.Verify(bytes.NewReader(file), print)
	require.NoError(t, err)
	require.Equal(t, print, r.Key)
	require.Equal(t, "c", r.Cluster)
	require.Len(t, r.Sources, 7, "the log, and two journals of each of three nodes")
	require.EqualValues(t, 8, r.Sources[2].Records)
	_, err = export.Verify(bytes.NewReader(file), "sha256:other")
	require.ErrorContains(t, err, "not with sha256:other")

	lines := strings.SplitAfter(string(file), "\n")
	for name, changed := range map[string]string{
		"an edited text":      strings.Replace(string(file), `"path":"p/n2"`, `"path":"p/n9"`, 1),
		"a line less":         strings.Join(append(append([]string{}, lines[:9]...), lines[10:]...), ""),
		"two lines exchanged": strings.Join(append(append(append([]string{}, lines[:4]...), lines[5], lines[4]), lines[6:]...), ""),
		"an end too early":    strings.Join(lines[:len(lines)-2], ""),
		"half a line":         string(file[:len(file)-10]),
		"something behind":    string(file) + "{}\n",
		"nothing":             "",
	} {
		require.NotEqual(t, string(file), changed, name)
		_, err := export.Verify(strings.NewReader(changed), print)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), name)
	}

	own := b.get("/audit/export", acme).is(200).body
	r, err = export.Verify(bytes.NewReader(own), print)
	require.NoError(t, err)
	require.False(t, r.Chained)
	require.NotContains(t, string(own), `"raw"`)
	require.NotContains(t, string(own), "reader-n2")

	b.journals.cut("n2", fault.New(fault.NotDone, "node n2 does not answer"))
	r, err = export.Verify(bytes.NewReader(b.get("/audit/export", b.root).is(200).body), print)
	require.NoError(t, err)
	require.Equal(t, export.Missing{Node: "n2", Source: "reads", Reason: "node n2 does not answer"}, r.Missing[0])
	later := b.get("/audit/export?after=3", b.root).is(200).body
	r, err = export.Verify(bytes.NewReader(later), print)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Sources[0].After)
	require.Len(t, r.Sources, 1)
}
