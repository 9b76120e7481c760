package nemesis

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/jepsen/lab"
)

// each does one thing to every node.
func each(nodes []*lab.Node, do func(*lab.Node) error) (err error) {
	for _, n := range nodes {
		err = errors.Join(err, do(n))
	}
	return err
}

func starts(nodes []*lab.Node) func(context.Context) error {
	return func(context.Context) error { return each(nodes, (*lab.Node).Start) }
}

// killing is SIGKILL of those that are drawn, all at the same time as far as that goes, and a start when it heals.
func killing(name string, draw func(ctx context.Context, s *Stage) ([]*lab.Node, error)) Fault {
	return Fault{Name: name, Hold: [2]time.Duration{100 * time.Millisecond, 5 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		nodes, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		return Act{Targets: nodes, Heal: starts(nodes)}, each(nodes, (*lab.Node).Kill)
	}}
}

func just(pick func(context.Context, *Stage) (*lab.Node, error)) func(context.Context, *Stage) ([]*lab.Node, error) {
	return func(ctx context.Context, s *Stage) ([]*lab.Node, error) {
		n, err := pick(ctx, s)
		return []*lab.Node{n}, err
	}
}

// SIGKILL.
var (
	KillLeader   = killing("kill-leader", just(leader))
	KillOne      = killing("kill-one", just(one))
	KillMinority = killing("kill-minority", func(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Minority(), nil })
	KillMajority = killing("kill-majority", func(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Majority(), nil })
	KillAll      = killing("kill-all", func(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Shuffled(), nil })
	// Restart is an orderly stop and start.
	Restart = Fault{Name: "restart", Hold: [2]time.Duration{100 * time.Millisecond, 3 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: starts([]*lab.Node{n})}, n.Stop()
	}}
	// LongAbsence is long enough that what a node has missed is no longer in the others' logs, where those are short.
	LongAbsence = Fault{Name: "long-absence", Hold: [2]time.Duration{15 * time.Second, 25 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.Follower(ctx)
		if err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: starts([]*lab.Node{n})}, n.Kill()
	}}
)

// stopping takes the time of those that are drawn away and gives it back.
func stopping(name string, hold [2]time.Duration, stop, resume func(*lab.Node) error, draw func(ctx context.Context, s *Stage) ([]*lab.Node, error)) Fault {
	return Fault{Name: name, Hold: hold, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		nodes, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		if err := each(nodes, stop); err != nil {
			return Act{}, errors.Join(err, each(nodes, resume))
		}
		return Act{Targets: nodes, Heal: func(context.Context) error { return each(nodes, resume) }}, nil
	}}
}

// pauses are short as often as they are long: the dangerous ones are about as long as an election.
var pauses = [2]time.Duration{100 * time.Millisecond, 10 * time.Second}

// SIGSTOP, and the kernel's freezer.
var (
	PauseLeader   = stopping("pause-leader", pauses, (*lab.Node).Pause, (*lab.Node).Resume, just(leader))
	BlinkLeader   = stopping("blink-leader", [2]time.Duration{300 * time.Millisecond, 2200 * time.Millisecond}, (*lab.Node).Pause, (*lab.Node).Resume, just(leader))
	PauseOne      = stopping("pause-one", pauses, (*lab.Node).Pause, (*lab.Node).Resume, just(one))
	PauseMajority = stopping("pause-majority", pauses, (*lab.Node).Pause, (*lab.Node).Resume, func(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Majority(), nil })
	PauseAll      = stopping("pause-all", [2]time.Duration{100 * time.Millisecond, 4 * time.Second}, (*lab.Node).Pause, (*lab.Node).Resume, func(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Shuffled(), nil })
	FreezeOne     = stopping("freeze-one", pauses, (*lab.Node).Freeze, (*lab.Node).Thaw, just(one))
)

// Memory leaves a node less memory than it uses: the kernel reclaims what it can and ends the process when that is not enough.
var Memory = Fault{Name: "memory", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
	n, err := s.One(ctx)
	if err != nil {
		return Act{}, err
	}
	mib := 24 + s.Rand.Int64N(60)
	if err := n.Limit(mib << 20); err != nil {
		return Act{}, err
	}
	return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"mib": mib}, Heal: func(context.Context) error {
		return errors.Join(n.Limit(-1), n.Start())
	}}, nil
}}
