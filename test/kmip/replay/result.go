package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one point at which a response is not the published one.
type Difference struct {
	Step     int    // counted from 1
	Path     string // of tags, with the names of attributes
	Expected string
	Got      string
}

// String returns "step 2: ResponseMessage/.../State: expected Active, got PreActive".
func (d Difference) String() string {
	return fmt.Sprintf("step %d: %s: expected %s, got %s", d.Step, d.Path, d.Expected, d.Got)
}

// NotApplicable says why a case is not replayed, by the name of the case. A reason is for an engineer who knows KMIP.
type NotApplicable map[string]string

// Unknown returns the names that no case has, so that a table does not outlive its cases.
func (n NotApplicable) Unknown(groups []Group) []string {
	left := maps.Clone(n)
	for _, g := range groups {
		for _, c := range g.Cases {
			delete(left, c.Name)
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// ClientBound returns the cases with a request that a server sends to its client, for the caller's table.
func ClientBound(groups []Group) NotApplicable {
	n := NotApplicable{}
	for _, g := range groups {
		for _, c := range g.Cases {
			if reason := c.clientBound(); reason != "" {
				n[c.Name] = reason
			}
		}
	}
	return n
}

// Outcome is what became of a case.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "not applicable"
)

// Result is the outcome of one case.
type Result struct {
	Case        string
	Outcome     Outcome
	Reason      string // of Skipped
	Differences []Difference
	Err         error // why the case ended early
}

// String returns the outcome, and for a failed case a line for every difference.
func (r Result) String() string {
	s := fmt.Sprintf("%s: %s", r.Case, r.Outcome)
	if r.Outcome == Skipped {
		return s + ": " + r.Reason
	}
	for _, d := range r.Differences {
		s += "\n    " + d.String()
	}
	if r.Err != nil {
		s += "\n    " + r.Err.Error()
	}
	return s
}

// Report is the results of a run, one for every case.
type Report []Result

// Count returns how many cases had this outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// String returns the counts, then the failed and the not applicable cases in full, then the names of those that passed.
func (r Report) String() string {
	lines := []string{fmt.Sprintf("%d cases: %d %s, %d %s, %d %s",
		len(r), r.Count(Passed), Passed, r.Count(Failed), Failed, r.Count(Skipped), Skipped)}
	for _, o := range []Outcome{Failed, Skipped, Passed} {
		for _, result := range r {
			if result.Outcome == o {
				lines = append(lines, result.String())
			}
		}
	}
	return strings.Join(lines, "\n")
}
