package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// slow is what makes an ok operation worth a bar of its own.
const slow = 250 * time.Millisecond

const (
	mostBars   = 20000 // in all
	mostTitled = 600   // with a text, of each outcome
	mostRows   = 160
)

// clientClasses are the colours of bars, the later above the earlier.
var clientClasses = []string{"ok", "slow", "fail", "info"}

func clientClass(op history.Op) int {
	switch {
	case op.Type == history.Info:
		return 3
	case op.Type == history.Fail:
		return 2
	case op.Return-op.Call >= slow:
		return 1
	}
	return 0
}

// clients draws each operation as a bar in its client's row; a few that were not ok carry a text. Where that makes too many, bars of one outcome that
// follow each other within a pixel become one, and where it is still too many, each short time shows the worst that was in it.
func (c *canvas) clients(ops []history.Op) {
	r, all := rowsOf(ops)
	if len(r.of) == 0 {
		return
	}
	bars, how := c.merged(ops)
	c.panel(clientsTitle(len(r.of), all)+how, key{"ok", "ok"}, key{"slow", "ok, " + human(slow) + " or more"}, key{"fail", "fail"}, key{"info", "info: unknown"})
	for _, p := range slices.Sorted(maps.Keys(r.of)) {
		if every := int(13/r.height) + 1; r.of[p]%every == 0 {
			c.row(r.y(p)+r.height/2+4, fmt.Sprintf("client %d", p))
		}
	}
	c.plot(r.height*float64(len(r.of)), func() {
		c.bars(bars, r)
		c.titled(ops, r)
	})
	c.ruler()
}

// rows are the clients that are drawn.
type rows struct {
	of     map[int]int // process -> from the top
	height float64
}

func (r rows) y(process int) float64 { return float64(r.of[process]) * r.height }

// rowsOf leaves out clients beyond mostRows; all counts them too.
func rowsOf(ops []history.Op) (r rows, all int) {
	seen := map[int]bool{}
	for _, op := range ops {
		seen[op.Process] = true
	}
	r.of = map[int]int{}
	for i, p := range slices.Sorted(maps.Keys(seen)) {
		if i < mostRows {
			r.of[p] = i
		}
	}
	r.height = min(max(320/float64(max(len(r.of), 1)), 3), 13)
	return r, len(seen)
}

func clientsTitle(drawn, all int) string {
	if drawn < all {
		return fmt.Sprintf("Operations by client, the first %d of %d", drawn, all)
	}
	return "Operations by client"
}

// clientBar is a time in which operations of a client had one outcome.
type clientBar struct {
	process    int
	class      int
	begin, end time.Duration
}

// merged has mostBars bars or fewer, and says what it did for that.
func (c *canvas) merged(ops []history.Op) (bars []clientBar, how string) {
	if bars = joined(ops, 0); len(bars) <= mostBars {
		return bars, ""
	}
	for within := time.Millisecond; within < c.axis.pixel(); within *= 2 {
		if bars = joined(ops, within); len(bars) <= mostBars {
			return bars, fmt.Sprintf("; bars less than %s apart are one", human(within))
		}
	}
	for step := c.axis.pixel(); ; step *= 2 {
		if bars = c.worst(ops, step); len(bars) <= mostBars {
			return bars, fmt.Sprintf("; the worst in every %s", human(step))
		}
	}
}

// worst has for each client and step of time the worst outcome of what was under way in it; steps that are alike become one bar.
func (c *canvas) worst(ops []history.Op, step time.Duration) (bars []clientBar) {
	cells := map[int][]int{} // process -> 1 + class, by step
	n := int((c.axis.to-c.axis.from)/step) + 1
	for _, op := range ops {
		row := cells[op.Process]
		if row == nil {
			row = make([]int, n)
			cells[op.Process] = row
		}
		last := int((c.axis.clamp(op.Return) - c.axis.from) / step)
		for i := int((c.axis.clamp(op.Call) - c.axis.from) / step); i <= last; i++ {
			row[i] = max(row[i], 1+clientClass(op))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(cells)) {
		bars = append(bars, runs(p, cells[p], c.axis.from, step)...)
	}
	return bars
}

func runs(process int, cells []int, from, step time.Duration) (bars []clientBar) {
	for i, class := range cells {
		begin := from + time.Duration(i)*step
		switch {
		case class == 0:
		case i > 0 && cells[i-1] == class:
			bars[len(bars)-1].end = begin + step
		default:
			bars = append(bars, clientBar{process, class - 1, begin, begin + step})
		}
	}
	return bars
}

func joined(ops []history.Op, within time.Duration) (bars []clientBar) {
	type row struct{ process, class int }
	last := map[row]int{} // index of its latest bar
	for _, op := range ops {
		r := row{op.Process, clientClass(op)}
		i, known := last[r]
		if known && op.Call-bars[i].end < within {
			bars[i].end = max(bars[i].end, op.Return)
			continue
		}
		last[r] = len(bars)
		bars = append(bars, clientBar{r.process, r.class, op.Call, op.Return})
	}
	return bars
}

func (c *canvas) bars(bars []clientBar, r rows) {
	paths := make([]strings.Builder, len(clientClasses))
	for _, b := range bars {
		if _, visible := r.of[b.process]; visible {
			x, w := c.extent(b.begin, b.end)
			fmt.Fprintf(&paths[b.class], "M%d %sh%dv%sh-%dz", x, num(r.y(b.process)+0.5), w, num(r.height-1), w)
		}
	}
	for k, class := range clientClasses {
		c.printf(`<path class="op %s" d="%s"/>`, class, paths[k].String())
	}
}

func (c *canvas) extent(begin, end time.Duration) (x, width int64) {
	x = c.axis.ms(c.axis.clamp(begin))
	return x, max(c.axis.ms(c.axis.clamp(end))-x, 1)
}

// titled lays invisible bars with texts over a few that were not ok.
func (c *canvas) titled(ops []history.Op, r rows) {
	for _, t := range []history.Type{history.Fail, history.Info} {
		for _, op := range sampled(ops, t, mostTitled) {
			if _, visible := r.of[op.Process]; visible {
				x, w := c.extent(op.Call, op.Return)
				c.printf(`<rect class="over" x="%d" y="%s" width="%d" height="%s"><title>%s</title></rect>`, x, num(r.y(op.Process)), w, num(r.height), esc(opTitle(op)))
			}
		}
	}
}

func opTitle(op history.Op) string {
	s := fmt.Sprintf("client %d, %s through %s, %s at %s, took %s", op.Process, op.F, op.Node, op.Type, moment(op.Call), human(op.Return-op.Call))
	if len(op.In) > 0 {
		s += ": " + shown(string(op.In), 80)
	}
	if op.Error != "" {
		s += ": " + shown(op.Error, 100)
	}
	return s
}
