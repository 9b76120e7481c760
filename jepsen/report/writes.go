package report

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Availability counts the whole seconds in which a write could have been acknowledged, and those in which one was.
type Availability struct {
	Seconds int `json:"seconds"`
	Served  int `json:"served"`
}

// Share is from 0 to 1; 1 when there is no whole second.
func (a Availability) Share() float64 {
	if a.Seconds == 0 {
		return 1
	}
	return float64(a.Served) / float64(a.Seconds)
}

func (a Availability) plus(b Availability) Availability {
	return Availability{a.Seconds + b.Seconds, a.Served + b.Served}
}

// Gap is a time without an acknowledged write, over all clients.
type Gap struct {
	Length time.Duration `json:"length"`
	Began  time.Duration `json:"began"` // since its run began
}

func longer(a, b Gap) Gap {
	if b.Length > a.Length {
		return b
	}
	return a
}

// Counts has a number for every whole second. As text, and so in JSON, numbers with blanks between.
type Counts []int

// MarshalText keeps an indented file from having a line for every second.
func (c Counts) MarshalText() ([]byte, error) {
	return []byte(strings.Trim(fmt.Sprint([]int(c)), "[]")), nil
}

// UnmarshalText reads what MarshalText writes.
func (c *Counts) UnmarshalText(text []byte) error {
	*c = nil
	for part := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return fmt.Errorf("count %q: %w", part, err)
		}
		*c = append(*c, n)
	}
	return nil
}

// span is the time under load: from the first call to when clients ceased to call. That is the last call, or, when all of them were waiting at
// the end, the moment at which the first of them was through with its last operation.
func span(ops []history.Op, end time.Duration) (from, to time.Duration) {
	if len(ops) == 0 {
		return 0, end
	}
	last := map[int]time.Duration{}
	for _, op := range ops {
		last[op.Process] = max(last[op.Process], op.Return)
	}
	to = end
	for _, t := range last {
		to = min(to, t)
	}
	return ops[0].Call, max(to, ops[len(ops)-1].Call)
}

type ack struct {
	at   time.Duration
	node string
}

// writes are the writes of a run.
type writes struct {
	from, to time.Duration
	calls    []history.Op // in the order of their calls
	acks     []ack        // in the order of their answers
}

func writesOf(ops []history.Op, isWrite func(string) bool, from, to time.Duration) *writes {
	w := &writes{from: from, to: to}
	for _, op := range ops {
		if !isWrite(op.F) {
			continue
		}
		w.calls = append(w.calls, op)
		if op.Type == history.OK {
			w.acks = append(w.acks, ack{op.Return, op.Node})
		}
	}
	slices.SortStableFunc(w.acks, func(a, b ack) int { return cmp.Compare(a.at, b.at) })
	return w
}

// perSecond counts the acknowledged writes in each whole second of the load; nothing for a run that writes nothing.
func (w *writes) perSecond() Counts {
	if len(w.calls) == 0 {
		return nil
	}
	c := make(Counts, int((w.to-w.from)/time.Second))
	for _, a := range w.acks {
		if i := int((a.at - w.from) / time.Second); i < len(c) {
			c[i]++
		}
	}
	return c
}

// available looks at the seconds of the load that the time from begin to end touches.
func (w *writes) available(c Counts, begin, end time.Duration) (a Availability) {
	first := max(int((begin-w.from)/time.Second), 0)
	for i := first; i < len(c) && w.from+time.Duration(i)*time.Second < end; i++ {
		a.Seconds++
		if c[i] > 0 {
			a.Served++
		}
	}
	return a
}

// gap is the longest time without an acknowledged write of those that begin before end and are not over at begin; what lies before begin or
// behind limit does not count. The load's beginning and end bound gaps as acknowledgements do.
func (w *writes) gap(begin, end, limit time.Duration) (longest Gap) {
	begin, limit = max(begin, w.from), min(limit, w.to)
	if len(w.calls) == 0 || begin >= limit {
		return Gap{}
	}
	at := begin
	for i := w.firstAck(begin); at < end && at < limit; i++ {
		next := limit
		if i < len(w.acks) {
			next = min(w.acks[i].at, limit)
		}
		longest = longer(longest, Gap{Length: next - at, Began: at})
		at = next
	}
	return longest
}

// firstAck is the index of the first acknowledgement after t.
func (w *writes) firstAck(t time.Duration) int {
	return sort.Search(len(w.acks), func(i int) bool { return w.acks[i].at > t })
}
