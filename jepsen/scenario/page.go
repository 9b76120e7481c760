package scenario

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/report"
)

func page(info Info, h *history.History, all []history.Verdict, f report.Figures) report.Run {
	r := report.Run{Scenario: info.Scenario, Seed: info.Seed, Nodes: info.Nodes, Store: info.Store, Network: info.Network, Commit: info.Commit,
		Command: info.Command(), Started: info.Started, Duration: info.Took, Verdicts: all, Figures: f, History: h}
	if s, err := ByName(info.Scenario); err == nil {
		r.Says = s.Says
	}
	for _, e := range info.Env {
		r.Notes = append(r.Notes, "The nodes ran with "+e+".")
	}
	return r
}

// Entry is a judged run as a page over many shows it. from is the directory of that page.
func Entry(from, dir string) (e report.Entry, err error) {
	var info Info
	var all []history.Verdict
	var f report.Figures
	err = errors.Join(load(filepath.Join(dir, infoFile), &info), load(filepath.Join(dir, verdictFile), &all), load(filepath.Join(dir, figuresFile), &f))
	if err != nil {
		return e, fmt.Errorf("%s is not the directory of a run that was judged: %w", dir, err)
	}
	link, err := filepath.Rel(from, filepath.Join(dir, reportFile))
	return report.Entry{Run: page(info, nil, all, f), Link: filepath.ToSlash(link)}, err
}

// Runs returns the directories of judged runs that are dir or beneath it.
func Runs(dir string) (dirs []string, err error) {
	for _, pattern := range []string{infoFile, filepath.Join("*", infoFile), filepath.Join("*", "*", infoFile)} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			dirs = append(dirs, filepath.Dir(f))
		}
	}
	return dirs, nil
}
