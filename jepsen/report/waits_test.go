package report

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
)

func TestFaults(t *testing.T) {
	h := new(made).steady(0, "n1", 0, 10_000, 100).
		event(1000, -1, history.Invoke, "kill", "", `{"id":1}`, "").
		event(1200, -1, history.Info, "kill", "", `{"id":1,"targets":["n1"],"leader":true,"detail":{"signal":9}}`, "").
		event(1500, -1, history.Invoke, "delay", "", `{"id":2}`, "").
		event(1600, -1, history.Fail, "delay", "", `{"id":2}`, "there is no node").
		event(2000, -1, history.Invoke, "pause", "", `{"id":3,"targets":["n2","n3"]}`, "").
		event(3000, -1, history.OK, "kill", "", `{"id":1}`, "").
		event(4000, -1, history.Info, "pause", "", `{"id":3}`, "it does not answer").
		event(5000, -1, history.Invoke, "halves", "", `{"id":4}`, "").
		event(6000, -1, history.OK, "unknown", "", `{"id":9}`, "").
		event(6000, -1, history.Invoke, "no value", "", "", "").
		event(7000, -1, history.OK, "no value", "", "broken", "").history()
	require.Equal(t, []Fault{
		{ID: 1, Name: "kill", Targets: []string{"n1"}, Leader: true, Begin: ms(1000), Since: ms(1200), End: ms(3000), Healed: true, Detail: json.RawMessage(`{"signal":9}`)},
		{ID: 3, Name: "pause", Targets: []string{"n2", "n3"}, Begin: ms(2000), Since: ms(2000), End: ms(4000), Error: "it does not answer"},
		{ID: 4, Name: "halves", Begin: ms(5000), Since: ms(5000), End: ms(9910)},
		{Name: "no value", Begin: ms(6000), Since: ms(6000), End: ms(7000), Healed: true},
	}, Faults(h))
}

func TestFailoverBeginsWhenTheFaultIsInForce(t *testing.T) {
	m := new(made).steady(0, "n2", 0, 2000, 100).
		put(1, "n2", 1950, 2300, history.OK). // was under way: its answer proves nothing
		put(2, "n2", 2150, 2900, history.OK). // called first, answered second
		put(3, "n2", 2200, 2800, history.OK).
		put(0, "n2", 2120, 2500, history.Fail).
		steady(0, "n2", 3000, 6000, 100).
		fault("kill-leader", leaderN1, 2000, 2100, 4000)
	w := m.figures().Windows[0]
	require.Equal(t, &Wait{ms(700), true}, w.Failover)
	require.Equal(t, Gap{ms(500), ms(2300)}, w.During)
	require.Equal(t, Gap{ms(100), ms(4010)}, w.After)
	require.Equal(t, Availability{2, 2}, w.Availability, "the second that begins when it ends is not touched")
	require.Equal(t, Times{N: 1, Median: ms(700), P99: ms(700), Max: ms(700)}, m.figures().Kills)
	require.Equal(t, Gap{ms(500), ms(2300)}, m.figures().LeaderGap)
}

func TestFailoverIsOfTheLeaderAlone(t *testing.T) {
	steady := func() *made { return new(made).steady(0, "n1", 0, 6000, 100) }
	for name, c := range map[string]struct {
		made *made
		want bool
	}{
		"kill":        {steady().fault("kill-leader", leaderN1, 1000, 1001, 2000), true},
		"freeze":      {steady().fault("freeze-one", leaderN1, 1000, 1001, 2000), true},
		"blink":       {steady().fault("blink-leader", leaderN1, 1000, 1001, 2000), true},
		"a follower":  {steady().fault("kill-one", `{"id":1,"targets":["n1"]}`, 1000, 1001, 2000), false},
		"two nodes":   {steady().fault("kill-minority", `{"id":1,"targets":["n1","n2"],"leader":true}`, 1000, 1001, 2000), false},
		"a partition": {steady().fault("isolate-leader", leaderN1, 1000, 1001, 2000), false},
		"another fault meanwhile": {steady().fault("kill-leader", leaderN1, 1000, 1001, 2000).
			event(1500, -1, history.Invoke, "halves", "", `{"id":2}`, "").event(1600, -1, history.OK, "halves", "", `{"id":2}`, ""), false},
		"after the load": {steady().fault("kill-leader", leaderN1, 7000, 7001, 8000), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.made.figures().Windows[0]
			require.Equal(t, c.want, w.Failover != nil)
		})
	}
}

