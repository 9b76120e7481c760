package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const (
	createBatch = 250 // items of a message; a node takes 256
	creators    = 4   // connections that fill
)

func keyName(i int) string { return fmt.Sprintf("key-%06d", i) }

// fill makes keys until there are so many of them, and returns the row that says how fast that was.
func (k *keyBench) fill(ctx context.Context, to int) (Row, error) {
	from := len(k.ids)
	k.ids = append(k.ids, make([]string, to-from)...)
	before, errBefore := k.c.usage()
	start := time.Now()
	if err := k.createAll(ctx, from, to); err != nil {
		return Row{}, fmt.Errorf("make keys: %w", err)
	}
	took := time.Since(start)
	after, errAfter := k.c.usage()
	row := Row{What: fmt.Sprintf("KMIP Create, %d keys a message", createBatch), LogStore: k.c.store, Clients: creators, Count: to - from, PerSecond: perSecond(to-from, took)}
	if errBefore == nil && errAfter == nil {
		row = row.used(after.since(before), took)
	}
	return row, nil
}

func (k *keyBench) createAll(ctx context.Context, from, to int) error {
	var done atomic.Int64
	return k.batches(ctx, to-from, func(l *line, first, last int) error {
		if err := k.createSome(ctx, l, from+first, from+last); err != nil {
			return err
		}
		progress(done.Add(int64(last-first)), to-from)
		return nil
	})
}

// batches does n things in messages of some, over a few connections to all nodes.
func (k *keyBench) batches(ctx context.Context, n int, do func(l *line, first, last int) error) error {
	addresses, err := k.c.addresses(ctx, all)
	if err != nil {
		return err
	}
	lines := make(chan *line, creators)
	for i := range creators {
		l := k.line(addresses(i), false)
		defer l.hangUp()
		lines <- l
	}
	return parallel(creators, (n+createBatch-1)/createBatch, func(i int) error {
		l := <-lines
		defer func() { lines <- l }()
		return do(l, i*createBatch, min(n, (i+1)*createBatch))
	})
}

// progress is told at about every tenth.
func progress(made int64, of int) {
	if step := int64(max(of/10/createBatch, 1) * createBatch); of > fewKeys && made%step == 0 {
		say("made %s of %s keys", grouped(float64(made)), grouped(float64(of)))
	}
}

// createSome makes keys in one message and notes their ids.
func (k *keyBench) createSome(ctx context.Context, l *line, first, last int) error {
	items := make([]ttlv.Item, 0, last-first)
	for i := first; i < last; i++ {
		items = append(items, createOf(keyName(i)))
	}
	m, err := l.ask(ctx, messageOf(items...))
	if err != nil {
		return err
	}
	made, err := payloads(m, len(items))
	for i := 0; i < len(made) && err == nil; i++ {
		k.ids[first+i], err = idOf(made[i])
	}
	return err
}

// grow makes the rest of the keys, and sets what the nodes' memory has grown by beside what it was.
func (k *keyBench) grow(ctx context.Context) error {
	before, err := k.c.memory()
	if err != nil {
		return err
	}
	n := k.opt.objects - len(k.ids)
	row, err := k.fill(ctx, k.opt.objects)
	if err != nil {
		return err
	}
	k.add(row.beside(row.PerSecond, k.rows[oneByOne+all].PerSecond, "one by one"))
	after, err := k.c.memory()
	if err == nil && len(before) > 0 {
		k.add(k.grown(before, after, n))
	}
	return err
}

// grown is what 10,000 keys more take in a node, in the mean.
func (k *keyBench) grown(before, after []memory, keys int) Row {
	var was, is float64
	var notes []string
	for i, m := range after {
		was, is = was+before[i].rss, is+m.rss
		notes = append(notes, fmt.Sprintf("%s from %.0f to %.0f MiB (peak %.0f)", k.c.nodes[i].ID, before[i].rss, m.rss, m.peak))
	}
	kib := 1024 * (is - was) / float64(len(after)) * 10000 / float64(keys)
	row := Row{What: "memory of a node for 10,000 KMIP keys more", LogStore: k.c.store, Count: keys, Value: &kib, Unit: "KiB", Note: strings.Join(notes, ", ")}
	return row.beside(is, was, "of all nodes before "+grouped(float64(keys)))
}
