package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/jepsen/report"
	"github.com/trstctl/trstctl/jepsen/scenario"
)

func (a *app) reportCommand() *cobra.Command {
	var markdown, record bool
	c := &cobra.Command{Use: "report DIR...", Short: "Make the pages of recorded runs, and one over all of them", Args: cobra.MinimumNArgs(1),
		Long: "Judge all runs in and beneath the directories again, write their report.html, and an index.html over all of them into the first directory."}
	c.Flags().BoolVar(&record, "record", false, "write the summed figures to "+report.RecordedFile+", where `make bench` reads them, without judging again")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the table of runs and the summed figures for REPORT.md instead, without judging again")
	c.RunE = func(_ *cobra.Command, dirs []string) error {
		runs, err := allRuns(dirs)
		if err != nil {
			return err
		}
		if !markdown && !record {
			return pages(dirs[0], runs)
		}
		entries, err := entriesOf(dirs[0], runs)
		if err == nil && record {
			err = recordIn(report.RecordedFile, entries)
		}
		if err == nil && markdown {
			err = report.Markdown(os.Stdout, entries)
		}
		return err
	}
	return c
}

func recordIn(file string, entries []report.Entry) error {
	b, err := report.Record(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

func allRuns(dirs []string) (runs []string, err error) {
	for _, dir := range dirs {
		found, bad := scenario.Runs(dir)
		runs, err = append(runs, found...), errors.Join(err, bad)
	}
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("no run that was finished is in %v", dirs)
	}
	return runs, err
}

func pages(top string, runs []string) error {
	for _, dir := range runs {
		if _, err := scenario.Check(dir); err != nil {
			return err
		}
	}
	entries, err := entriesOf(top, runs)
	if err != nil {
		return err
	}
	path := filepath.Join(top, "index.html")
	if err := into(path, func(w io.Writer) error { return report.Index(w, entries) }); err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

func entriesOf(top string, runs []string) (entries []report.Entry, err error) {
	for _, dir := range runs {
		e, bad := scenario.Entry(top, dir)
		entries, err = append(entries, e), errors.Join(err, bad)
	}
	return entries, err
}

func into(path string, do func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Close())
}
