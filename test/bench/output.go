package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// show prints the rows as a table for people or as an array of objects.
func show(to io.Writer, format string, rows []Row) error {
	if format == "json" {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(append([]Row{}, rows...)) // [] rather than null
	}
	_, err := io.WriteString(to, table(rows))
	return err
}

// columns of the table; the first and the last two are words, which stand to the left.
var columns = []string{"", "clients", "per second", "p50 ms", "p99 ms", "max ms", "p50/fsync", "node µs/op", "client µs/op", "other CPU", "value", "target", ""}

func words(column int) bool { return column == 0 || column >= len(columns)-2 }

func table(rows []Row) string {
	cells := [][]string{columns}
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	width := make([]int, len(columns))
	for _, line := range cells {
		for i, c := range line {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, line := range cells {
		b.WriteString(strings.TrimRight(aligned(line, width), " ") + "\n")
	}
	return b.String() + remarks(rows)
}

func aligned(line []string, width []int) string {
	out := make([]string, len(line))
	for i, c := range line {
		pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
		if out[i] = pad + c; words(i) {
			out[i] = c + pad
		}
	}
	return strings.Join(out, "  ")
}

func (r Row) name() string {
	if r.LogStore == "" {
		return r.What
	}
	return r.What + " (" + r.LogStore + ")"
}

func (r Row) cells() []string {
	clients := ""
	if r.Clients > 0 {
		clients = strconv.Itoa(r.Clients)
	}
	return []string{r.name(), clients, figure(r.PerSecond), figure(r.P50), figure(r.P99), figure(r.Max), ratio(r.Fsyncs), figure(r.NodeCPU), figure(r.BenchCPU), percent(r.OtherCPU), r.value(), r.Target, r.verdict()}
}

func (r Row) verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "met"
	}
	return "MISSED"
}

// figure shows about three digits; nothing for what was not measured.
func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return grouped(v)
}

func ratio(v float64) string {
	if v == 0 {
		return ""
	}
	return figure(v) + "x"
}

func percent(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + "%"
}

// grouped writes a whole number with a comma at every third digit.
func grouped(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// remarks are the notes and, most of all, what failed.
func remarks(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		if r.Note != "" {
			fmt.Fprintf(&b, "\n%s: %s", r.label(), r.Note)
		}
		if len(r.Failed) > 0 {
			fmt.Fprintf(&b, "\n%s: FAILED: %s", r.label(), failures(r.Failed))
		}
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

func (r Row) label() string {
	switch r.Clients {
	case 0:
		return r.name()
	case 1:
		return r.name() + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", r.name(), r.Clients)
}

// line is the row as it is told while others are still being measured.
func (r Row) line() string {
	parts := []string{r.label() + ":"}
	for _, p := range []struct{ before, figure, after string }{{"", figure(r.PerSecond), "/s"}, {"p50 ", figure(r.P50), " ms"}, {"p99 ", figure(r.P99), " ms"},
		{"max ", figure(r.Max), " ms"}, {"", r.value(), ""}, {"", r.verdict(), ""}, {"FAILED: ", failures(r.Failed), ""}} {
		if p.figure != "" {
			parts = append(parts, p.before+p.figure+p.after)
		}
	}
	return strings.Join(parts, "  ")
}

func (r Row) value() string {
	var parts []string
	if r.Value != nil {
		parts = append(parts, grouped(*r.Value)+" "+r.Unit)
	}
	if r.Ratio > 0 {
		parts = append(parts, ratio(r.Ratio)+" "+r.RatioTo)
	}
	return strings.Join(parts, ", ")
}

func failures(failed map[string]int) string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(failed)) {
		list = append(list, fmt.Sprintf("%d %s", failed[kind], kind))
	}
	return strings.Join(list, ", ")
}
