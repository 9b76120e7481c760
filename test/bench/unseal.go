package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/trstctl/trstctl/cmd/trstctl/dev"
	"github.com/trstctl/trstctl/sdk"
)

// opening is how long a node took to come back. Times count from the start of its process, with shares from the last one given.
type opening struct{ unsealed, ready time.Duration }

// unseal stops a follower in order, again and again, and times its return with the seal of the cluster. One that was killed would compare its tables with
// the others' first, which is no matter of the seal.
func unseal(ctx context.Context, b *bench, c *cluster) error {
	if c.dev == nil {
		say("unseal is left out: the cluster is not the bench's own")
		return nil
	}
	at, err := c.leader(ctx)
	if err != nil {
		return err
	}
	at = (at + 1) % len(c.nodes)
	var rounds []opening
	for i := range 3 * b.opt.rounds { // they are short
		o, err := c.reopened(ctx, at)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		rounds = append(rounds, o)
	}
	b.addOpenings(c, rounds)
	return nil
}

// addOpenings sets every time beside that of the file seal from start to ready, which the first cluster has shown.
func (b *bench) addOpenings(c *cluster, rounds []opening) {
	from := "from start"
	if c.seal == shamir {
		from = "from the last share"
	}
	ready := b.opened(c, from+" to ready", rounds, func(o opening) time.Duration { return o.ready })
	if c.seal == sealFile {
		b.fileReady = ready.P50
	}
	unsealed := b.opened(c, from+" to unsealed", rounds, func(o opening) time.Duration { return o.unsealed })
	b.add(unsealed.beside(unsealed.P50, b.fileReady, "file, start to ready"))
	b.add(ready.beside(ready.P50, b.fileReady, "file, start to ready"))
}

func (b *bench) opened(c *cluster, what string, rounds []opening, of func(opening) time.Duration) Row {
	row := Row{What: "unseal, " + c.seal + ": " + what, LogStore: c.store, Note: "each round, ms:"}
	var times []time.Duration
	for _, o := range rounds {
		times = append(times, of(o))
		row.Note += fmt.Sprintf(" %.0f", ms(of(o)))
	}
	slices.Sort(times)
	return row.rounds(times)
}

// reopened stops a node and times its return.
func (c *cluster) reopened(ctx context.Context, at int) (o opening, err error) {
	id, old := c.nodes[at].ID, []int{c.nodes[at].PID}
	if err := c.stop(ctx, at); err != nil {
		return o, err
	}
	started := make(chan error, 1)
	go func() { started <- c.start(ctx, id) }()
	if err = c.processes(ctx, old); err == nil {
		o, err = c.opens(ctx, at)
	}
	return o, errors.Join(err, <-started)
}

func (c *cluster) opens(ctx context.Context, at int) (o opening, err error) {
	n := c.nodes[at]
	began, err := origin(n.PID)
	if err != nil {
		return o, err
	}
	local, err := sdk.NewLocal(filepath.Join(n.Dir, "trstctl.sock"))
	if err != nil {
		return o, err
	}
	if c.seal == shamir {
		if began, err = c.giveShares(ctx, local, n); err != nil {
			return o, err
		}
	}
	err = eventually(ctx, n.ID+" to be unsealed", func(ctx context.Context) error {
		s, err := local.Status(ctx)
		if err == nil && (s.Sealed || !s.Initialised) {
			err = fmt.Errorf("it is sealed: %s", s.Reason)
		}
		return err
	})
	if err != nil {
		return o, err
	}
	o.unsealed = time.Since(began)
	o.ready, err = c.firstReady(ctx, at, began)
	return o, err
}

// giveShares gives a node shares until it opens and returns when the last of them was given.
func (c *cluster) giveShares(ctx context.Context, local *sdk.Local, n dev.Node) (last time.Time, err error) {
	all, err := os.ReadFile(filepath.Join(c.dir, "shares"))
	if err != nil {
		return last, fmt.Errorf("read the shares: %w", err)
	}
	defer clear(all)
	err = eventually(ctx, n.ID+" to take shares", func(ctx context.Context) (err error) {
		p := sdk.UnsealProgress{Sealed: true}
		for _, share := range bytes.Fields(all) {
			last = time.Now()
			if p, err = local.Unseal(ctx, share, p.Attempt); err != nil || !p.Sealed {
				return err
			}
		}
		return errors.New("all shares together do not open it")
	})
	return last, err
}
