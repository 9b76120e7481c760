package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

// failover kills the leader, again and again.
func failover(ctx context.Context, b *bench, c *cluster) error {
	if len(c.nodes) < 3 {
		say("failover is left out: %d nodes do not survive the death of one", len(c.nodes))
		return nil
	}
	rounds, err := b.kills(ctx, c, "failover", put)
	if err != nil {
		return err
	}
	b.addRounds(c, "kill -9 of the leader: to the next write", rounds, func(d disturbance) time.Duration { return d.next }, within(time.Second, 2*time.Second, "p50 < 1 s, max < 2 s"))
	longest := ofRounds(c, "kill -9 of the leader: longest gap", rounds, func(d disturbance) time.Duration { return d.gap })
	b.writeGap = longest.P50
	b.add(longest)
	b.addRounds(c, "kill -9 of the leader: slowest write", rounds, func(d disturbance) time.Duration { return d.slowest }, nil)
	return b.readBack(ctx, c, rounds)
}

// kills has the leader killed in every round, under clients that do op.
func (b *bench) kills(ctx context.Context, c *cluster, name string, op operation) (rounds []disturbance, err error) {
	for i := range b.opt.rounds {
		at, err := c.leader(ctx)
		if err != nil {
			return nil, err
		}
		d, err := b.disturb(ctx, c, fmt.Sprintf("%s/%d", name, i), op, func() error { return c.kill(at) })
		if err := errors.Join(err, c.revive(ctx, at)); err != nil {
			return nil, fmt.Errorf("round %d: %w", i+1, err)
		}
		rounds = append(rounds, d)
		say("kill -9 of %s: next answer after %.0f ms, longest gap %.0f ms", c.nodes[at].ID, ms(d.next), ms(d.gap))
	}
	return rounds, nil
}

// throughKills has the leader killed under clients that do op through all nodes, and adds how long they had to wait for an answer.
func (b *bench) throughKills(ctx context.Context, c *cluster, what string, op operation) error {
	if len(c.nodes) < 3 || c.dev == nil && !b.opt.destructive {
		say("%s through a kill of the leader is left out", what)
		return nil
	}
	rounds, err := b.kills(ctx, c, what, op)
	if err != nil {
		return err
	}
	for _, g := range []struct {
		of   string
		took func(disturbance) time.Duration
	}{{"", func(d disturbance) time.Duration { return d.gap }}, {" of one client", func(d disturbance) time.Duration { return d.alone }}} {
		row := ofRounds(c, "kill -9 of the leader: longest gap"+g.of+", "+what, rounds, g.took)
		b.add(row.beside(row.P50, b.writeGap, "that in writes").judge(within(time.Second, 2*time.Second, "p50 < 1 s, max < 2 s")))
	}
	return nil
}

// readBack looks for every acknowledged write of the rounds.
func (b *bench) readBack(ctx context.Context, c *cluster, rounds []disturbance) error {
	var paths []string
	for _, d := range rounds {
		for _, w := range d.load.workers {
			for _, s := range w.samples {
				paths = append(paths, w.pathOf(s.n))
			}
		}
	}
	lost := make([]bool, len(paths))
	client := c.admin.Reading(sdk.Read{At: sdk.Linearizable})
	err := parallel(16, len(paths), func(i int) error {
		v, err := client.Get(ctx, paths[i], sdk.GetOptions{})
		lost[i] = sdk.Is(err, sdk.NotFound) || err == nil && !bytes.Equal(v.Value, valueOf(paths[i], new([valueSize]byte)))
		if lost[i] {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	return b.account(c, paths, lost)
}

func (b *bench) account(c *cluster, paths []string, lost []bool) error {
	var gone []string
	for i, l := range lost {
		if l {
			gone = append(gone, paths[i])
		}
	}
	row := Row{What: "acknowledged writes that are lost", LogStore: c.store, Count: len(paths), Value: new(float64(len(gone))), Unit: "of " + grouped(float64(len(paths)))}
	b.add(row.judge(below(1, "0")))
	if len(gone) > 0 {
		return errors.New("acknowledged writes are lost, the first is " + gone[0])
	}
	return nil
}
