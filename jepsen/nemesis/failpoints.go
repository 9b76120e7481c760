package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/jepsen/control"
	"github.com/trstctl/trstctl/jepsen/lab"
)

// Failpoint kills a node between two steps: it arms one of the points of chaos builds, brings about what passes there, and starts the node again. Points of
// `snapshot restore`, which is no node's work, are left to the tests of that command.
var Failpoint = Fault{Name: "failpoint", Hold: [2]time.Duration{2 * time.Second, 5 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
	points := pointsOf("boot.", "unseal.", "term.", "log.", "snapshot.", "install.", "join.", "rotation.")
	return atPoint(ctx, s, points[s.Rand.IntN(len(points))])
}}

func pointsOf(prefixes ...string) (names []string) {
	for _, p := range chaos.Points() {
		for _, prefix := range prefixes {
			if strings.HasPrefix(p.Name, prefix) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// atPoint arms a point where what passes it will happen, and has it happen.
func atPoint(ctx context.Context, s *Stage, point string) (Act, error) {
	group, _, _ := strings.Cut(point, ".")
	switch group {
	case "boot", "unseal":
		return whileStarting(ctx, s, point, func(*lab.Node) error { return nil })
	case "install": // as when a snapshot arrives: tables that are gone are made from the last one, or from nothing
		return whileStarting(ctx, s, point, func(n *lab.Node) error { return os.RemoveAll(filepath.Join(n.Data, "tables")) })
	case "join":
		return whileJoining(ctx, s, point)
	}
	n, err := s.Lab.Leader(ctx)
	if group == "log" || group == "snapshot" { // every node does these by itself
		n, err = s.One(ctx)
	}
	if err != nil {
		return Act{}, err
	}
	if group == "term" {
		if n, err = s.Follower(ctx); err != nil {
			return Act{}, err
		}
	}
	hit := 1 + s.Rand.IntN(3)
	if err := arm(n, point, hit); err != nil {
		return Act{}, err
	}
	act := Act{Targets: []*lab.Node{n}, Detail: map[string]any{"point": point, "hit": hit}, Heal: func(context.Context) error { return disarm(n) }}
	return act, bringAbout(ctx, s, group, n)
}

func bringAbout(ctx context.Context, s *Stage, group string, n *lab.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch group { // what is answered is no matter: the node is to die in the middle of it
	case "term":
		_, _ = s.Lab.Any().Transfer(ctx, n.ID)
	case "rotation":
		_, _ = s.Lab.Any().RotateRoot(ctx, true)
	}
	return nil
}

func arm(n *lab.Node, point string, hit int) error {
	c, err := n.Control()
	if err != nil {
		return err
	}
	return c.Arm(point, control.Action{Do: control.Kill, Hit: hit})
}

// disarm has a node that is alive be so for good, and starts one that is not. One that does not listen yet may still come to the point that it was started with.
func disarm(n *lab.Node) error {
	for end := time.Now().Add(healTime); ; {
		c, err := n.Control()
		if err == nil {
			_ = c.Disarm("") // it may be dying
		}
		ended := n.Ended(200*time.Millisecond) == nil
		if err == nil || ended {
			return n.Start()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s neither listens nor ends: %w", n.ID, err)
		}
	}
}

// whileStarting kills a node, and again when it is on its way up.
func whileStarting(ctx context.Context, s *Stage, point string, prepare func(*lab.Node) error) (Act, error) {
	n, err := s.One(ctx)
	if err != nil {
		return Act{}, err
	}
	if err := errors.Join(n.Kill(), prepare(n)); err != nil {
		return Act{}, errors.Join(err, n.Start())
	}
	n.Next(control.Variable(point, control.Action{Do: control.Kill}))
	return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"point": point}, Heal: func(context.Context) error { return disarm(n) }}, n.Start()
}

// whileJoining replaces a node while a point of the joining is armed, on the leader and on who joins.
func whileJoining(ctx context.Context, s *Stage, point string) (Act, error) {
	leader, err := s.Lab.Leader(ctx)
	if err != nil {
		return Act{}, err
	}
	if err := arm(leader, point, 1); err != nil {
		return Act{}, err
	}
	s.Lab.NextJoins(control.Variable(point, control.Action{Do: control.Kill}))
	gone, err := s.Follower(ctx)
	if err != nil {
		return Act{}, errors.Join(err, disarm(leader))
	}
	joined := make(chan error, 1)
	go func() { // the joiner is started again when it dies; the leader is when this heals
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTime)
		defer cancel()
		_, err := s.Lab.Join(ctx)
		joined <- err
	}()
	return Act{Targets: []*lab.Node{leader}, Detail: map[string]any{"point": point, "replaced": gone.ID}, Heal: func(ctx context.Context) error {
		if err := errors.Join(disarm(leader), <-joined); err != nil {
			return fmt.Errorf("join: %w", err)
		}
		return s.Lab.Remove(ctx, gone)
	}}, nil
}
