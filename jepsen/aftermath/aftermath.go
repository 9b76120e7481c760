// Package aftermath looks at a cluster after its last fault has been healed, and says whether it is whole: that it lives, that its nodes hold the same, that
// what they hold is what their logs add up to, that nobody led beside another, and that no secret lies about.
//
// Each check is a verdict. A check that could not be made is a verdict that is not OK.
package aftermath

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/sdk"
)

// liveTime is how long after the last heal everything must work again.
const liveTime = 30 * time.Second

// Look makes all checks. base is what the nodes used before the first fault; planted are values that must be nowhere.
func Look(ctx context.Context, l *lab.Lab, base Usage, planted [][]byte) []history.Verdict {
	out := []history.Verdict{live(ctx, l)}
	if !out[0].OK {
		return append(out, terms(l), logs(l)) // the rest needs a cluster that works
	}
	out = append(out, used(ctx, l, base), digests(ctx, l, "digests"), chains(ctx, l))
	out = append(out, replay(ctx, l), fromSnapshot(ctx, l), terms(l), logs(l), nowhere(l, planted))
	return out
}

func verdict(checker string, checked int, detail string, err error) history.Verdict {
	v := history.Verdict{Checker: checker, OK: err == nil && checked > 0, Checked: checked, Detail: detail}
	if err != nil {
		v.Detail = err.Error()
	}
	return v
}

// live waits until every node runs, is ready and healthy, takes a write at its address and has applied what the others have.
func live(ctx context.Context, l *lab.Lab) history.Verdict {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	nodes := l.Nodes()
	for _, n := range nodes {
		if !n.Running() {
			return verdict("liveness", len(nodes), "", fmt.Errorf("%s does not run: see its log", n.ID))
		}
		if err := lab.Until(ctx, n.ID+" to be ready and to take a write", func(ctx context.Context) error { return serves(ctx, n) }); err != nil {
			return verdict("liveness", len(nodes), "", err)
		}
	}
	if err := lab.Until(ctx, "all nodes to be healthy and caught up", func(ctx context.Context) error { return healthy(ctx, l) }); err != nil {
		return verdict("liveness", len(nodes), "", err)
	}
	return verdict("liveness", len(nodes), fmt.Sprintf("all well %s after the last heal", time.Since(began).Round(10*time.Millisecond)), nil)
}

func serves(ctx context.Context, n *lab.Node) error {
	c := n.Client()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	_, err := c.Put(ctx, sdk.Item{Path: "aftermath/" + n.ID, Value: []byte("x")})
	return err
}

func healthy(ctx context.Context, l *lab.Lab) error {
	a, err := l.Any().Autopilot(ctx)
	if err != nil {
		return err
	}
	if len(a.Items) != len(l.Nodes()) {
		return fmt.Errorf("the cluster has %d members, %d are known here", len(a.Items), len(l.Nodes()))
	}
	for _, m := range a.Items {
		if !m.Healthy {
			return fmt.Errorf("%s is not healthy: %s", m.ID, m.Problem)
		}
	}
	var top uint64
	for _, n := range l.Nodes() {
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		top = max(top, s.AppliedIndex)
	}
	for _, n := range l.Nodes() {
		if s, err := n.Status(ctx); err != nil || s.AppliedIndex < top {
			return errors.Join(err, fmt.Errorf("%s stands at %d, another at %d", n.ID, s.AppliedIndex, top))
		}
	}
	return nil
}

// digests compares the tables of all nodes at one index.
func digests(ctx context.Context, l *lab.Lab, name string) history.Verdict {
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	var differ error
	nodes := l.Nodes()
	err := lab.Until(ctx, "all nodes at one index", func(ctx context.Context) error {
		differ = nil
		first := sdk.Digest{}
		for _, n := range nodes {
			d, err := n.Client().Digest(ctx)
			if err != nil {
				return err
			}
			if first.Node == "" {
				first = d
			}
			if d.Index != first.Index {
				return fmt.Errorf("%s is at %d, %s at %d", d.Node, d.Index, first.Node, first.Index)
			}
			if d.Digest != first.Digest {
				differ = fmt.Errorf("at index %d the tables of %s and %s differ", d.Index, first.Node, d.Node)
			}
		}
		return nil
	})
	return verdict(name, len(nodes), "equal on all nodes", errors.Join(err, differ))
}

// chains has every node walk its audit chain.
func chains(ctx context.Context, l *lab.Lab) history.Verdict {
	var records uint64
	for _, n := range l.Nodes() {
		one, cancel := context.WithTimeout(ctx, time.Minute)
		v, err := n.Client().VerifyAudit(one)
		cancel()
		if err != nil {
			return verdict("chains", len(l.Nodes()), "", fmt.Errorf("%s: %w", n.ID, err))
		}
		records += v.Records
	}
	return verdict("chains", len(l.Nodes()), fmt.Sprintf("%d records verified", records), nil)
}
