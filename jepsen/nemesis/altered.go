package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/lab"
)

// AlteredRow changes a row of a stopped follower's tables in a way that no checksum notices. Its node must find that it differs from the others and serve
// nobody; then its tables are made anew.
var AlteredRow = Fault{Name: "altered-row", Hold: [2]time.Duration{0, time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
	n, err := s.Follower(ctx)
	if err != nil {
		return Act{}, err
	}
	if err := n.Kill(); err != nil {
		return Act{}, err
	}
	what, err := s.Lab.Command(ctx, "chaos", "alter", n.Data, "secret.version", "--seed", fmt.Sprint(s.Rand.Uint32()))
	if err != nil {
		return Act{}, errors.Join(err, n.Start())
	}
	return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"altered": strings.TrimSpace(what)}, Heal: func(ctx context.Context) error {
		return errors.Join(mustNotice(ctx, n), renewTables(n))
	}}, n.Start()
}}

// mustNotice waits until the node says that it is quarantined, or ends; that it becomes ready is a violation.
func mustNotice(ctx context.Context, n *lab.Node) error {
	accepted := false
	err := lab.Until(ctx, n.ID+" to notice that a row was altered", func(ctx context.Context) error {
		err := n.Client().Ready(ctx)
		accepted = err == nil
		if accepted || !n.Running() || strings.Contains(err.Error(), "quarantine") {
			return nil
		}
		return err
	})
	if accepted {
		err = fmt.Errorf("%w: %s, whose table was altered", ErrAccepted, n.ID)
	}
	return err
}

func renewTables(n *lab.Node) error {
	return errors.Join(n.Kill(), os.RemoveAll(filepath.Join(n.Data, "tables")), n.Start())
}
