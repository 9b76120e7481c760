package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Markdown writes what Index shows as tables of text.
func Markdown(w io.Writer, entries []Entry) error {
	var b bytes.Buffer
	s := sumOf(entries)
	fmt.Fprintf(&b, "%d runs, %s under load, %s operations, of which %s with an unknown outcome.\n\n", s.Runs, human(s.Load), grouped(s.Count().All()), grouped(s.Count().Info))
	headline(&b, s)
	runsTable(&b, entries)
	faultsTable(&b, s.Faults)
	operationsTable(&b, s.Operations)
	_, err := w.Write(b.Bytes())
	return err
}

func headline(b *bytes.Buffer, s Summary) {
	table(b, "Figure", "Value")
	line(b, "writes available", counted(s.Availability))
	line(b, "longest gap between writes", gapText(s.Gap))
	line(b, "longest gap, leader alone killed or paused", gapText(s.LeaderGap))
	line(b, "failover after a kill of the leader: median / p99 / max", timesText(s.Kills))
	line(b, "interruption by a pause of the leader: median / p99 / max", timesText(s.Pauses))
	line(b, "recovery after the heal of a fault: median / p99 / max", timesText(s.Recovery))
	b.WriteByte('\n')
}

func runsTable(b *bytes.Buffer, entries []Entry) {
	table(b, "Scenario", "Seed", "Store", "Nodes", "Under load", "Operations", "Faults", "Verdict", "Writes available", "Longest gap", "Gap, leader killed or paused", "Failover: median / p99 / max", "Commit")
	for _, e := range entries {
		f := e.Figures
		name := cell(e.Scenario)
		if e.Link != "" {
			name = fmt.Sprintf("[%s](<%s>)", name, linkEscapes.Replace(shown(e.Link, 200)))
		}
		row(b, name, fmt.Sprint(e.Seed), cell(e.Store), fmt.Sprint(e.Nodes), human(f.Load), grouped(f.Count().All()), fmt.Sprint(len(f.Windows)), e.Verdict(),
			percent(f.Availability), gapText(f.Gap), gapText(f.LeaderGap), timesText(f.Kills), cell(short(e.Commit)))
	}
	b.WriteByte('\n')
}

func faultsTable(b *bytes.Buffer, all []FaultTotal) {
	table(b, "Fault", "Times", "Of the leader", "Not healed", "Writes available", "Longest gap during", "Longest gap after", "Failover: median / p99 / max", "Recovery: median / p99 / max")
	for _, f := range all {
		line(b, f.Name, fmt.Sprint(f.N), fmt.Sprint(f.Leader), fmt.Sprint(f.Unhealed), counted(f.Availability), gapText(f.During), gapText(f.After), timesText(f.Failover), timesText(f.Recovery))
	}
	b.WriteByte('\n')
}

func operationsTable(b *bytes.Buffer, all []Operation) {
	table(b, "Operation", "ok", "fail", "info", "ok: median", "ok: p99", "ok: slowest")
	for _, o := range all {
		line(b, o.F, grouped(o.OK), grouped(o.Fail), grouped(o.Info), human(o.Latency.Median), human(o.Latency.P99), human(o.Latency.Max))
	}
}

func table(b *bytes.Buffer, columns ...string) {
	row(b, columns...)
	b.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
}

// line escapes its cells; row does not.
func line(b *bytes.Buffer, cells ...string) {
	for i, c := range cells {
		cells[i] = cell(c)
	}
	row(b, cells...)
}

func row(b *bytes.Buffer, cells ...string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`)

var linkEscapes = strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C")

// cell is recorded text within a table.
func cell(s string) string { return markdownEscapes.Replace(shown(s, 200)) }
