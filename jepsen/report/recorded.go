package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Recorded is what the runs that REPORT.md speaks of came to. `go run ./jepsen report --record` writes it.
type Recorded struct {
	Commits []string `json:"commits"` // that the binaries were built from, in the order of the runs
	Summary Summary  `json:"summary"` // without operations and faults one by one
}

// RecordedFile is where Record's text belongs, from the project's root.
const RecordedFile = "jepsen/report/recorded.json"

//go:embed recorded.json
var recorded []byte

// Last returns what was recorded last.
func Last() (r Recorded, err error) {
	err = json.Unmarshal(recorded, &r)
	return r, err
}

// Record is the text of what runs came to. It is an error when something was violated in one of them.
func Record(entries []Entry) ([]byte, error) {
	r := Recorded{Summary: sumOf(entries)}
	r.Summary.Operations, r.Summary.Faults = nil, nil
	for _, e := range entries {
		if !slices.Contains(r.Commits, e.Commit) {
			r.Commits = append(r.Commits, e.Commit)
		}
		if e.Verdict() != holds {
			return nil, fmt.Errorf("%s with seed %d, on %s, has the verdict %s: runs on record are %s", e.Scenario, e.Seed, e.Commit, e.Verdict(), holds)
		}
	}
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

func shortest(commits []string) string {
	var all []string
	for _, c := range commits {
		all = append(all, short(c))
	}
	return strings.Join(all, ", ")
}

// String is one line of it.
func (r Recorded) String() string {
	return fmt.Sprintf("%d runs, %s under load and faults, commit %s: %s", r.Summary.Runs, human(r.Summary.Load), shortest(r.Commits), r.Summary.Line())
}
