package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const (
	askEvery         = time.Second // for the state of a rotation
	rotationPatience = 30 * time.Minute
)

// turn is one rotation of all keys.
type turn struct {
	values int
	took   time.Duration   // between begin and end, as the log has them
	asked  []time.Duration // what asking for its state took
	used   usage
}

// rotate rotates all keys over many secrets: alone, under one reader and under some, and sets what the readers notice beside the same before.
func rotate(ctx context.Context, b *bench, c *cluster) error {
	if err := b.load(ctx, c); err != nil {
		return err
	}
	var asked []time.Duration
	for _, clients := range []int{0, 1, 8} {
		t, err := b.rotateUnder(ctx, c, clients)
		if err != nil {
			return err
		}
		asked = append(asked, t.asked...)
	}
	slices.Sort(asked)
	b.add(Row{What: "state of a rotation, asked for", LogStore: c.store}.times(asked).beside(ms(percentile(asked, 50)), b.readAlone, "a read's p50"))
	return nil
}

func (b *bench) rotateUnder(ctx context.Context, c *cluster, clients int) (t turn, err error) {
	if clients == 0 {
		if t, err = c.rotateAll(ctx); err == nil {
			b.addTurn(c, t, 0)
		}
		return t, err
	}
	read := get(sdk.Linearizable, c.many(readSet))
	before, err := b.measure(ctx, c, Row{What: "linearizable read before keys rotate", Clients: clients}, all, read)
	if err != nil {
		return t, err
	}
	b.add(before)
	if clients == 1 {
		b.readAlone = before.P50
	}
	while, err := b.measureWhile(ctx, c, Row{What: "linearizable read while keys rotate", Clients: clients}, all, read, func(ctx context.Context) (err error) {
		t, err = c.rotateAll(ctx)
		return err
	})
	if err != nil {
		return t, err
	}
	b.addTurn(c, t, clients)
	b.add(while.beside(while.P99, before.P99, "p99 before"))
	return t, nil
}

func (b *bench) addTurn(c *cluster, t turn, readers int) {
	row := Row{What: "rotation of all keys", LogStore: c.store, Clients: readers, Count: t.values, PerSecond: perSecond(t.values, t.took), Value: new(t.took.Seconds()), Unit: "s",
		Note: grouped(float64(t.values)) + " values"}
	if readers == 0 {
		row = row.used(t.used, t.took)
	}
	b.add(row.beside(row.PerSecond, c.imported, "values a second of the import"))
}

// rotateAll rotates the root key and every tenant's, to the end.
func (c *cluster) rotateAll(ctx context.Context) (t turn, err error) {
	ctx, cancel := context.WithTimeout(ctx, rotationPatience)
	defer cancel()
	before, errBefore := c.usage()
	began, err := c.admin.RotateRoot(ctx, true)
	if err != nil {
		return t, fmt.Errorf("rotate: %w", err)
	}
	for done := false; !done; {
		start := time.Now()
		all, err := c.admin.Reading(sdk.Read{At: sdk.Linearizable}).Rotations(ctx)
		if err != nil {
			return t, fmt.Errorf("ask for the rotation: %w", err)
		}
		t.asked = append(t.asked, time.Since(start))
		if t.took, t.values, done = ended(all, began); !done {
			if err := pause(ctx, askEvery); err != nil {
				return t, fmt.Errorf("the rotation does not end (%+v): %w", all, err)
			}
		}
	}
	after, errAfter := c.usage()
	t.used = after.since(before)
	return t, errors.Join(errBefore, errAfter)
}

// ended says how long the rotation that began took, and over how many values, once it has ended.
func ended(all []sdk.Rotation, began sdk.Rotation) (took time.Duration, values int, done bool) {
	for _, r := range all {
		if r.Key == began.Key && r.To == began.To {
			took, done = r.EndedAt.Sub(r.BeganAt), !r.EndedAt.IsZero()
		}
		if !r.BeganAt.Before(began.BeganAt) {
			values += int(r.Values)
		}
	}
	return took, values, done
}
