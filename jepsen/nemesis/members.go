package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/sdk"
)

// Members and keys, changed under load.
var (
	Transfer = Fault{Name: "transfer", Hold: [2]time.Duration{0, time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		to := s.Shuffled()[0]
		_, err := s.Lab.Any().Transfer(ctx, to.ID)
		return Act{Targets: []*lab.Node{to}, Detail: told(err)}, nil
	}}
	// Replace removes a member, the leader as often as not, and joins another.
	Replace = Fault{Name: "replace-member", Hold: [2]time.Duration{0, time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: func(ctx context.Context) error { return replace(ctx, s, n) }}, nil
	}}
	// Shrink removes a member and then joins another: in between there is one less.
	Shrink = Fault{Name: "remove-then-join", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if err := s.Lab.Remove(ctx, n); err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: func(ctx context.Context) error {
			_, err := s.Lab.Join(ctx)
			return err
		}}, nil
	}}
	SealOne      = sealing("seal-one", just(one))
	SealMajority = sealing("seal-majority", most)
	SealAll      = sealing("seal-all", everyone)
	// HSMDown has the HSM of all nodes gone while some are started anew: these are sealed until it is back, the others serve.
	HSMDown = Fault{Name: "hsm-down", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		if err := s.Lab.HSMAway(true); err != nil {
			return Act{}, err
		}
		nodes := s.Shuffled()[:1+s.Rand.IntN(len(s.Lab.Nodes()))]
		err := each(nodes, func(n *lab.Node) error { return errors.Join(n.Kill(), n.Start()) })
		return Act{Targets: nodes, Heal: func(context.Context) error { return s.Lab.HSMAway(false) }}, err
	}}
	Rotate = Fault{Name: "rotate-root", Hold: [2]time.Duration{time.Second, 4 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := s.Lab.Any().RotateRoot(ctx, s.Rand.IntN(2) == 0)
		return Act{Detail: told(err)}, nil
	}}
	// Upgrade stops a node and starts it with the other of two binaries.
	Upgrade = Fault{Name: "other-version", Hold: [2]time.Duration{0, 2 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n := s.Shuffled()[0]
		older := s.Rand.IntN(3) == 0
		if err := n.Stop(); err != nil {
			return Act{}, err
		}
		n.Older(older)
		return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"older": older}, Heal: func(ctx context.Context) error {
			if err := lab.Until(ctx, n.ID+" to start", func(context.Context) error { return comeUp(n) }); err != nil {
				return err
			}
			return nil
		}}, n.Start()
	}}
)

// comeUp starts a node again with the newer binary when the older one has rightly refused what the cluster has agreed on since.
func comeUp(n *lab.Node) error {
	if !n.Running() {
		n.Older(false)
		return n.Start()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := n.Status(ctx)
	return err
}

func told(err error) any {
	if err == nil {
		return nil
	}
	return map[string]any{"answer": string(sdk.KindOf(err))}
}

// sealing wipes the keys of nodes, over their own sockets, and has their seals open them again.
func sealing(name string, draw func(ctx context.Context, s *Stage) ([]*lab.Node, error)) Fault {
	return Fault{Name: name, Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		nodes, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		heal := func(ctx context.Context) error {
			return each(nodes, func(n *lab.Node) error { return lab.Until(ctx, n.ID+" unsealed", unseal(n)) })
		}
		if err := each(nodes, func(n *lab.Node) error { return seal(ctx, n) }); err != nil {
			return Act{}, errors.Join(err, heal(ctx))
		}
		return Act{Targets: nodes, Heal: heal}, nil
	}}
}

func seal(ctx context.Context, n *lab.Node) error {
	l, err := n.Local()
	if err != nil {
		return err
	}
	if _, err := l.Seal(ctx); err != nil {
		return fmt.Errorf("seal %s: %w", n.ID, err)
	}
	return nil
}

func unseal(n *lab.Node) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := n.Local()
		if err != nil {
			return err
		}
		p, err := l.Unseal(ctx, nil, "")
		if err == nil && p.Sealed {
			err = errors.New("it is sealed")
		}
		return err
	}
}
