package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/trstctl/trstctl/sdk"
)

// Where clients send what they ask. One that has a leader only does not go elsewhere.
const (
	leader    = "the leader"
	all       = "all nodes"
	followers = "followers"
)

// addresses says which nodes client i of a load asks, in which order.
func (c *cluster) addresses(ctx context.Context, where string) (func(i int) []string, error) {
	at, err := c.leader(ctx)
	if err != nil {
		return nil, err
	}
	var list []string
	for i, n := range c.nodes {
		if where == all || (i == at) == (where == leader) {
			list = append(list, n.API)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("a cluster of one node has no followers")
	}
	return func(i int) []string { return rotated(list, i) }, nil
}

func rotated(list []string, by int) []string {
	by %= len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// measure runs a load for the period and completes row.
func (b *bench) measure(ctx context.Context, c *cluster, row Row, where string, op operation) (Row, error) {
	return b.measureWhile(ctx, c, row, where, op, func(ctx context.Context) error { return pause(ctx, b.opt.period) })
}

// measureWhile runs a load for as long as during takes.
func (b *bench) measureWhile(ctx context.Context, c *cluster, row Row, where string, op operation, during func(context.Context) error) (Row, error) {
	addresses, err := c.addresses(ctx, where)
	if err != nil {
		return row, err
	}
	row.What, row.LogStore = row.What+" through "+where, c.store
	l, err := newLoad(c, fmt.Sprintf("load/%d", len(b.rows)), row.Clients, addresses, op)
	if err != nil {
		return row, err
	}
	if err := l.begin(ctx); err != nil {
		return row, err
	}
	before, errBefore := c.usage()
	interrupted := during(ctx)
	ran, took := l.end()
	after, errAfter := c.usage()
	if err := errors.Join(interrupted, errBefore, errAfter); err != nil {
		return row, err
	}
	row = row.times(took).used(after.since(before), ran)
	row.PerSecond, row.Fsyncs, row.Failed = perSecond(len(took), ran), row.P50/ms(b.fsync), l.failed()
	if again, err := c.addresses(ctx, where); err != nil || again(0)[0] != addresses(0)[0] {
		row.Note = "the leader changed meanwhile"
	}
	return row, nil
}

// writeTarget is what is to be reached with so many clients.
func writeTarget(store string, clients int) *target {
	switch {
	case clients == 64:
		return atLeast(3000, ">= 3,000/s (aim: 5,000)")
	case clients == 1 && store == "wal":
		return atLeast(800, ">= 800/s")
	case clients == 1:
		return atLeast(200, ">= 200/s")
	}
	return nil
}

func writes(ctx context.Context, b *bench, c *cluster) error {
	for _, clients := range []int{1, 16, 64} {
		if err := b.writesFrom(ctx, c, clients); err != nil {
			return err
		}
	}
	return nil
}

func someWrites(ctx context.Context, b *bench, c *cluster) error {
	if err := b.writesFrom(ctx, c, 1); err != nil {
		return err
	}
	return b.writesFrom(ctx, c, 64)
}

// writesFrom measures through the leader, and then as applications come: a single one by a follower, many by all nodes.
func (b *bench) writesFrom(ctx context.Context, c *cluster, clients int) error {
	spread, t := all, writeTarget(c.store, clients)
	if clients == 1 && len(c.nodes) > 1 {
		spread = followers
	}
	for _, where := range []string{leader, spread} {
		row, err := b.measure(ctx, c, Row{What: "write", Clients: clients}, where, put)
		if err != nil {
			return err
		}
		if where == followers {
			t = nil
		}
		b.add(row.judge(t))
	}
	return nil
}

// readers and readSet are the clients and the secrets that they read.
const (
	readers = 32
	readSet = 1000
)

func reads(ctx context.Context, b *bench, c *cluster) error {
	paths := make([]string, readSet)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s/read/%04d", c.prefix, i)
	}
	if err := c.importAll(ctx, paths); err != nil {
		return err
	}
	for _, level := range []sdk.Level{sdk.Linearizable, sdk.Session, sdk.Stale} {
		for _, where := range []string{leader, followers, all} {
			if where == followers && len(c.nodes) == 1 {
				continue
			}
			row, err := b.measure(ctx, c, Row{What: string(level) + " read", Clients: readers}, where, get(level, paths))
			if err != nil {
				return err
			}
			if where == all && level == sdk.Linearizable {
				row = row.judge(atLeast(8000, ">= 8,000/s (aim: 12,000)"))
			}
			b.add(row)
			if where != all || level == sdk.Stale {
				continue
			}
			if row, err = b.journalCost(ctx, c, row); err != nil {
				return err
			}
			b.add(row)
		}
	}
	return nil
}

var errWrongValue = errors.New("the value is not the one that was written")

// get reads one of paths, at random, and compares what it gets.
func get(level sdk.Level, paths []string) operation {
	return func(ctx context.Context, w *worker, n int) error {
		path := paths[rand.IntN(len(paths))]
		v, err := w.client.Reading(sdk.Read{At: level}).Get(ctx, path, sdk.GetOptions{})
		if err == nil && !bytes.Equal(v.Value, valueOf(path, &w.value)) {
			err = errWrongValue
		}
		return err
	}
}

// importAll stores values of up to 1,000 paths at once.
func (c *cluster) importAll(ctx context.Context, paths []string) error {
	items := make([]sdk.Item, len(paths))
	for i, p := range paths {
		items[i] = sdk.Item{Path: p, Value: valueOf(p, new([valueSize]byte))}
	}
	_, err := c.admin.Import(ctx, items)
	return err
}
