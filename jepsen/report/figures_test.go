package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
)

// made is a history made by hand; its times are milliseconds.
type made struct{ events []history.Event }

func (m *made) event(at, process int, t history.Type, f, node, value, why string) *made {
	e := history.Event{Time: ms(at), Process: process, Type: t, F: f, Node: node, Error: why}
	if value != "" {
		e.Value = json.RawMessage(value)
	}
	m.events = append(m.events, e)
	return m
}

// put is a write of a client through a node.
func (m *made) put(process int, node string, call, answer int, t history.Type) *made {
	return m.event(call, process, history.Invoke, "register.put", node, "", "").event(answer, process, t, "register.put", node, "", "")
}

// steady writes are acknowledged every so often, each within a tenth of that time.
func (m *made) steady(process int, node string, from, to, every int) *made {
	for at := from; at < to; at += every {
		m.put(process, node, at, at+every/10, history.OK)
	}
	return m
}

func (m *made) fault(name, value string, begin, since, end int) *made {
	m.event(begin, history.Nemesis, history.Invoke, name, "", `{"id":1}`, "")
	if since >= 0 {
		m.event(since, history.Nemesis, history.Info, name, "", value, "")
	}
	if end >= 0 {
		m.event(end, history.Nemesis, history.OK, name, "", value, "")
	}
	return m
}

func (m *made) history() *history.History {
	events := slices.Clone(m.events)
	slices.SortStableFunc(events, func(a, b history.Event) int { return cmp.Compare(a.Time, b.Time) })
	return &history.History{Events: events}
}

func (m *made) figures() Figures { return Measure(m.history(), isWrite) }

const leaderN1 = `{"id":1,"targets":["n1"],"leader":true}`

func TestGapsAndAvailability(t *testing.T) {
	for name, c := range map[string]struct {
		made   *made
		gap    Gap
		counts Counts
		share  float64
	}{
		"steady":           {new(made).steady(0, "n1", 0, 5000, 100), Gap{ms(100), ms(10)}, Counts{10, 10, 10, 10}, 1},
		"at the beginning": {new(made).put(0, "n1", 0, 2500, history.Fail).steady(0, "n1", 2500, 5000, 100), Gap{ms(2510), 0}, Counts{0, 0, 5, 10}, 0.5},
		"at the end":       {new(made).steady(0, "n1", 0, 1000, 100).put(0, "n1", 1100, 4200, history.Fail), Gap{ms(4200 - 910), ms(910)}, Counts{10, 0, 0, 0}, 0.25},
		"in the middle": {new(made).steady(0, "n1", 0, 1000, 100).put(0, "n1", 1100, 2950, history.Info).steady(0, "n1", 3000, 4100, 100),
			Gap{ms(3010 - 910), ms(910)}, Counts{10, 0, 0, 10}, 0.5},
		"acknowledged late": {new(made).put(0, "n1", 0, 3999, history.OK).put(1, "n1", 100, 4001, history.OK), Gap{ms(3999), 0}, Counts{0, 0, 0}, 0},
		"never":             {new(made).put(0, "n1", 0, 3100, history.Info), Gap{ms(3100), 0}, Counts{0, 0, 0}, 0},
		"reads alone":       {new(made).event(0, 0, history.Invoke, "register.get", "n1", "", "").event(3000, 0, history.OK, "register.get", "n1", "", ""), Gap{}, nil, 1},
		"nothing":           {new(made), Gap{}, nil, 1},
		"a read between writes is no write": {new(made).put(0, "n1", 0, 10, history.OK).event(20, 0, history.Invoke, "register.get", "n1", "", "").
			event(1900, 0, history.OK, "register.get", "n1", "", "").put(0, "n1", 2000, 2010, history.OK), Gap{ms(2000), ms(10)}, Counts{1, 0}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.made.figures()
			require.Equal(t, c.gap, f.Gap)
			require.Equal(t, c.counts, f.Acknowledged)
			require.InDelta(t, c.share, f.Share(), 1e-9)
		})
	}
}

func TestSecondsCountFromTheFirstCall(t *testing.T) {
	f := new(made).event(0, history.Watcher, history.Info, "status", "n1", "{}", "").steady(0, "n1", 700, 2900, 100).event(60_000, history.Settler, history.OK, "settled", "", "", "").figures()
	require.Equal(t, ms(700), f.From)
	require.Equal(t, ms(2810), f.To, "what comes after the clients is no load")
	require.Equal(t, Availability{2, 2}, f.Availability)
}

func TestTheLoadEndsWithTheClients(t *testing.T) {
	stuck := new(made).steady(0, "n1", 0, 1000, 100).put(0, "n1", 1000, 4000, history.Info).put(1, "n1", 900, 3900, history.Info)
	require.Equal(t, ms(3900), stuck.figures().To, "all waited; the first was through then")
	open := new(made).steady(0, "n1", 0, 3000, 100).event(500, 1, history.Invoke, "register.put", "n2", "", "").event(9000, history.Settler, history.OK, "x", "", "", "")
	require.Equal(t, ms(2910), open.figures().To, "one that never returned holds nothing up")
}

func TestSumsOverRuns(t *testing.T) {
	one := new(made).steady(0, "n1", 0, 5000, 100).fault("kill-leader", leaderN1, 1000, 1000, 2000).figures()
	two := new(made).steady(0, "n1", 0, 2000, 100).put(0, "n1", 2000, 4500, history.OK).steady(0, "n1", 4600, 9000, 100).fault("kill-leader", leaderN1, 2005, 2005, 5000).
		fault("halves", `{"id":1}`, 6000, 6000, 7000).figures()
	s := Sum([]Figures{one, two})
	require.Equal(t, 2, s.Runs)
	require.Equal(t, one.Load+two.Load, s.Load)
	require.Equal(t, Availability{4 + 8, 4 + 6}, s.Availability)
	require.Equal(t, two.Gap, s.Gap)
	require.Equal(t, 2, s.Kills.N)
	require.Equal(t, ms(2605), s.Kills.Max)
	require.Equal(t, []string{"halves", "kill-leader"}, []string{s.Faults[0].Name, s.Faults[1].Name})
	require.Equal(t, 2, s.Faults[1].N)
	require.Equal(t, one.Operations[0].OK+two.Operations[0].OK, s.Operations[0].OK)
	require.Equal(t, ms(2500), s.Operations[0].Latency.Max)
	require.InEpsilon(t, float64(ms(10)), float64(s.Operations[0].Latency.Median), 0.045)
	require.Equal(t, Summary{}, Sum(nil))
	require.Contains(t, s.Line(), "failover median/p99/max 110 ms / 2.60 s / 2.60 s (n = 2)")
}

func TestFiguresComeBackFromTheirFile(t *testing.T) {
	f := Measure(invent(20*time.Second, 8, 4000), isWrite)
	b, err := json.MarshalIndent(f, "", "  ")
	require.NoError(t, err)
	var back Figures
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, Sum([]Figures{f}), Sum([]Figures{back}))
	again, err := json.MarshalIndent(back, "", "  ")
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
	require.Error(t, new(Histogram).UnmarshalText([]byte("1:x")))
	require.Error(t, new(Counts).UnmarshalText([]byte("1 x")))
}
