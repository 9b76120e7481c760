package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Operation is what became of all operations with one F.
type Operation struct {
	F       string  `json:"f"`
	OK      int     `json:"ok"`
	Fail    int     `json:"fail"`
	Info    int     `json:"info"`
	Latency Latency `json:"latency"` // of those that were ok
}

// Latency is a distribution. Quantiles are by nearest rank: a value that was measured, and of few values the p99 is the largest. Of several
// runs together they are read from the histogram, up to 4.5 % too large.
type Latency struct {
	Median    time.Duration `json:"median"`
	P99       time.Duration `json:"p99"`
	Max       time.Duration `json:"max"`
	Histogram Histogram     `json:"histogram"`
}

// quantile is the smallest value that at least the share q of sorted is not above; 0 of nothing.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[rank(len(sorted), q)-1]
}

// rank counts from 1. The small subtraction keeps 0.99*100 from being rounded up to 100.
func rank(n int, q float64) int {
	return min(max(int(math.Ceil(q*float64(n)-1e-9)), 1), n)
}

func operations(ops []history.Op) []Operation {
	byF := map[string]*Operation{}
	took := map[string][]time.Duration{}
	for _, op := range ops {
		o := byF[op.F]
		if o == nil {
			o = &Operation{F: op.F}
			byF[op.F] = o
		}
		o.count(op.Type)
		if op.Type == history.OK {
			took[op.F] = append(took[op.F], op.Return-op.Call)
		}
	}
	all := make([]Operation, 0, len(byF))
	for _, f := range slices.Sorted(maps.Keys(byF)) {
		byF[f].Latency = latencyOf(took[f])
		all = append(all, *byF[f])
	}
	return all
}

func (o *Operation) count(t history.Type) {
	switch t {
	case history.OK:
		o.OK++
	case history.Fail:
		o.Fail++
	default:
		o.Info++
	}
}

// latencyOf sorts took.
func latencyOf(took []time.Duration) Latency {
	slices.Sort(took)
	l := Latency{Median: quantile(took, 0.5), P99: quantile(took, 0.99), Max: quantile(took, 1), Histogram: Histogram{}}
	for _, d := range took {
		l.Histogram[bucket(d)]++
	}
	return l
}

// plus adds the values of two distributions. What is added to nothing stays exact.
func (l Latency) plus(other Latency) Latency {
	if len(l.Histogram) == 0 {
		return other
	}
	if len(other.Histogram) == 0 {
		return l
	}
	sum := Latency{Max: max(l.Max, other.Max), Histogram: maps.Clone(l.Histogram)}
	for b, n := range other.Histogram {
		sum.Histogram[b] += n
	}
	sum.Median, sum.P99 = sum.Histogram.quantile(0.5, sum.Max), sum.Histogram.quantile(0.99, sum.Max)
	return sum
}

// Histogram counts durations. Bucket b holds those from 2^(b/16) ns up to the next bucket's. As text, and so in JSON: "bucket:count ...".
type Histogram map[int]int

const perOctave = 16

func bucket(d time.Duration) int {
	return int(math.Floor(math.Log2(float64(max(d, 1))) * perOctave))
}

func (h Histogram) quantile(q float64, largest time.Duration) time.Duration {
	n := 0
	for _, count := range h {
		n += count
	}
	left := rank(n, q)
	for _, b := range slices.Sorted(maps.Keys(h)) {
		if left -= h[b]; left <= 0 {
			return min(time.Duration(math.Exp2(float64(b+1)/perOctave)), largest)
		}
	}
	return largest
}

// MarshalText has one form for one histogram.
func (h Histogram) MarshalText() ([]byte, error) {
	var parts []string
	for _, b := range slices.Sorted(maps.Keys(h)) {
		parts = append(parts, fmt.Sprintf("%d:%d", b, h[b]))
	}
	return []byte(strings.Join(parts, " ")), nil
}

// UnmarshalText reads what MarshalText writes.
func (h *Histogram) UnmarshalText(text []byte) error {
	*h = Histogram{}
	for part := range strings.FieldsSeq(string(text)) {
		b, n, _ := strings.Cut(part, ":")
		key, err := strconv.Atoi(b)
		if err != nil {
			return fmt.Errorf("histogram bucket %q: %w", part, err)
		}
		if (*h)[key], err = strconv.Atoi(n); err != nil {
			return fmt.Errorf("histogram bucket %q: %w", part, err)
		}
	}
	return nil
}
