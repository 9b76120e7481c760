package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func upTo(n int) (d []time.Duration) {
	for i := range n {
		d = append(d, time.Duration(i+1))
	}
	return d
}

func TestPercentilesAreExact(t *testing.T) {
	for _, c := range []struct {
		n    int
		p    float64
		want time.Duration
	}{{0, 50, 0}, {1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {100, 50, 50}, {100, 99, 99}, {101, 99, 100}, {1000, 99, 990}, {10, 100, 10}, {200, 0.1, 1}} {
		require.Equal(t, c.want, percentile(upTo(c.n), c.p), "%v of %d", c.p, c.n)
	}
}

func TestMedian(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 1: 1, 3: 2, 5: 3} {
		require.Equal(t, want, median(upTo(n)))
	}
	require.Equal(t, 15*time.Millisecond, median([]time.Duration{10 * time.Millisecond, 20 * time.Millisecond}))
}

func TestGapIsBetweenNeighboursInTimeWhoeverTheyAre(t *testing.T) {
	require.Equal(t, time.Duration(60), gap([]time.Duration{100, 10, 30, 40}, 0))
	require.Equal(t, time.Duration(10), gap([]time.Duration{100, 110, 10}, 105), "the long one ended before")
	require.Equal(t, time.Duration(90), gap([]time.Duration{100, 110, 10}, 20), "it was under way")
	require.Zero(t, gap([]time.Duration{7}, 0))
	require.Zero(t, gap(nil, 0))
}

func TestADisturbanceIsWhatTheWritersNoticed(t *testing.T) {
	l := &load{workers: []*worker{
		{samples: []sample{{1, 0, 10}, {2, 95, 300}, {3, 300, 320}}}, // the second was under way when it happened, at 100
		{samples: []sample{{1, 0, 90}, {2, 110, 310}, {3, 310, 330}}},
	}}
	d := l.noticed(100)
	require.EqualValues(t, 210, d.next, "the acknowledgement at 300 is of a write that began before")
	require.EqualValues(t, 210, d.gap)
	require.EqualValues(t, 205, d.slowest)
	require.EqualValues(t, 290, d.alone)
}

func TestRatesOfNothing(t *testing.T) {
	require.Zero(t, perSecond(5, 0))
	require.Zero(t, each(time.Second, 0))
	require.Equal(t, 20.0, perSecond(10, 500*time.Millisecond))
	require.Equal(t, 250.0, each(time.Second, 4000))
}
