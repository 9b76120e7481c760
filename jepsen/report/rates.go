package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const rateHeight = 120

// writes draws the acknowledged writes of each whole second, and marks the seconds without any and the longest gap.
func (c *canvas) writes(f Figures) {
	if len(f.Acknowledged) == 0 {
		return
	}
	title := fmt.Sprintf("Acknowledged writes per second: in %s", counted(f.Summary.Availability))
	c.panel(title, key{"served", "writes"}, key{"outage", "second without any"}, key{"gap", "longest gap"})
	most := 1.0
	for _, n := range f.Acknowledged {
		most = max(most, float64(n))
	}
	top := c.linear(most*1.15, rateHeight, "/s")
	at := c.y
	c.plot(rateHeight, func() {
		c.seconds(f, top)
		c.printf(`<rect class="gap" x="%d" y="4" width="%d" height="5"><title>%s</title></rect>`, c.axis.ms(f.Gap.Began),
			max(f.Gap.Length, 2*c.axis.pixel()).Milliseconds(), esc("longest gap: "+human(f.Gap.Length)+" from "+moment(f.Gap.Began)))
	})
	c.mark(f.Gap, at+20)
}

// mark names the longest gap, within the drawing.
func (c *canvas) mark(g Gap, y float64) {
	s := human(g.Length) + " from " + moment(g.Began)
	at := c.start(g.Began, s)
	c.label("name", at, max(at, g.Began+g.Length), y, s)
}

func (c *canvas) seconds(f Figures, top float64) {
	var served, outage strings.Builder
	begin := c.axis.ms(f.From)
	for i, n := range f.Acknowledged {
		x := begin + int64(i)*1000
		if n == 0 {
			fmt.Fprintf(&outage, "M%d 0h1000v%dh-1000z", x, rateHeight)
			continue
		}
		h := rateHeight * float64(n) / top
		fmt.Fprintf(&served, "M%d %sh960V%dh-960z", x, num(rateHeight-h), rateHeight)
	}
	c.printf(`<path class="outage" d="%s"/><path class="served" d="%s"/>`, outage.String(), served.String())
}

// linear marks values from 0 at the left of the next plot, and returns the one at its top.
func (c *canvas) linear(most, height float64, unit string) (top float64) {
	step := roundUp(most / 4)
	top = max(most, step)
	for v := 0.0; v <= top; v += step {
		c.scale(height*(1-v/top), grouped(int(v))+" "+unit)
	}
	return top
}

// roundUp is the next 1, 2 or 5 times a power of ten.
func roundUp(v float64) float64 {
	for p := 1.0; ; p *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if m*p >= v {
				return m * p
			}
		}
	}
}

// rates draws the answers of all operations by outcome, stacked.
func (c *canvas) rates(bins []bin) {
	width := binWidth(c.axis)
	c.panel(fmt.Sprintf("Answers per second, in steps of %s", human(width)), key{"ok", "ok: it happened"}, key{"fail", "fail: it did not"}, key{"info", "info: unknown"})
	perSecond := float64(time.Second) / float64(width)
	most := 1.0
	for _, b := range bins {
		most = max(most, perSecond*float64(b.answers[0]+b.answers[1]+b.answers[2]))
	}
	top := c.linear(most*1.05, rateHeight, "/s")
	c.plot(rateHeight, func() {
		floor := make([]float64, len(bins))
		for k, class := range outcomeClasses {
			c.layer(class, bins, floor, width, func(b bin) float64 { return rateHeight * perSecond * float64(b.answers[k]) / top })
		}
	})
}

// layer draws one area upon floor, and raises it.
func (c *canvas) layer(class string, bins []bin, floor []float64, width time.Duration, height func(bin) float64) {
	var d strings.Builder
	ms := width.Milliseconds()
	for i := 0; i < len(bins); i++ {
		h := height(bins[i])
		if h == 0 {
			continue
		}
		low, high := rateHeight-floor[i], rateHeight-floor[i]-h
		fmt.Fprintf(&d, "M%d %sV%sh%dV%sz", int64(i)*ms, num(low), num(high), ms, num(low))
		floor[i] = math.Min(floor[i]+h, rateHeight)
	}
	c.printf(`<path class="%s" d="%s"/>`, class, d.String())
}
