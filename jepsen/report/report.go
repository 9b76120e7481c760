// Package report turns recorded runs into figures and into pages that a person reads. It is a pure function of what was recorded: it asks
// no clock and no cluster, and the same input gives the same bytes.
//
// Measure has the figures of one run and Sum those of many. HTML is the page of a run, Index the page over many and Markdown the same as
// text. The pages load nothing from elsewhere. A history is untrusted text: all of it is escaped, and the pages forbid every script but
// their own.
package report

import (
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Run is what a page shows of one run.
type Run struct {
	Scenario string
	Says     string // what the scenario does, in a sentence
	Seed     uint64
	Nodes    int
	Store    string
	Network  string
	Commit   string
	Version  string
	Command  string // repeats the run
	Started  time.Time
	Duration time.Duration // with start, rest and checks
	Verdicts []history.Verdict
	Figures  Figures
	History  *history.History // nil: no timeline
	Notes    []string
}

// Entry is a run in a page over many.
type Entry struct {
	Run
	Link string // to its page, relative to this one; may be empty
}

// What is said of a whole run.
const (
	holds   = "OK"
	fails   = "FAIL"
	unknown = "UNKNOWN"
)

// Verdict is FAIL if any checker says so, otherwise UNKNOWN if any could not decide or if there was none, otherwise OK.
func (r Run) Verdict() string {
	all := holds
	for _, v := range r.Verdicts {
		switch word(v) {
		case fails:
			return fails
		case unknown:
			all = unknown
		}
	}
	if len(r.Verdicts) == 0 {
		return unknown
	}
	return all
}

func word(v history.Verdict) string {
	switch {
	case v.Unknown:
		return unknown
	case v.OK:
		return holds
	}
	return fails
}