func TestWhatIsNotOverCountsForTheMaximumAlone(t *testing.T) {
	m := new(made).steady(0, "n1", 0, 1000, 100).put(0, "n1", 1000, 5000, history.Info).fault("kill-leader", leaderN1, 1000, 1000, -1)
	f := m.figures()
	require.Equal(t, &Wait{ms(4000), false}, f.Windows[0].Failover)
	require.Nil(t, f.Windows[0].Recovery, "it was never healed")
	require.False(t, f.Windows[0].Healed)
	require.Equal(t, ms(5000), f.Windows[0].End)
	require.Equal(t, Times{Max: ms(4000), Unfinished: 1}, f.Kills)
	require.Equal(t, Times{N: 2, Median: 3, P99: 5, Max: 9, Unfinished: 1}, timesOf([]Wait{{5, true}, {9, false}, {3, true}}))

	next := new(made).steady(0, "n1", 0, 1000, 100).put(0, "n1", 1000, 5000, history.OK).steady(0, "n1", 5000, 6000, 100).
		fault("kill-leader", leaderN1, 1000, 1000, 2000).fault("kill-leader", leaderN1, 3000, 3000, 4000)
	require.Equal(t, &Wait{ms(2000), false}, next.figures().Windows[0].Failover, "who knows what the next fault made of it")
}

func TestRecoveryIsThroughEveryNode(t *testing.T) {
	base := func() *made {
		return new(made).steady(0, "n1", 0, 9000, 100).steady(1, "n2", 0, 1000, 100).fault("isolate-one", `{"id":1,"targets":["n2"]}`, 1000, 1000, 3000)
	}
	for name, c := range map[string]struct {
		made *made
		want *Wait
	}{
		"at last":        {base().put(1, "n2", 1000, 4700, history.Info).steady(1, "n2", 4800, 9000, 100), &Wait{ms(1810), true}},
		"once is enough": {base().put(1, "n2", 3100, 3105, history.OK).put(1, "n2", 3106, 8500, history.Info), &Wait{ms(105), true}},
		"not in the same second": {new(made).steady(1, "n2", 0, 3000, 100).put(1, "n2", 3000, 3100, history.OK).put(0, "n1", 3050, 5000, history.OK).
			put(1, "n2", 3101, 7000, history.OK).put(0, "n1", 5001, 7010, history.OK).put(0, "n1", 7011, 7020, history.OK).fault("halves", `{"id":1}`, 1000, 1000, 3000), &Wait{ms(4010), true}},
		"never":             {base().put(1, "n2", 3000, 8910, history.Info), &Wait{ms(5910), false}},
		"not asked":         {base(), &Wait{ms(10), true}},
		"before the next":   {base().put(1, "n2", 3000, 4800, history.OK).fault("kill", `{"id":1}`, 4000, 4000, 4500), &Wait{ms(1000), false}},
		"another one lasts": {base().event(2000, -1, history.Invoke, "delay", "", `{"id":2}`, "").event(4000, -1, history.OK, "delay", "", `{"id":2}`, ""), nil},
		"after the load":    {base().fault("kill", `{"id":1}`, 100, 100, 20_000), nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.made.figures().Windows[0].Recovery) })
	}
}

func TestFaultsThatOverlap(t *testing.T) {
	m := new(made).steady(0, "n1", 0, 2000, 100).put(0, "n1", 2000, 4500, history.OK).steady(0, "n1", 4600, 9000, 100).
		event(1000, -1, history.Invoke, "delay", "", `{"id":1}`, "").
		event(3000, -1, history.Invoke, "kill", "", `{"id":2}`, "").
		event(4000, -1, history.OK, "delay", "", `{"id":1}`, "").
		event(5000, -1, history.OK, "kill", "", `{"id":2}`, "")
	w := m.figures().Windows
	require.Equal(t, Gap{ms(2590), ms(1910)}, w[0].During, "in full, though it outlasts the fault")
	require.Equal(t, Gap{}, w[0].After)
	require.Equal(t, Gap{ms(1500), ms(3000)}, w[1].During, "from its beginning")
	require.Equal(t, Availability{3, 1}, w[0].Availability)
	require.Equal(t, Availability{2, 1}, w[1].Availability)
	require.NotNil(t, w[1].Recovery)
}
