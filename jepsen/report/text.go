package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// human writes a duration with its unit and about three digits, as "1.24 ms" or "2 min 5 s".
func human(d time.Duration) string {
	switch {
	case d == 0:
		return "0 s"
	case d < 0:
		return "-" + human(-d)
	case d < time.Millisecond:
		return digits(float64(d)/1e3) + " µs"
	case d < time.Second:
		return digits(float64(d)/1e6) + " ms"
	case d < 2*time.Minute:
		return digits(d.Seconds()) + " s"
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

func digits(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// moment is a time since the run began.
func moment(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + " s" }

// grouped writes 1234567 as "1,234,567".
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func percent(a Availability) string {
	if a.Seconds == 0 {
		return "–"
	}
	return strconv.FormatFloat(100*a.Share(), 'f', 1, 64) + " %"
}

// counted is an availability with what it was counted from.
func counted(a Availability) string {
	if a.Seconds == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%d of %d s)", percent(a), a.Served, a.Seconds)
}

func gapText(g Gap) string {
	if g.Length == 0 {
		return "–"
	}
	return human(g.Length)
}

// waitText says of one that was not over how long it was waited for.
func waitText(w *Wait) string {
	switch {
	case w == nil:
		return "–"
	case w.Over:
		return human(w.Time)
	}
	return "not within " + human(w.Time)
}

func timesText(t Times) string {
	if t.N+t.Unfinished == 0 {
		return "–"
	}
	s := fmt.Sprintf("%s / %s / %s (n = %d", human(t.Median), human(t.P99), human(t.Max), t.N)
	if t.Unfinished > 0 {
		s += fmt.Sprintf(", %d unfinished", t.Unfinished)
	}
	return s + ")"
}

// shown makes recorded text fit to be shown: valid UTF-8 without control characters, and at most limit characters.
func shown(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '·'
	}, s)
	for i := range s {
		if limit--; limit < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// Line is the summary in one line, for a terminal.
func (s Summary) Line() string {
	return fmt.Sprintf("writes available %s, longest gap %s, leader alone killed or paused: gap %s, failover median/p99/max %s, interruption by a pause %s, recovery %s",
		counted(s.Availability), gapText(s.Gap), gapText(s.LeaderGap), timesText(s.Kills), timesText(s.Pauses), timesText(s.Recovery))
}
