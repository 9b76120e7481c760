package aftermath

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
)

// replay stops a follower and has its tables made anew from its event log: they must be what is there.
func replay(ctx context.Context, l *lab.Lab) history.Verdict {
	n, err := follower(ctx, l)
	if err != nil {
		return verdict("replay", 0, "", err)
	}
	if err := n.Stop(); err != nil {
		return verdict("replay", 1, "", err)
	}
	one, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := l.Command(one, "operator", "rebuild", n.Data)
	if err == nil && !strings.Contains(out, "equals what was there") {
		err = fmt.Errorf("operator rebuild said %q", out)
	}
	err = errors.Join(err, n.Start(), lab.Until(one, n.ID+" to be ready", n.Client().Ready))
	return verdict("replay", 1, "the tables are what the event log adds up to", err)
}

// fromSnapshot takes a follower's tables away: from its last snapshot and the log behind it the same must come.
func fromSnapshot(ctx context.Context, l *lab.Lab) history.Verdict {
	n, err := follower(ctx, l)
	if err != nil {
		return verdict("snapshot and tail", 0, "", err)
	}
	one, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	gone := filepath.Join(filepath.Dir(n.Data), "tables.taken-away")
	err = errors.Join(n.Stop(), os.RemoveAll(gone), os.Rename(filepath.Join(n.Data, "tables"), gone), n.Start())
	if err == nil {
		err = lab.Until(one, n.ID+" to be ready", n.Client().Ready)
	}
	if err != nil {
		return verdict("snapshot and tail", 1, "", err)
	}
	return digests(ctx, l, "snapshot and tail")
}

func follower(ctx context.Context, l *lab.Lab) (*lab.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	leader, err := l.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range l.Nodes() {
		if n != leader {
			return n, nil
		}
	}
	return nil, errors.New("there is no follower")
}
