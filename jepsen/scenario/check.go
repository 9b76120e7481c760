package scenario

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/report"
	"github.com/trstctl/trstctl/jepsen/workload"
)

// Check judges a run from what its directory holds, and writes verdicts, figures, EDN and the page anew. It needs no cluster.
func Check(dir string) ([]history.Verdict, error) {
	var info Info
	var found []history.Verdict
	if err := errors.Join(load(filepath.Join(dir, infoFile), &info), load(filepath.Join(dir, aftermathOf), &found)); err != nil {
		return nil, fmt.Errorf("%s is not the directory of a run that was finished: %w", dir, err)
	}
	h, err := history.Read(filepath.Join(dir, historyFile))
	if err != nil {
		return nil, err
	}
	all, err := judge(dir, h, info)
	if err != nil {
		return nil, err
	}
	all = append(found, all...)
	return all, write(dir, info, h, all)
}

// judge has every workload that took part judge the history.
func judge(dir string, h *history.History, info Info) (all []history.Verdict, err error) {
	s, err := ByName(info.Scenario)
	if err != nil {
		return nil, err
	}
	for _, w := range workload.All() {
		if len(s.Workloads) > 0 && !slices.Contains(s.Workloads, w.Name()) {
			continue
		}
		all = append(all, w.Check(h)...)
	}
	all = append(all, happened(s, h))
	return all, visualize(dir, h, all)
}

// visualize has what failed drawn, where its workload can. What it draws is what its checker of its own name looks at.
func visualize(dir string, h *history.History, all []history.Verdict) (err error) {
	for i := range all {
		w := drawn(all[i])
		if w == nil {
			continue
		}
		var bad error
		all[i].File, bad = w.Visualize(h, dir)
		err = errors.Join(err, bad)
	}
	return err
}

func drawn(v history.Verdict) workload.Detailed {
	for _, w := range workload.All() {
		if d, can := w.(workload.Detailed); can && !v.OK && v.Checker == w.Name() {
			return d
		}
	}
	return nil
}

// happened says whether there was anything to withstand.
func happened(s Scenario, h *history.History) history.Verdict {
	faults := 0
	for _, e := range h.Of(history.Nemesis, "") {
		if e.Type == history.OK {
			faults++
		}
	}
	return history.Verdict{Checker: "faults done", OK: faults > 0 || len(s.Faults) == 0, Checked: faults, Detail: fmt.Sprintf("%d faults done and healed", faults)}
}

func write(dir string, info Info, h *history.History, all []history.Verdict) (err error) {
	figures := report.Measure(h, workload.Writes)
	if err := errors.Join(save(filepath.Join(dir, verdictFile), all), save(filepath.Join(dir, figuresFile), figures)); err != nil {
		return err
	}
	err = create(filepath.Join(dir, ednFile), h.EDN)
	return errors.Join(err, create(filepath.Join(dir, reportFile), func(to io.Writer) error { return report.HTML(to, page(info, h, all, figures)) }))
}

func create(path string, do func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Close())
}
