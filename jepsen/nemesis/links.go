package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/network"
)

// between cuts every link between the nodes of different groups, both ways, for a class of traffic.
func between(class network.Class, groups ...[]*lab.Node) (rules []network.Rule) {
	for i, a := range groups {
		for j, b := range groups {
			if i != j {
				rules = append(rules, oneWay(class, a, b)...)
			}
		}
	}
	return rules
}

func oneWay(class network.Class, from, to []*lab.Node) (rules []network.Rule) {
	for _, f := range from {
		for _, t := range to {
			rules = append(rules, network.Rule{From: f.ID, To: t.ID, Class: class, Drop: true})
		}
	}
	return rules
}

func links(name string, hold [2]time.Duration, draw func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error)) Fault {
	return Fault{Name: name, Hold: hold, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		targets, rules, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		heal, err := s.Cut(rules...)
		return Act{Targets: targets, Detail: brief(rules), Heal: heal}, err
	}}
}

// brief is what a history needs of rules: who does not reach whom.
func brief(rules []network.Rule) (out []string) {
	for _, r := range rules {
		text := r.From + ">" + r.To
		if r.Class != "" {
			text += " " + string(r.Class)
		}
		if r.Delay > 0 {
			text += fmt.Sprintf(" +%s", r.Delay)
		}
		out = append(out, text)
	}
	return out
}

var usual = [2]time.Duration{time.Second, 8 * time.Second}

// only is one of the nodes against all others, drawn by pick.
func only(class network.Class, pick func(context.Context, *Stage) (*lab.Node, error)) func(context.Context, *Stage) ([]*lab.Node, []network.Rule, error) {
	return func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		n, err := pick(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		return []*lab.Node{n}, between(class, []*lab.Node{n}, others(s, n)), nil
	}
}

func others(s *Stage, not *lab.Node) (rest []*lab.Node) {
	for _, n := range s.Lab.Nodes() {
		if n != not {
			rest = append(rest, n)
		}
	}
	return rest
}

func leader(ctx context.Context, s *Stage) (*lab.Node, error) { return s.Lab.Leader(ctx) }
func one(ctx context.Context, s *Stage) (*lab.Node, error)    { return s.One(ctx) }

// Partitions of the nodes. Clients reach all of them.
var (
	Halves = links("partition-halves", usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		all := s.Shuffled()
		minority := all[:len(all)/2]
		return minority, between("", minority, all[len(all)/2:]), nil
	})
	IsolateLeader = links("isolate-leader", usual, only("", leader))
	IsolateOne    = links("isolate-one", usual, only("", one))
	RaftOnly      = links("isolate-raft-only", usual, only(network.Raft, leader))
	GossipOnly    = links("no-gossip", usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		return s.Lab.Nodes(), []network.Rule{{Class: network.Gossip, Drop: true}}, nil
	})
	// Ring has every node reach a majority, none the same one: each its neighbours.
	Ring = links("majorities-ring", usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		return ring(s.Shuffled())
	})
	// Bridge leaves one node that reaches all, between two halves that do not reach each other.
	Bridge = links("bridge", usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		return bridge(s.Shuffled())
	})
	// Mute has the leader heard by nobody while it hears all; Deaf the other way round.
	Mute = links("one-way-from-leader", usual, func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		n, err := s.Lab.Leader(ctx)
		if err != nil {
			return nil, nil, err
		}
		return []*lab.Node{n}, oneWay("", []*lab.Node{n}, others(s, n)), nil
	})
	Deaf = links("one-way-to-leader", usual, func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		n, err := s.Lab.Leader(ctx)
		if err != nil {
			return nil, nil, err
		}
		return []*lab.Node{n}, oneWay("", others(s, n), []*lab.Node{n}), nil
	})
	OneWayPair = links("one-way-pair", usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		all := s.Shuffled()
		return all[:2], oneWay("", all[:1], all[1:2]), nil
	})
	// APIOnly keeps clients from one node; the nodes reach each other.
	APIOnly = links("no-api", usual, func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		n, err := s.One(ctx)
		if err != nil {
			return nil, nil, err
		}
		return []*lab.Node{n}, []network.Rule{{To: n.ID, Class: network.API, Drop: true}, {From: n.ID, Class: network.API, Drop: true}}, nil
	})
)

// ring cuts each node off from those that stand furthest from it; of three only a bridge is left.
func ring(all []*lab.Node) ([]*lab.Node, []network.Rule, error) {
	n := len(all)
	if n < 4 {
		return bridge(all)
	}
	var rules []network.Rule
	for i := range n {
		for d := (n/2+1)/2 + 1; d <= n/2; d++ {
			rules = append(rules, between("", all[i:i+1], []*lab.Node{all[(i+d)%n]})...)
		}
	}
	return all, rules, nil
}

func bridge(all []*lab.Node) ([]*lab.Node, []network.Rule, error) {
	half := (len(all) - 1) / 2
	return all[:1], between("", all[1:1+half], all[1+half:]), nil
}

