package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
)

func pageOf(t *testing.T, r Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, r))
	return b.String()
}

var scripts = regexp.MustCompile(`(?s)<script>.*?</script>`)

// wellFormed takes the page for XML, which forgives nothing.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	page = strings.TrimPrefix(page, "<!DOCTYPE html>")
	d := xml.NewDecoder(strings.NewReader(scripts.ReplaceAllString(page, "")))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

// TestPages leaves the pages to be looked at where TRSTCTL_REPORT_DIR says.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	if d := os.Getenv("TRSTCTL_REPORT_DIR"); d != "" {
		dir = d
	}
	run := inventedRun(invent(time.Minute, 24, 30000))
	page := pageOf(t, run)
	wellFormed(t, page)
	require.Equal(t, page, pageOf(t, inventedRun(invent(time.Minute, 24, 30000))), "the same input gives the same bytes")
	require.NotRegexp(t, `(?i)(src|href)="?(https?:)?//`, page, "nothing is loaded from elsewhere")

	other := run
	other.Scenario, other.Seed, other.Verdicts = "pauses", 12, run.Verdicts[:1]
	entries := []Entry{{run, "kills-4711/report.html"}, {other, "pauses-12/report.html"}}
	var index, text bytes.Buffer
	require.NoError(t, Index(&index, entries))
	require.NoError(t, Markdown(&text, entries))
	wellFormed(t, index.String())
	require.Contains(t, index.String(), `<a href="kills-4711/report.html">kills</a>`)
	require.Contains(t, text.String(), "| [kills](<kills-4711/report.html>) | 4711 | bolt | 3 |")
	for name, content := range map[string]string{"run.html": page, "index.html": index.String(), "runs.md": text.String()} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
}

func TestALongRunKeepsItsPageSmall(t *testing.T) {
	for name, h := range map[string]*history.History{
		"ten minutes": invent(10*time.Minute, 50, 200_000), "half a minute": invent(30*time.Second, 200, 200_000), "two hours": invent(2*time.Hour, 20, 200_000)} {
		t.Run(name, func(t *testing.T) {
			page := pageOf(t, inventedRun(h))
			wellFormed(t, page)
			require.Greater(t, len(h.Ops("")), 90_000)
			require.Less(t, len(page), 3<<20)
		})
	}
}

// hostile is what a history may hold when a node answers with it.
const hostile = "</script></title><b onload='x'>\"&`\x00\xff\u202e{{.}}]]>\n<script>alert(1)</script>"

func hostileRun() Run {
	value, _ := json.Marshal(map[string]any{"id": 1, "targets": []string{hostile}, "leader": true, "detail": hostile})
	seen, _ := json.Marshal(map[string]any{"node": hostile, "state": hostile, "leader": hostile, "term": 3})
	leads, _ := json.Marshal(map[string]any{"node": "n1" + hostile, "state": "leader", "term": 3})
	h := &history.History{Events: []history.Event{
		{Time: ms(1), Process: 0, Type: history.Invoke, F: hostile, Node: hostile, Value: json.RawMessage(hostile)},
		{Time: ms(2), Process: history.Nemesis, Type: history.Invoke, F: hostile, Value: value},
		{Time: ms(2), Process: history.Watcher, Type: history.Info, F: "status", Value: seen},
		{Time: ms(3), Process: history.Watcher, Type: history.Info, F: "status", Value: leads},
		{Time: ms(4), Process: history.Nemesis, Type: history.Info, F: hostile, Value: value, Error: hostile},
		{Time: ms(900), Process: 0, Type: history.Info, F: hostile, Error: hostile},
		{Time: ms(901), Process: 0, Type: history.Invoke, F: "x.put"},
		{Time: ms(2901), Process: 0, Type: history.OK, F: "x.put", Value: json.RawMessage(hostile)}}}
	return Run{Scenario: hostile, Says: hostile, Store: hostile, Network: hostile, Commit: hostile, Version: hostile, Command: hostile, Notes: []string{hostile},
		Verdicts: []history.Verdict{{Checker: hostile, Detail: hostile, File: "javascript:alert(1)"}, {Checker: "b", Detail: "c", File: hostile}},
		History:  h, Figures: Measure(h, func(string) bool { return true })}
}

func TestRecordedTextIsNeverMarkup(t *testing.T) {
	r := hostileRun()
	var index, text bytes.Buffer
	require.NoError(t, Index(&index, []Entry{{r, "javascript:alert(1)"}, {r, hostile}}))
	require.NoError(t, Markdown(&text, []Entry{{r, hostile}}))
	for name, page := range map[string]string{"run": pageOf(t, r), "index": index.String(), "markdown": text.String()} {
		t.Run(name, func(t *testing.T) {
			require.NotContains(t, page, "<b onload")
			require.NotContains(t, page, "<script>alert")
			require.NotContains(t, page, "href=\"javascript:")
			require.NotContains(t, page, "\x00")
			require.NotContains(t, page, "\u202e", "text that runs backwards hides what it says")
			if name != "markdown" {
				wellFormed(t, page)
			}
		})
	}
	require.Equal(t, 1, strings.Count(pageOf(t, r), "<script>"))
}

func TestOnlyThePagesOwnScriptMayRun(t *testing.T) {
	page := pageOf(t, hostileRun())
	script := strings.TrimSuffix(strings.TrimPrefix(scripts.FindString(page), "<script>"), "</script>")
	require.Equal(t, file("zoom.js"), script, "else its hash would not be the one that the page allows")
	require.Contains(t, strings.ReplaceAll(page, "&#43;", "+"), newFrame("", script).Hash)
}

func TestAPageOfNothing(t *testing.T) {
	for name, r := range map[string]Run{
		"nothing":    {},
		"no events":  {History: &history.History{}},
		"no clients": {History: &history.History{Events: []history.Event{{Time: 5, Process: history.Watcher, F: "status", Value: json.RawMessage(`{"node":"n1"}`)}}}},
		"one call":   {History: &history.History{Events: []history.Event{{Time: 5, Type: history.Invoke, F: "register.put"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if r.History != nil {
				r.Figures = Measure(r.History, isWrite)
			}
			page := pageOf(t, r)
			wellFormed(t, page)
			require.Contains(t, page, `<span class="badge unknown">UNKNOWN</span>`)
			require.NotContains(t, page, "NaN")
		})
	}
	var b bytes.Buffer
	require.NoError(t, Index(&b, nil))
	wellFormed(t, b.String())
	require.NoError(t, Markdown(&b, nil))
}

func TestVerdictOfARun(t *testing.T) {
	good, bad, open := history.Verdict{OK: true}, history.Verdict{}, history.Verdict{Unknown: true}
	require.Equal(t, "UNKNOWN", Run{}.Verdict())
	require.Equal(t, "OK", Run{Verdicts: []history.Verdict{good, good}}.Verdict())
	require.Equal(t, "UNKNOWN", Run{Verdicts: []history.Verdict{good, open}}.Verdict())
	require.Equal(t, "FAIL", Run{Verdicts: []history.Verdict{bad, open, good}}.Verdict())
	require.Equal(t, "UNKNOWN", verdictOf([]Entry{{Run: Run{Verdicts: []history.Verdict{good}}}, {}}), "a run that nobody judged")
}
