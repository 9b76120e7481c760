package report

import (
	"maps"
	"slices"
	"time"
)

// Summary is what figures of one run and of many have in common.
type Summary struct {
	Runs         int           `json:"runs"`
	Load         time.Duration `json:"load"` // time under load
	Operations   []Operation   `json:"operations,omitempty"`
	Availability `json:"availability"`
	Gap          Gap          `json:"gap"`              // the longest
	Kills        Times        `json:"kills"`            // failover after a kill of the leader alone
	Pauses       Times        `json:"pauses"`           // interruption by a pause of the leader alone
	LeaderGap    Gap          `json:"leader_gap"`       // the longest in and after such a kill or pause
	Recovery     Times        `json:"recovery"`         // of all faults
	Faults       []FaultTotal `json:"faults,omitempty"` // by name
}

// FaultTotal is what all faults of one name have in common.
type FaultTotal struct {
	Name         string `json:"name"`
	N            int    `json:"n"`
	Leader       int    `json:"leader"`   // that hit the leader
	Unhealed     int    `json:"unhealed"` // that were not healed, or not in order
	Availability `json:"availability"`
	During       Gap   `json:"gap"`
	After        Gap   `json:"gap_after"`
	Failover     Times `json:"failover"`
	Recovery     Times `json:"recovery"`
}

// Sum adds runs up. Times since a run began, as of the longest gap, are those of the run that it was in.
func Sum(runs []Figures) Summary {
	s := Summary{}
	ops := map[string]Operation{}
	var windows []Window
	for _, f := range runs {
		s.Runs++
		s.Load += f.To - f.From
		s.Availability = s.Availability.plus(f.Summary.Availability)
		s.Gap = longer(s.Gap, f.Summary.Gap)
		windows = append(windows, f.Windows...)
		for _, o := range f.Summary.Operations {
			ops[o.F] = ops[o.F].plus(o)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(ops)) {
		s.Operations = append(s.Operations, ops[f])
	}
	s.add(windows)
	return s
}

func (o Operation) plus(p Operation) Operation {
	return Operation{F: p.F, OK: o.OK + p.OK, Fail: o.Fail + p.Fail, Info: o.Info + p.Info, Latency: o.Latency.plus(p.Latency)}
}

func (s *Summary) add(windows []Window) {
	byName := map[string][]Window{}
	for _, w := range windows {
		byName[w.Name] = append(byName[w.Name], w)
		if w.Failover != nil {
			s.LeaderGap = longer(longer(s.LeaderGap, w.During), w.After)
		}
	}
	s.Kills = timesOf(failovers(windows, killNames))
	s.Pauses = timesOf(failovers(windows, pauseNames))
	s.Recovery = timesOf(recoveries(windows))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s.Faults = append(s.Faults, totalOf(name, byName[name]))
	}
}

func totalOf(name string, windows []Window) FaultTotal {
	t := FaultTotal{Name: name, N: len(windows), Failover: timesOf(failovers(windows, []string{""})), Recovery: timesOf(recoveries(windows))}
	for _, w := range windows {
		t.Availability = t.Availability.plus(w.Availability)
		t.During, t.After = longer(t.During, w.During), longer(t.After, w.After)
		if w.Leader {
			t.Leader++
		}
		if !w.Healed {
			t.Unhealed++
		}
	}
	return t
}

// failovers are those of the faults whose names have one of the prefixes.
func failovers(windows []Window, prefixes []string) (all []Wait) {
	for _, w := range windows {
		if w.Failover != nil && w.named(prefixes) {
			all = append(all, *w.Failover)
		}
	}
	return all
}

func recoveries(windows []Window) (all []Wait) {
	for _, w := range windows {
		if w.Recovery != nil {
			all = append(all, *w.Recovery)
		}
	}
	return all
}

// Count is the number of operations, and how many of them had each outcome.
func (s Summary) Count() (total Operation) {
	for _, o := range s.Operations {
		total.OK, total.Fail, total.Info = total.OK+o.OK, total.Fail+o.Fail, total.Info+o.Info
	}
	return total
}

// All is how many there are.
func (o Operation) All() int { return o.OK + o.Fail + o.Info }