// Flapping cuts one node off and joins it again, several times a second.
var Flapping = Fault{Name: "flapping", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
	n, err := s.One(ctx)
	if err != nil {
		return Act{}, err
	}
	rules := between("", []*lab.Node{n}, others(s, n))
	period := s.Between(50*time.Millisecond, 800*time.Millisecond)
	end := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- flap(s, rules, period, end) }()
	return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"period": period.String()}, Heal: func(context.Context) error {
		close(end)
		return <-done
	}}, nil
}}

func flap(s *Stage, rules []network.Rule, period time.Duration, end chan struct{}) error {
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		heal, err := s.Cut(rules...)
		if err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-end:
			return heal(context.Background())
		}
		if err := heal(context.Background()); err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-end:
			return nil
		}
	}
}

// everywhere is a rule for all traffic between nodes and with clients.
func everywhere(name string, draw func(s *Stage) network.Rule) Fault {
	return links(name, usual, func(_ context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		return nil, []network.Rule{draw(s)}, nil
	})
}

// toOne is a rule for what goes to and from one node.
func toOne(name string, draw func(s *Stage) network.Rule) Fault {
	return links(name, usual, func(ctx context.Context, s *Stage) ([]*lab.Node, []network.Rule, error) {
		n, err := s.One(ctx)
		if err != nil {
			return nil, nil, err
		}
		to, from := draw(s), network.Rule{}
		from = to
		to.To, from.From = n.ID, n.ID
		return []*lab.Node{n}, []network.Rule{to, from}, nil
	})
}

// Links that work badly.
var (
	Delay = everywhere("delay", func(s *Stage) network.Rule {
		return network.Rule{Delay: s.Between(5*time.Millisecond, 80*time.Millisecond), Jitter: s.Between(0, 40*time.Millisecond)}
	})
	DelayOne = toOne("delay-one", func(s *Stage) network.Rule {
		return network.Rule{Delay: s.Between(50*time.Millisecond, 600*time.Millisecond), Jitter: s.Between(0, 100*time.Millisecond)}
	})
	Loss      = everywhere("loss", func(s *Stage) network.Rule { return network.Rule{Loss: 0.01 + 0.1*s.Rand.Float64()} })
	Duplicate = everywhere("duplicate", func(s *Stage) network.Rule { return network.Rule{Duplicate: 0.2} })
	Stall     = toOne("stall", func(*Stage) network.Rule { return network.Rule{Stall: true} })
	Reset     = toOne("reset", func(*Stage) network.Rule { return network.Rule{Reset: true} })
	// HalfOpen leaves one end of every connection of a node without news of the other: nothing arrives from it, and it is reset later.
	HalfOpen = Fault{Name: "half-open", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		heal, err := s.Cut(network.Rule{From: n.ID, Drop: true})
		if err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: func(ctx context.Context) error {
			if err := heal(ctx); err != nil {
				return err
			}
			reset, err := s.Cut(network.Rule{To: n.ID, Reset: true})
			if err != nil {
				return err
			}
			_ = wait(ctx, 300*time.Millisecond) // for what is under way
			return reset(ctx)
		}}, nil
	}}
)

// LateAnswers keeps the leader from being heard while answers to what it said before are still on their way. Each takes as long as luck has it: some come
// soon enough for the leader's lease, others when another leads already. What clients ask of it meanwhile reaches it just then. Who takes an answer for
// news of now still thinks that it leads.
var LateAnswers = Fault{Name: "late-answers", Hold: [2]time.Duration{300 * time.Millisecond, 500 * time.Millisecond}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
	n, err := s.Lab.Leader(ctx)
	if err != nil {
		return Act{}, err
	}
	slow := network.Rule{To: n.ID, Class: network.Raft, Delay: 150 * time.Millisecond, Jitter: time.Millisecond} // so that there are always some under way
	under, err := s.Cut(slow)
	if err != nil {
		return Act{}, err
	}
	if err := wait(ctx, s.Between(300*time.Millisecond, 600*time.Millisecond)); err != nil {
		return Act{}, errors.Join(err, under(ctx))
	}
	slow.Delay, slow.Jitter = 50*time.Millisecond, 700*time.Millisecond // more: others stand for election 350 to 700 ms after they have last heard of it
	rules := append(oneWay(network.Raft, []*lab.Node{n}, others(s, n)), slow)
	muted, err := s.Cut(rules...)
	if err != nil {
		return Act{}, errors.Join(err, under(ctx))
	}
	heal := func(ctx context.Context) error { return errors.Join(muted(ctx), under(ctx)) }
	asked, err := s.Cut(network.Rule{To: n.ID, Class: network.API, Stall: true})
	if err != nil {
		return Act{}, errors.Join(err, heal(ctx))
	}
	_ = wait(ctx, s.Between(600*time.Millisecond, 750*time.Millisecond)) // the end of the run heals at once
	return Act{Targets: []*lab.Node{n}, Detail: brief(rules), Heal: heal}, asked(ctx)
}}
