package report

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
)

func TestQuantilesOfSmallSamples(t *testing.T) {
	upTo := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(i+1))
		}
		return all
	}
	for _, c := range []struct {
		n    int
		q    float64
		want time.Duration
	}{{0, 0.5, 0}, {1, 0.5, 1}, {1, 0.99, 1}, {2, 0.5, 1}, {3, 0.5, 2}, {4, 0.5, 2}, {30, 0.99, 30}, {99, 0.99, 99}, {100, 0.99, 99}, {101, 0.99, 100}, {1000, 0.99, 990}, {5, 0, 1}, {5, 1, 5}} {
		require.Equal(t, c.want, quantile(upTo(c.n), c.q), "%d values, %v", c.n, c.q)
	}
}

func TestOperationsAreCountedByName(t *testing.T) {
	m := new(made).put(0, "n1", 0, 10, history.OK).put(0, "n1", 20, 50, history.OK).put(0, "n1", 60, 160, history.Fail).put(0, "n1", 200, 900, history.Info).
		event(950, 0, history.Invoke, "register.put", "n1", "", "").event(1, 1, history.Invoke, "a.get", "n1", "", "").event(4, 1, history.OK, "a.get", "n1", "", "")
	ops := m.figures().Operations
	require.Equal(t, []string{"a.get", "register.put"}, []string{ops[0].F, ops[1].F})
	require.Equal(t, []int{2, 1, 2}, []int{ops[1].OK, ops[1].Fail, ops[1].Info}, "a call without an answer is info")
	require.Equal(t, []time.Duration{ms(10), ms(30), ms(30)}, []time.Duration{ops[1].Latency.Median, ops[1].Latency.P99, ops[1].Latency.Max})
	require.Equal(t, 6, m.figures().Count().All())
}

func TestHistogramsAreNeverTooSmallAndHardlyTooLarge(t *testing.T) {
	for _, d := range []time.Duration{1, 2, 999, ms(1), ms(17), time.Second, time.Hour} {
		h := Histogram{bucket(d): 1}
		got := h.quantile(0.5, math.MaxInt64)
		require.GreaterOrEqual(t, got+1, d)
		require.LessOrEqual(t, float64(got), float64(d)*1.045+1)
	}
}

func TestDurationsAreWrittenWithTheirUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 950: "0.95 µs", 12_300: "12.3 µs", ms(1): "1.00 ms", ms(99): "99.0 ms", ms(423): "423 ms", ms(1240): "1.24 s",
		ms(95_000): "95.0 s", ms(125_400): "2 min 5 s", 90 * time.Minute: "1 h 30 min", -ms(5): "-5.00 ms"} {
		require.Equal(t, want, human(d))
	}
	require.Equal(t, "1,234,567", grouped(1234567))
	require.Equal(t, "-1,234", grouped(-1234))
	require.Equal(t, "999", grouped(999))
}
