package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Heads asks the nodes for the ends of their journals. Nodes that do not answer are left out.
type Heads interface {
	Heads(ctx context.Context) ([]Head, error)
}

const anchorEvery = time.Second

// Anchorer is the leader's worker. It makes the audit key first, when there is none.
type Anchorer struct {
	engine *Engine
	heads  Heads
	log    *slog.Logger
	every  time.Duration
	fails  bool // the last round failed: that is said once
}

// Anchorer returns the worker.
func (e *Engine) Anchorer(heads Heads, log *slog.Logger) *Anchorer {
	return &Anchorer{engine: e, heads: heads, log: log, every: anchorEvery}
}

// Run anchors every second what moved, until ctx ends. A failed round is repeated with the next.
func (a *Anchorer) Run(ctx context.Context) error {
	t := time.NewTicker(a.every)
	defer t.Stop()
	for {
		err := a.round(ctx)
		if err != nil && !a.fails && ctx.Err() == nil {
			a.log.WarnContext(ctx, "journals of reads not anchored, will retry", "err", err)
		}
		a.fails = err != nil
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Anchorer) round(ctx context.Context) error {
	keyed, ready, err := a.look()
	if err != nil || !ready {
		return err
	}
	if !keyed {
		if _, err := a.engine.ledger.Commit(ctx, request(), keyStream, a.engine.decideKey); err != nil {
			return err
		}
	}
	heads, err := a.heads.Heads(ctx)
	if len(heads) == 0 {
		return err
	}
	moved, e := a.moved(heads)
	if e != nil || len(moved) == 0 {
		return errors.Join(err, e)
	}
	_, e = a.engine.ledger.Commit(ctx, request(), "audit/journals", func(v *fsm.View, entry *fsm.Entry) error {
		moved, err := movedIn(v, heads)
		if err == nil && len(moved) > 0 {
			entry.Add(Anchored{moved})
		}
		return err
	})
	return errors.Join(err, e)
}

// look says whether there is a key, and whether the cluster's version has these events at all.
func (a *Anchorer) look() (keyed, ready bool, err error) {
	v, err := a.engine.ledger.View()
	if err != nil {
		return false, false, err
	}
	defer v.Close()
	if v.Version() < since {
		return false, false, nil
	}
	_, keyed, err = newestKey(v)
	return keyed, true, err
}

// moved looks before a commit is tried: one without effect would cost a round among the nodes.
func (a *Anchorer) moved(heads []Head) ([]Head, error) {
	v, err := a.engine.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return movedIn(v, heads)
}

// movedIn returns the heads that differ from those in r, by node. One that went back is among them: that is for verification to find.
func movedIn(r fsm.Reader, heads []Head) ([]Head, error) {
	newest, err := Newest(r)
	if err != nil {
		return nil, err
	}
	var moved []Head
	for _, h := range heads {
		if h.Seq > 0 && newest[h.Node].Head != h {
			moved = append(moved, h)
		}
	}
	slices.SortFunc(moved, func(a, b Head) int { return strings.Compare(a.Node, b.Node) })
	return moved, nil
}

func request() fsm.Request {
	r := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "system:audit"}}
	_, _ = rand.Read(r.ID[:]) // never fails: the process ends instead
	return r
}
