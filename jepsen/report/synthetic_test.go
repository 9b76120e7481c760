package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// invention makes up a run: clients that call nodes, and a leader that goes away now and then.
type invention struct {
	rand    *rand.Rand
	length  time.Duration
	pace    time.Duration // between the calls of a client
	clients int
	events  []history.Event
}

// trouble is a fault of it: from when to when, and how long writes stand still.
type trouble struct {
	name       string
	node       int
	leader     bool
	begin, end time.Duration
	still      time.Duration
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func invent(length time.Duration, clients, operations int) *history.History {
	v := &invention{rand: rand.New(rand.NewPCG(1, 2)), length: length, clients: clients, pace: length * time.Duration(clients) / time.Duration(operations)}
	faults := v.troubles()
	for p := range clients {
		v.client(p, faults)
	}
	v.faults(faults)
	v.watch(faults)
	slices.SortStableFunc(v.events, func(a, b history.Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range v.events {
		v.events[i].Index = i
	}
	return &history.History{Events: v.events}
}

func (v *invention) troubles() (all []trouble) {
	names := []string{"kill-leader", "pause-one", "isolate-leader", "kill-all", "blink-leader", "clock-jump"}
	for at, i := 4*time.Second, 0; at < v.length-5*time.Second; i++ {
		f := trouble{name: names[i%len(names)], node: 1 + i%3, begin: at, end: at + ms(300+v.rand.IntN(3500))}
		f.leader = strings.HasSuffix(f.name, "leader")
		switch {
		case f.name == "kill-all":
			f.still = f.end - f.begin + ms(1400)
		case f.leader:
			f.still = ms(350 + v.rand.IntN(900))
		}
		all = append(all, f)
		at = f.end + ms(1500+v.rand.IntN(3000))
	}
	return all
}

func (v *invention) client(p int, faults []trouble) {
	for t := ms(p * 3); t < v.length; {
		f := []string{"register.put", "register.get", "token.use", "bank.transfer"}[v.rand.IntN(4)]
		node := fmt.Sprintf("n%d", 1+v.rand.IntN(3))
		took := time.Duration(float64(ms(4)) * (0.5 + v.rand.ExpFloat64()))
		kind, why := history.OK, ""
		for _, x := range faults {
			hit := x.name == "kill-all" || x.node == int(node[1]-'0')
			switch {
			case t > x.begin && t < x.begin+x.still && v.rand.IntN(3) > 0:
				took = x.begin + x.still - t + ms(v.rand.IntN(60))
			case t > x.begin && t < x.begin+x.still:
				kind, why, took = history.Info, "deadline exceeded: <context>", ms(200+v.rand.IntN(2000))
			case t > x.begin && t < x.end && hit:
				kind, why, took = history.Fail, "connection refused", ms(1+v.rand.IntN(30))
			}
		}
		v.add(t, p, history.Invoke, f, node, map[string]any{"path": fmt.Sprintf("k%d", v.rand.IntN(9)), "value": v.rand.IntN(1e6)}, "")
		v.add(min(t+took, v.length), p, kind, f, node, nil, why)
		t += max(took, time.Duration(float64(v.pace)*(0.5+v.rand.Float64())))
	}
}

func (v *invention) faults(all []trouble) {
	for i, f := range all {
		value := map[string]any{"id": i + 1, "targets": []string{fmt.Sprintf("n%d", f.node)}, "leader": f.leader}
		if f.name == "clock-jump" {
			value["detail"] = map[string]any{"by": "-1h"}
		}
		v.add(f.begin, history.Nemesis, history.Invoke, f.name, "", map[string]any{"id": i + 1}, "")
		v.add(f.begin+ms(2), history.Nemesis, history.Info, f.name, "", value, "")
		v.add(f.end, history.Nemesis, history.OK, f.name, "", value, "")
	}
}

func (v *invention) watch(all []trouble) {
	term, leader := 1, 1
	see := func(at time.Duration, node int, up bool, state string) {
		s := map[string]any{"node": fmt.Sprintf("n%d", node), "up": up, "state": state, "term": term, "leader": fmt.Sprintf("n%d", leader), "ready": state != "candidate"}
		v.add(at, history.Watcher, history.Info, "status", fmt.Sprintf("n%d", node), s, "")
	}
	for n := 1; n <= 3; n++ {
		see(ms(n), n, true, map[bool]string{true: "leader", false: "follower"}[n == leader])
	}
	for _, f := range all {
		if !f.leader {
			see(f.begin, f.node, f.name != "kill-all", "")
			see(f.end, f.node, true, "follower")
			continue
		}
		see(f.begin+ms(100), f.node, !strings.HasPrefix(f.name, "kill"), "")
		leader, term = f.node%3+1, term+1
		see(f.begin+f.still/2, leader, true, "candidate")
		see(f.begin+f.still, leader, true, "leader")
		see(f.end+ms(300), f.node, true, "follower")
	}
}

func (v *invention) add(at time.Duration, p int, t history.Type, f, node string, value any, why string) {
	e := history.Event{Time: at, Process: p, Type: t, F: f, Node: node, Error: why}
	if value != nil {
		e.Value, _ = json.Marshal(value)
	}
	v.events = append(v.events, e)
}

func isWrite(f string) bool { return f == "register.put" || f == "bank.transfer" }

func inventedRun(h *history.History) Run {
	return Run{Scenario: "kills", Says: "SIGKILL of the leader, one, a minority, a majority, all; orderly restarts", Seed: 4711, Nodes: 3, Store: "bolt",
		Network: "namespaces", Commit: "d7d851c0ffee0123456789abcdef0123456789ab", Version: "0.9.0-dev", Started: time.Date(2025, 11, 25, 3, 4, 5, 0, time.UTC),
		Command: "go run ./jepsen run --scenario kills --nodes 3 --time 1m --seed 4711 --store bolt", Duration: 95 * time.Second,
		Verdicts: []history.Verdict{
			{Checker: "register: linearizable", OK: true, Checked: 30123},
			{Checker: "bank: balance", Checked: 2211, Detail: "transfer 17 is lost:\n  before: 100\n  after: 93", File: "bank-17.html"},
			{Checker: "audit", Unknown: true, Checked: 411, Detail: "not decided within 1 min"}},
		Figures: Measure(h, isWrite), History: h, Notes: []string{"The network was kept within namespaces."}}
}
