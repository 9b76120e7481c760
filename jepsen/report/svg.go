package report

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"
)

// The timeline's measures, in its own pixels. Within a plot, x is in milliseconds of the run and y in pixels, so that a plot is zoomed by
// another viewBox.
const (
	chartWidth = 1240
	plotLeft   = 104
	plotRight  = 16
	plotWidth  = chartWidth - plotLeft - plotRight
)

// axis maps times to pixels.
type axis struct{ from, to time.Duration }

func (a axis) ms(t time.Duration) int64 { return (t - a.from).Milliseconds() }

func (a axis) span() int64 { return max(a.ms(a.to), 1) }

// px is a time's place in the whole drawing.
func (a axis) px(t time.Duration) float64 {
	return plotLeft + plotWidth*float64(t-a.from)/float64(max(a.to-a.from, 1))
}

// pixel is the time that a pixel is wide.
func (a axis) pixel() time.Duration { return max((a.to-a.from)/plotWidth, 1) }

func (a axis) clamp(t time.Duration) time.Duration { return min(max(t, a.from), a.to) }

// canvas collects SVG from top to bottom.
type canvas struct {
	strings.Builder
	axis axis
	y    float64 // where the next panel begins
}

// esc escapes text for content and attributes alike.
func esc(s string) string { return html.EscapeString(shown(s, 300)) }

func num(v float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".0")
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// text writes a label that stays where it is.
func (c *canvas) text(class string, x, y float64, s string) {
	c.printf(`<text class="%s" x="%s" y="%s">%s</text>`, class, num(x), num(y), esc(s))
}

// label writes one that belongs to the time from begin to end and moves with it; the page's script lets it go when it does not fit any more.
func (c *canvas) label(class string, begin, end time.Duration, y float64, s string) {
	x := c.axis.px(c.axis.clamp(begin))
	c.printf(`<text class="t %s" data-a="%d" data-b="%d" x="%s" y="%s">%s</text>`, class, c.axis.ms(c.axis.clamp(begin)), c.axis.ms(c.axis.clamp(end)), num(x+3), num(y), esc(s))
}

// start is where a label for a time is written: there, or as far to the left as it takes to keep it within the drawing.
func (c *canvas) start(t time.Duration, s string) time.Duration {
	return min(t, c.axis.to-time.Duration(textWidth(s)+6)*c.axis.pixel())
}

// panel begins a part of the drawing with a title and a legend.
func (c *canvas) panel(title string, legend ...key) {
	c.y += 34
	c.text("title", 0, c.y-9, title)
	x := float64(chartWidth - plotRight)
	for i := len(legend) - 1; i >= 0; i-- {
		x -= textWidth(legend[i].says)
		c.text("legend", x, c.y-9, legend[i].says)
		c.printf(`<rect class="%s" x="%s" y="%s" width="11" height="11"/>`, legend[i].class, num(x-16), num(c.y-18))
		x -= 32
	}
}

type key struct{ class, says string }

// textWidth is about how wide a small label gets.
func textWidth(s string) float64 { return 6.4 * float64(len([]rune(s))) }

// plot draws in the run's own time; body writes with x in milliseconds and y from 0 to height.
func (c *canvas) plot(height float64, body func()) {
	c.printf(`<rect class="frame" x="%d" y="%s" width="%d" height="%s"/>`, plotLeft, num(c.y), plotWidth, num(height))
	c.printf(`<svg class="plot" x="%d" y="%s" width="%d" height="%s" viewBox="0 0 %d %s" preserveAspectRatio="none">`,
		plotLeft, num(c.y), plotWidth, num(height), c.axis.span(), num(height))
	body()
	c.WriteString("</svg>\n")
	c.y += height
}

// scale writes a value's mark at the left of the next plot, with a line through it.
func (c *canvas) scale(y float64, s string) {
	c.printf(`<line class="grid" x1="%d" x2="%d" y1="%s" y2="%s"/>`, plotLeft, plotLeft+plotWidth, num(c.y+y), num(c.y+y))
	c.text("tick", plotLeft-6, c.y+y+4, s)
}

// row writes a lane's name at its left.
func (c *canvas) row(y float64, s string) { c.text("tick", plotLeft-6, c.y+y, shown(s, 15)) }

// ruler writes the time's marks below a plot; the page's script writes them anew when it zooms.
func (c *canvas) ruler() {
	c.printf(`<g class="ruler" data-y="%s">`, num(c.y+14))
	step := nice(c.axis.to-c.axis.from, 10)
	for t := (c.axis.from + step - 1) / step * step; t <= c.axis.to; t += step {
		c.printf(`<text class="time" x="%s" y="%s">%s s</text>`, num(c.axis.px(t)), num(c.y+14), strconv.FormatFloat(t.Seconds(), 'f', -1, 64))
	}
	c.WriteString("</g>\n")
	c.y += 18
}

// nice is a step of 1, 2 or 5 times a power of ten that divides a span into n parts at most.
func nice(span time.Duration, n int) time.Duration {
	for step := time.Millisecond; ; step *= 10 {
		for _, m := range []time.Duration{1, 2, 5} {
			if span/(step*m) < time.Duration(n) {
				return step * m
			}
		}
	}
}
