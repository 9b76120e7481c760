package report

import (
	"slices"
	"sort"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Wait is how long something took.
type Wait struct {
	Time time.Duration `json:"time"`
	Over bool          `json:"over"` // false: it had not come when the next fault or the end of the load did, after Time
}

// Times are waits of one kind.
type Times struct {
	N          int           `json:"n"` // that were over; the quantiles are theirs
	Median     time.Duration `json:"median"`
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"` // of all, so that one that was given up cannot look short
	Unfinished int           `json:"unfinished,omitempty"`
}

func timesOf(waits []Wait) (t Times) {
	var over []time.Duration
	for _, w := range waits {
		t.Max = max(t.Max, w.Time)
		if w.Over {
			over = append(over, w.Time)
		}
	}
	slices.Sort(over)
	t.N, t.Unfinished = len(over), len(waits)-len(over)
	t.Median, t.P99 = quantile(over, 0.5), quantile(over, 0.99)
	return t
}

// failover is the time from when a fault was in force to the answer of the first acknowledged write that was called after that: of those called
// after, the one whose answer came first. A write that was under way cannot count, as its acknowledgement may be older than the fault.
// nil: the load was over.
func (w *writes) failover(since, limit time.Duration) *Wait {
	if len(w.calls) == 0 || since >= w.to {
		return nil
	}
	first := time.Duration(-1)
	after := sort.Search(len(w.calls), func(i int) bool { return w.calls[i].Call > since })
	for _, op := range w.calls[after:] {
		if first >= 0 && op.Call >= first {
			break
		}
		if op.Type == history.OK && (first < 0 || op.Return < first) {
			first = op.Return
		}
	}
	if first < 0 || first > limit {
		return &Wait{Time: min(limit, w.to) - since}
	}
	return &Wait{Time: first - since, Over: true}
}

// recovery is the time from a healing to the end of the first second in which writes were acknowledged through every node: the first moment
// by which each has acknowledged one since the healing and within the last second. Every node is each through which a write was called
// before limit. nil: there was no load any more.
func (w *writes) recovery(healed, limit time.Duration) *Wait {
	limit = min(limit, w.to)
	last := w.asked(healed, limit)
	if len(last) == 0 {
		return nil
	}
	for _, a := range w.acks[w.firstAck(healed):] {
		if a.at > limit {
			break
		}
		if _, asked := last[a.node]; asked {
			last[a.node] = a.at
		}
		if all(last, max(a.at-time.Second, healed)) {
			return &Wait{Time: a.at - healed, Over: true}
		}
	}
	return &Wait{Time: limit - healed}
}

// asked has a zero for every node through which a write was called between two times.
func (w *writes) asked(from, to time.Duration) map[string]time.Duration {
	nodes := map[string]time.Duration{}
	after := sort.Search(len(w.calls), func(i int) bool { return w.calls[i].Call >= from })
	for _, op := range w.calls[after:] {
		if op.Call >= to {
			break
		}
		nodes[op.Node] = 0
	}
	return nodes
}

func all(last map[string]time.Duration, since time.Duration) bool {
	for _, t := range last {
		if t <= since {
			return false
		}
	}
	return true
}
