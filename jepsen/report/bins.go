package report

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// bin is a short time of the run, with what was answered or called in it.
type bin struct {
	answers [3]int          // by outcome: ok, fail, info; at the time of the answer
	took    []time.Duration // of the ok ones; at the time of the call
}

// Outcomes as the drawing counts them, with the classes of their colours.
var (
	outcomes       = []history.Type{history.OK, history.Fail, history.Info}
	outcomeClasses = []string{"ok", "fail", "info"}
)

func outcome(t history.Type) int { return max(slices.Index(outcomes, t), 0) }

// mostBins keeps the page small, however long the run.
const mostBins = 900

// binWidth is 100 ms, or more in a long run.
func binWidth(a axis) time.Duration { return max(100*time.Millisecond, nice(a.to-a.from, mostBins)) }

func binned(ops []history.Op, a axis, width time.Duration) []bin {
	bins := make([]bin, int((a.to-a.from)/width)+1)
	at := func(t time.Duration) *bin { return &bins[(a.clamp(t)-a.from)/width] }
	for _, op := range ops {
		if op.Return <= a.to {
			at(op.Return).answers[outcome(op.Type)]++
		}
		if op.Type == history.OK {
			b := at(op.Call)
			b.took = append(b.took, op.Return-op.Call)
		}
	}
	for i := range bins {
		slices.Sort(bins[i].took)
	}
	return bins
}
