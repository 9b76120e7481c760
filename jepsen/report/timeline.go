package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// timeline draws a run: panels one below the other with one axis of time, and the faults as bands behind all of them.
func timeline(h *history.History, f Figures) string {
	ops := h.Ops("")
	c := &canvas{axis: axisOf(f)}
	bins := binned(ops, c.axis, binWidth(c.axis))
	c.faults(f.Windows)
	c.nodes(h)
	c.writes(f)
	c.rates(bins)
	c.latencies(bins, ops)
	c.clients(ops)
	return fmt.Sprintf(`<svg id="timeline" class="chart" role="img" aria-label="operations, faults and latency over time" viewBox="0 0 %d %s" data-left="%d" data-width="%d" data-from="%d" data-span="%d">`+"\n%s\n%s</svg>",
		chartWidth, num(c.y), plotLeft, plotWidth, c.axis.from.Milliseconds(), c.axis.span(), c.bands(f.Windows), c.String())
}

// axisOf leaves a little room behind the load, where the last fault is healed.
func axisOf(f Figures) axis {
	return axis{from: f.From.Truncate(time.Millisecond), to: f.To + max((f.To-f.From)/100, time.Millisecond)}
}

// bands lie behind everything, as high as the drawing.
func (c *canvas) bands(windows []Window) string {
	b := canvas{axis: c.axis}
	b.printf(`<svg class="plot" x="%d" y="0" width="%d" height="%s" viewBox="0 0 %d 1" preserveAspectRatio="none">`, plotLeft, plotWidth, num(c.y), c.axis.span())
	for _, w := range windows {
		if begin, end, visible := b.part(w); visible {
			b.printf(`<rect class="band" x="%d" y="0" width="%d" height="1"/>`, c.axis.ms(begin), max(c.axis.ms(end)-c.axis.ms(begin), 1))
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

// part is what of a fault lies within the drawing.
func (c *canvas) part(w Window) (begin, end time.Duration, visible bool) {
	return c.axis.clamp(w.Begin), c.axis.clamp(w.End), w.Begin < c.axis.to && w.End >= c.axis.from
}

const (
	laneHeight = 17
	mostLanes  = 7
)

// faults draws each as a bar with its number and name, in as many lanes as the labels take; where that is too many, with its number alone, and
// where it still is, in one lane without labels.
func (c *canvas) faults(windows []Window) {
	says, lanes, n := c.labels(windows)
	c.panel("Faults", key{"fault", "fault"}, key{"fault leads", "fault that hits the leader"})
	top := c.y
	c.plot(float64(max(n, 1)*laneHeight), func() {
		for i, w := range windows {
			c.bar(w, lanes[i])
		}
	})
	for i, w := range windows {
		if begin, end, visible := c.part(w); visible && says != nil {
			at := c.start(begin, says(w))
			c.label("name", at, max(at, end), top+float64(lanes[i]*laneHeight)+12.5, says(w))
		}
	}
}

// labels chooses what is said of faults, and their lanes. says is nil when nothing is.
func (c *canvas) labels(windows []Window) (says func(Window) string, lanes []int, n int) {
	long := func(w Window) string { return faultTitle(w.Fault) }
	brief := func(w Window) string { return fmt.Sprintf("#%d", w.ID) }
	for _, says := range []func(Window) string{long, brief} {
		if lanes, n := c.lanes(windows, says); n <= mostLanes {
			return says, lanes, n
		}
	}
	return nil, make([]int, len(windows)), 1
}

func (c *canvas) bar(w Window, lane int) {
	begin, end, visible := c.part(w)
	if !visible {
		return
	}
	class := "fault"
	if w.Leader {
		class = "fault leads"
	}
	c.printf(`<rect class="%s" x="%d" y="%d" width="%d" height="%d"><title>%s</title></rect>`, class, c.axis.ms(begin), lane*laneHeight+2,
		max(c.axis.ms(end)-c.axis.ms(begin), 1), laneHeight-4, esc(faultTitle(w.Fault)+", "+moment(w.Begin)+" to "+ending(w.Fault)))
}

func ending(f Fault) string {
	if f.Healed {
		return moment(f.End)
	}
	return "the end: not healed"
}

// faultTitle is "#3 kill-leader n1".
func faultTitle(f Fault) string {
	s := fmt.Sprintf("#%d %s", f.ID, f.Name)
	for i, t := range f.Targets {
		s += map[bool]string{true: " ", false: "+"}[i == 0] + t
	}
	return shown(s, 60)
}

// lanes puts every fault into the first lane in which neither its bar nor its label covers another's.
func (c *canvas) lanes(windows []Window, label func(Window) string) (lanes []int, n int) {
	var free []float64 // by lane: from which pixel on
	for _, w := range windows {
		begin, end, _ := c.part(w)
		x := c.axis.px(c.start(begin, label(w)))
		lane := slices.IndexFunc(free, func(f float64) bool { return f <= x })
		if lane < 0 {
			lane = len(free)
			free = append(free, 0)
		}
		free[lane] = max(c.axis.px(end), x+textWidth(label(w))) + 6
		lanes = append(lanes, lane)
	}
	return lanes, len(free)
}
