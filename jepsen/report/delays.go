package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

const delayHeight = 190

// decades is a logarithmic scale of whole powers of ten.
type decades struct{ low, high float64 } // log10 of nanoseconds

func (d decades) y(t time.Duration) float64 {
	v := math.Log10(float64(max(t, 1)))
	return delayHeight * (1 - min(max((v-d.low)/(d.high-d.low), 0), 1))
}

func decadesOf(bins []bin, ops []history.Op) decades {
	low, high := math.Inf(1), math.Inf(-1)
	see := func(t time.Duration) {
		v := math.Log10(float64(max(t, 10*time.Microsecond)))
		low, high = min(low, v), max(high, v)
	}
	for _, b := range bins {
		if len(b.took) > 0 {
			see(quantile(b.took, 0.5))
			see(quantile(b.took, 1))
		}
	}
	for _, op := range ops {
		if op.Type == history.Info {
			see(op.Return - op.Call)
		}
	}
	if low > high {
		low, high = 6, 9
	}
	return decades{math.Floor(low), max(math.Ceil(high), math.Floor(low)+1)}
}

// latencies draws p50, p99 and the slowest of each bin, and single operations that were not ok.
func (c *canvas) latencies(bins []bin, ops []history.Op) {
	c.panel("Latency by time of call, logarithmic", key{"median", "ok: p50"}, key{"p99", "ok: p99"}, key{"slowest", "ok: slowest"}, key{"fail", "fail"}, key{"info", "info"})
	d := decadesOf(bins, ops)
	for e := d.low; e <= d.high; e++ {
		t := time.Duration(math.Round(math.Pow(10, e)))
		c.scale(d.y(t), decadeText(t))
	}
	c.plot(delayHeight, func() {
		c.spread(bins, d)
		for k, class := range outcomeClasses[1:] {
			c.dots(class, ops, outcomes[k+1], d)
		}
	})
	c.ruler()
}

func decadeText(t time.Duration) string {
	switch {
	case t >= time.Second:
		return fmt.Sprintf("%d s", t/time.Second)
	case t >= time.Millisecond:
		return fmt.Sprintf("%d ms", t/time.Millisecond)
	}
	return fmt.Sprintf("%d µs", t/time.Microsecond)
}

// spread draws an area from p50 to p99 with both as lines, broken where nothing was ok, and the slowest as dots.
func (c *canvas) spread(bins []bin, d decades) {
	var area, median, p99, slowest strings.Builder
	width := binWidth(c.axis).Milliseconds()
	pen := "M"
	for i, b := range bins {
		if len(b.took) == 0 {
			pen = "M"
			continue
		}
		x := int64(i)*width + width/2
		mid, high, top := d.y(quantile(b.took, 0.5)), d.y(quantile(b.took, 0.99)), d.y(quantile(b.took, 1))
		fmt.Fprintf(&area, "M%d %sV%sh%dV%sz", int64(i)*width, num(mid), num(high), width, num(mid))
		fmt.Fprintf(&median, "%s%d %s", pen, x, num(mid))
		fmt.Fprintf(&p99, "%s%d %s", pen, x, num(high))
		fmt.Fprintf(&slowest, "M%d %sh0", x, num(top))
		pen = "L"
	}
	c.printf(`<path class="spread" d="%s"/><path class="slowest" d="%s"/><path class="p99" d="%s"/><path class="median" d="%s"/>`,
		area.String(), slowest.String(), p99.String(), median.String())
}

const mostDots = 2500

// dots draws operations of one outcome; of very many, evenly chosen ones.
func (c *canvas) dots(class string, ops []history.Op, t history.Type, d decades) {
	var path strings.Builder
	for _, op := range sampled(ops, t, mostDots) {
		fmt.Fprintf(&path, "M%d %sh0", c.axis.ms(c.axis.clamp(op.Call)), num(d.y(op.Return-op.Call)))
	}
	c.printf(`<path class="dot %s" d="%s"/>`, class, path.String())
}

func sampled(ops []history.Op, t history.Type, most int) (some []history.Op) {
	var these []history.Op
	for _, op := range ops {
		if op.Type == t {
			these = append(these, op)
		}
	}
	step := (len(these) + most - 1) / max(most, 1)
	for i := 0; i < len(these); i += max(step, 1) {
		some = append(some, these[i])
	}
	return some
}
