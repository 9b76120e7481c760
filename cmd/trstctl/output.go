package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// view is an answer in its three forms. Raw is exact bytes for answers that are one value; without it raw output is the rows, tab
// separated and without a head.
type view struct {
	json any
	head []string
	rows [][]string
	raw  []byte
	foot string // a line below the table, which is for people only
}

// show prints v as -o asks, as a table by default.
func (a *app) show(v view) error {
	switch a.output {
	case "json":
		return writeJSON(a.out, v.json)
	case "raw":
		return writeRaw(a.out, v)
	}
	if err := writeTable(a.out, v); err != nil || v.foot == "" {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%s\n", clean(v.foot))
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeRaw(w io.Writer, v view) error {
	if v.raw != nil {
		_, err := w.Write(v.raw)
		return err
	}
	for _, row := range v.rows {
		if _, err := fmt.Fprintln(w, strings.Join(cleaned(row), "\t")); err != nil {
			return err
		}
	}
	return nil
}

// writeTable aligns columns over short rows too, and leaves no blanks at the ends of lines.
func writeTable(w io.Writer, v view) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for i, row := range append([][]string{v.head}, v.rows...) {
		if i == 0 && len(v.head) == 0 {
			continue
		}
		fmt.Fprintln(t, strings.Join(cleaned(row), "\t")+strings.Repeat("\t", max(0, len(v.head)-len(row))))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func cleaned(row []string) []string {
	out := make([]string, len(row))
	for i, cell := range row {
		out[i] = clean(cell)
	}
	return out
}

// clean makes foreign text fit for a terminal and for one cell: what could move the cursor or start an escape sequence is shown
// as Go writes it.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// fields is a table of name and value.
func fields(pairs ...string) (rows [][]string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		rows = append(rows, pairs[i:i+2])
	}
	return rows
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// atMost shows a bound, of which 0 is none.
func atMost(n uint64) string {
	if n == 0 {
		return "-"
	}
	return number(n)
}

func stamp(t time.Time) string {
	if t.Unix() <= 0 { // "none" in either of the two ways that it is written
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// done is the answer of a change that returns nothing.
func (a *app) done(what, name string) error {
	return a.show(view{json: map[string]string{what: name}, rows: fields(what, name)})
}
