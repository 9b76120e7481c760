package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

func file(name string) string {
	b, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return string(b)
}

// HTML writes the page of a run: one file that needs no other.
func HTML(w io.Writer, r Run) error {
	d := runPage{frame: newFrame("jepsen: "+r.Scenario, file("zoom.js")), Run: r, Verdict: r.Verdict()}
	if r.History != nil && len(r.History.Events) > 0 {
		d.Timeline = template.HTML(timeline(r.History, r.Figures))
	}
	return render(w, "run", d)
}

// Index writes the page over many runs. It does not look at their histories.
func Index(w io.Writer, entries []Entry) error {
	return render(w, "index", indexPage{frame: newFrame("jepsen: runs", ""), Entries: entries, Sum: sumOf(entries), Verdict: verdictOf(entries)})
}

func sumOf(entries []Entry) Summary {
	var all []Figures
	for _, e := range entries {
		all = append(all, e.Figures)
	}
	return Sum(all)
}

func verdictOf(entries []Entry) string {
	var all Run
	for _, e := range entries {
		all.Verdicts = append(all.Verdicts, e.Verdicts...)
		if len(e.Verdicts) == 0 {
			return unknown
		}
	}
	return all.Verdict()
}

type frame struct {
	Title  string
	Style  template.CSS
	Script template.JS
	Hash   string // of the one script that may run
}

func newFrame(title, script string) frame {
	sum := sha256.Sum256([]byte(script))
	return frame{Title: shown(title, 80), Style: template.CSS(file("style.css")), Script: template.JS(script), Hash: base64.StdEncoding.EncodeToString(sum[:])}
}

type runPage struct {
	frame
	Run      Run
	Verdict  string
	Timeline template.HTML // escaped where it is drawn
}

type indexPage struct {
	frame
	Entries []Entry
	Sum     Summary
	Verdict string
}

type timesCard struct {
	Name  string
	Times Times
}

// render writes nothing when the page cannot be made.
func render(w io.Writer, name string, data any) error {
	t, err := template.New("").Funcs(template.FuncMap{
		"human": human, "moment": moment, "grouped": grouped, "percent": percent, "counted": counted, "gap": gapText, "wait": waitText,
		"times": timesText, "word": word, "lower": strings.ToLower, "lasts": lasts, "date": date, "json": compact, "short": short,
		"clean":  func(s string) string { return shown(s, 400) },
		"detail": func(s string) string { return lines(s, 4000) },
		"card":   func(name string, t Times) timesCard { return timesCard{name, t} },
	}).ParseFS(files, "page/*.html")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

func lasts(f Fault) string {
	if !f.Healed {
		return "not healed"
	}
	return human(f.End - f.Begin)
}

func date(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return shown(string(raw), 300)
	}
	return shown(b.String(), 300)
}

func short(commit string) string { return strings.TrimSuffix(shown(commit, 10), "…") }

// lines is shown for text of several lines.
func lines(s string, limit int) string {
	parts := strings.Split(s, "\n")
	for i := range parts {
		parts[i] = shown(parts[i], limit)
	}
	if s = strings.Join(parts, "\n"); len([]rune(s)) > limit {
		return string([]rune(s)[:limit]) + "…"
	}
	return s
}
