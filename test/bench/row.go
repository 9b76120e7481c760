package main

import (
	"runtime"
	"time"

	"github.com/trstctl/trstctl/jepsen/report"
)

// Row is one line of figures. What was not measured is 0, or nil where 0 may be a result.
type Row struct {
	What      string         `json:"what"`
	LogStore  string         `json:"log_store,omitempty"`
	Clients   int            `json:"clients,omitempty"`
	Count     int            `json:"count,omitempty"` // operations or rounds
	PerSecond float64        `json:"per_second,omitempty"`
	P50       float64        `json:"p50_ms,omitempty"`
	P99       float64        `json:"p99_ms,omitempty"`
	Max       float64        `json:"max_ms,omitempty"`
	Fsyncs    float64        `json:"p50_per_fsync,omitempty"`        // p50 in units of the disk's median
	NodeCPU   float64        `json:"node_cpu_us_per_op,omitempty"`   // of all nodes together
	BenchCPU  float64        `json:"client_cpu_us_per_op,omitempty"` // of the bench
	OtherCPU  float64        `json:"other_cpu_percent,omitempty"`    // of all processors: other processes, interrupts, steal; the nodes too where their pids are not known
	Value     *float64       `json:"value,omitempty"`                // what is neither a rate nor a time
	Unit      string         `json:"unit,omitempty"`                 // of Value
	Ratio     float64        `json:"ratio,omitempty"`                // to what RatioTo names, of the same run
	RatioTo   string         `json:"ratio_to,omitempty"`
	Failed    map[string]int `json:"failed,omitempty"` // operations, by kind of error
	Target    string         `json:"target,omitempty"`
	Met       *bool          `json:"met,omitempty"`
	Note      string         `json:"note,omitempty"`
}

// target is a figure to reach.
type target struct {
	text string
	met  func(Row) bool
}

func atLeast(perSecond float64, text string) *target {
	return &target{text, func(r Row) bool { return r.PerSecond >= perSecond }}
}

// and is both targets.
func (t *target) and(other *target) *target {
	return &target{t.text + ", " + other.text, func(r Row) bool { return t.met(r) && other.met(r) }}
}

// within bounds the median and, unless worst is 0, the worst of some times.
func within(median, worst time.Duration, text string) *target {
	return &target{text, func(r Row) bool { return r.P50 < ms(median) && (worst == 0 || r.Max < ms(worst)) }}
}

func below(value float64, text string) *target {
	return &target{text, func(r Row) bool { return r.Value != nil && *r.Value < value }}
}

// judge notes a target, if there is one, and whether r meets it.
func (r Row) judge(t *target) Row {
	if t != nil {
		met := t.met(r)
		r.Target, r.Met = t.text, &met
	}
	return r
}

// beside notes the ratio of a figure to another of the same run, unless that was not measured.
func (r Row) beside(figure, other float64, name string) Row {
	if other > 0 {
		r.Ratio, r.RatioTo = figure/other, name
	}
	return r
}

// times fills in what sorted latencies say.
func (r Row) times(sorted []time.Duration) Row {
	r.Count, r.P50, r.P99 = len(sorted), ms(percentile(sorted, 50)), ms(percentile(sorted, 99))
	if len(sorted) > 0 {
		r.Max = ms(sorted[len(sorted)-1])
	}
	return r
}

// used fills in what processors did in a time.
func (r Row) used(u usage, ran time.Duration) Row {
	r.NodeCPU, r.BenchCPU = each(u.nodes, r.Count), each(u.own, r.Count)
	r.OtherCPU = max(0, 100*float64(u.machine-u.nodes-u.own)/float64(ran)/float64(runtime.NumCPU()))
	return r
}

// rounds fills in median and worst of a few times; a percentile of five means nothing.
func (r Row) rounds(sorted []time.Duration) Row {
	r = r.times(sorted)
	r.P50, r.P99 = ms(median(sorted)), 0
	return r
}

// underFaults is what jepsen has recorded: availability and failover while something was broken.
func underFaults() (Row, error) {
	r, err := report.Last()
	return Row{What: "under faults", Count: r.Summary.Runs, Note: r.String()}, err
}
