package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// Recorded is what the runs that REPORT.md speaks of came to. `go run ./jepsen report --record` writes it.
type Recorded struct {
	Commit  string  `json:"commit"`
	Summary Summary `json:"summary"` // without operations and faults one by one
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

// Record is the text of what runs came to. It is an error when they are not of one commit, or when something was violated in one of them.
func Record(entries []Entry) ([]byte, error) {
	r := Recorded{Summary: sumOf(entries)}
	r.Summary.Operations, r.Summary.Faults = nil, nil
	for _, e := range entries {
		if r.Commit == "" {
			r.Commit = e.Commit
		}
		if e.Commit != r.Commit || e.Verdict() != holds {
			return nil, fmt.Errorf("%s with seed %d is of %s, with the verdict %s: runs on record are of one commit (%s), and "+holds, e.Scenario, e.Seed, e.Commit, e.Verdict(), r.Commit)
		}
	}
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// String is one line of it.
func (r Recorded) String() string {
	return fmt.Sprintf("%d runs, %s under load and faults, commit %s: %s", r.Summary.Runs, human(r.Summary.Load), short(r.Commit), r.Summary.Line())
}
