package main

import (
	"fmt"
	"os"
)

// showExport checks an export and prints what it holds, and what that proves.
func (a *app) showExport(name, key string) error {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r, err := verifyExport(in, key)
	if err != nil {
		return failure{fmt.Errorf("%s is not intact: %w", name, err)}
	}
	rows := make([][]string, 0, len(r.Sources))
	for _, s := range r.Sources {
		rows = append(rows, []string{s.Source, s.Node, number(s.Records), number(s.After + 1), number(s.Last), number(uint64(s.Anchors)), s.Hash})
	}
	if err := a.show(view{json: r, head: []string{"SOURCE", "NODE", "RECORDS", "FIRST", "LAST", "ANCHORS", "HEAD"}, rows: rows}); err != nil {
		return err
	}
	for _, m := range r.Missing {
		fmt.Fprintf(a.err, "not in it: the journal (%s) of node %s: %s\n", m.Source, clean(m.Node), clean(m.Reason))
	}
	a.proves(r.Chained, r.Key, key)
	return nil
}

// proves says what an intact export shows, and what it does not.
func (a *app) proves(chained bool, signer, key string) {
	if !chained {
		fmt.Fprintln(a.err, "this is a part: the lines are as they were written, and no chain shows what is not among them")
	}
	switch {
	case signer == "":
		fmt.Fprintln(a.err, "it is not signed: it proves nothing about who wrote it")
	case key == "":
		fmt.Fprintf(a.err, "it is signed with %s, which proves nothing about who signed: compare that with `trstctl audit key`, or give --key\n", signer)
	}
}
