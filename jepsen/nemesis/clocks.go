package nemesis

import (
	"context"
	"errors"
	"time"

	"github.com/trstctl/trstctl/jepsen/lab"
)

// clock does one thing to the wall clocks of those that are drawn, and sets them right again. A node that was started anew meanwhile has a right one.
func clock(name string, draw func(ctx context.Context, s *Stage) ([]*lab.Node, error), turn func(s *Stage) (detail map[string]any, do func(*lab.Node) error)) Fault {
	return Fault{Name: name, Hold: [2]time.Duration{2 * time.Second, 10 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		nodes, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		detail, do := turn(s)
		heal := func(context.Context) error { return each(nodes, rightClock) }
		if err := each(nodes, do); err != nil {
			return Act{}, errors.Join(err, heal(ctx))
		}
		return Act{Targets: nodes, Detail: detail, Heal: heal}, nil
	}}
}

func rightClock(n *lab.Node) error {
	c, err := n.Control()
	if err != nil {
		return err
	}
	return c.Reset()
}

func jump(by time.Duration) (map[string]any, func(*lab.Node) error) {
	return map[string]any{"jump": by.String()}, func(n *lab.Node) error {
		c, err := n.Control()
		if err != nil {
			return err
		}
		return c.Jump(by)
	}
}

func rate(r float64) (map[string]any, func(*lab.Node) error) {
	return map[string]any{"rate": r}, func(n *lab.Node) error {
		c, err := n.Control()
		if err != nil {
			return err
		}
		return c.Rate(r)
	}
}

// drawnJump is forward or back, from a blink to a day: what a wrong time server or a battery does.
func drawnJump(s *Stage) (map[string]any, func(*lab.Node) error) {
	sizes := []time.Duration{20 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 4 * time.Minute, 6 * time.Minute, time.Hour, 20 * time.Hour}
	by := sizes[s.Rand.IntN(len(sizes))]
	if s.Rand.IntN(2) == 0 {
		by = -by
	}
	return jump(by)
}

// Clocks.
var (
	ClockJump    = clock("clock-jump", just(one), drawnJump)
	ClockLeader  = clock("clock-jump-leader", just(leader), drawnJump)
	ClockFrozen  = clock("clock-frozen", just(one), func(*Stage) (map[string]any, func(*lab.Node) error) { return rate(0) })
	ClockSkewed  = clock("clock-skew", just(one), func(s *Stage) (map[string]any, func(*lab.Node) error) { return rate(0.25 + 3*s.Rand.Float64()) })
	ClockStrobes = Fault{Name: "clock-strobe", Hold: [2]time.Duration{2 * time.Second, 8 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		end, done := make(chan struct{}), make(chan error, 1)
		go func() { done <- strobe(n, end) }()
		return Act{Targets: []*lab.Node{n}, Heal: func(context.Context) error {
			close(end)
			return errors.Join(<-done, rightClock(n))
		}}, nil
	}}
	// Expired has all clocks go three days and more ahead together, past the end of every certificate, and stay there: time does not come back.
	Expired = Fault{Name: "certificates-expire", Hold: [2]time.Duration{5 * time.Second, 10 * time.Second}, Begin: func(_ context.Context, s *Stage) (Act, error) {
		by := 73*time.Hour + s.Between(0, time.Hour)
		return Act{Targets: s.Lab.Nodes(), Detail: map[string]any{"jump": by.String()}}, s.Lab.Forward(by)
	}}
)

// strobe turns a clock back and forth between two times, several times a second.
func strobe(n *lab.Node, end chan struct{}) error {
	for by := 3 * time.Minute; ; by = -by {
		c, err := n.Control()
		if err == nil {
			err = c.Jump(by)
		}
		if err != nil && n.Running() {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-end:
			return nil
		}
	}
}
