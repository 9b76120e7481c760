package report

import (
	"math"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Figures are those of one run. All times are since the run began.
type Figures struct {
	Summary
	From         time.Duration `json:"from"`                   // of the load
	To           time.Duration `json:"to"`                     // of the load
	Acknowledged Counts        `json:"acknowledged,omitempty"` // writes, in every whole second since From
	Windows      []Window      `json:"windows,omitempty"`
}

// Window is what could be seen of one fault.
type Window struct {
	Fault
	Availability `json:"availability"` // of the seconds of the load that it touches
	// During is the longest gap that overlaps the fault. It counts from the fault's call at the earliest, and in full when it lasts longer than the
	// fault.
	During Gap `json:"gap"`
	// After is the longest gap that begins when the fault has been healed, and counts until the next fault begins at the latest. There is
	// none while another fault lasts.
	After Gap `json:"gap_after"`
	// Failover is measured for the kill or pause of the leader alone that no other fault overlaps.
	Failover *Wait `json:"failover,omitempty"`
	// Recovery is measured from the healing, unless another fault lasts at that time.
	Recovery *Wait `json:"recovery,omitempty"`
}

// Measure has the figures of a run. isWrite says whether operations with this F change something.
func Measure(h *history.History, isWrite func(f string) bool) Figures {
	ops := h.Ops("")
	from, to := span(ops, h.End())
	w := writesOf(ops, isWrite, from, to)
	f := Figures{From: from, To: to, Acknowledged: w.perSecond()}
	faults := faultsUntil(h, to)
	for i := range faults {
		f.Windows = append(f.Windows, w.window(faults, i, f.Acknowledged))
	}
	f.Summary = Summary{Operations: operations(ops), Availability: w.available(f.Acknowledged, from, to), Gap: w.gap(from, to, to)}
	f.Summary = Sum([]Figures{f})
	return f
}

func (w *writes) window(faults []Fault, i int, c Counts) Window {
	f := faults[i]
	others, next := around(faults, i)
	out := Window{Fault: f, Availability: w.available(c, f.Begin, f.End), During: w.gap(f.Begin, f.End, w.to)}
	if f.single() && !others.overlap {
		out.Failover = w.failover(f.Since, next)
	}
	if f.Healed && !others.atEnd {
		out.After = w.after(f.End, next)
		out.Recovery = w.recovery(f.End, next)
	}
	return out
}

// after leaves the gap that the healing falls into to the fault itself: it looks from the first acknowledgement on.
func (w *writes) after(healed, next time.Duration) Gap {
	i := w.firstAck(healed)
	if i == len(w.acks) || w.acks[i].at >= next {
		return Gap{}
	}
	return w.gap(w.acks[i].at, next, next)
}

type others struct {
	overlap bool // one lasts at some time of the fault
	atEnd   bool // one lasts at its end
}

// around says what other faults there are, and when the first of them begins after the end of this one.
func around(faults []Fault, i int) (o others, next time.Duration) {
	f := faults[i]
	next = math.MaxInt64
	for j, other := range faults {
		switch {
		case j == i:
		case other.Begin >= f.End:
			next = min(next, other.Begin)
		case other.End > f.Begin:
			o.overlap = true
			o.atEnd = o.atEnd || other.End > f.End
		}
	}
	return o, next
}
