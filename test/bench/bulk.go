package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// batch is the secrets of one import, importers how many of those go on at the same time.
const (
	batch     = 500
	importers = 4
	fullSize  = 100000 // the number that the targets are about
)

// measureMemory compares the nodes' memory before and after many secrets.
func measureMemory(ctx context.Context, b *bench, c *cluster) error {
	if len(c.pids()) == 0 {
		say("memory is left out: the nodes' pids are not known")
		return nil
	}
	what := "memory of a node, idle"
	if c.dev == nil {
		what = "memory of a node, as found"
	}
	if err := b.addMemory(c, what, nil); err != nil {
		return err
	}
	if err := b.load(ctx, c); err != nil {
		return err
	}
	if err := b.addMemory(c, "memory of a node, "+grouped(float64(c.loaded))+" secrets", b.full(c, below(250, "< 250 MiB"))); err != nil {
		return err
	}
	return b.addDisk(c)
}

// full drops a target that is about more secrets than there are.
func (b *bench) full(c *cluster, t *target) *target {
	if c.loaded < fullSize {
		return nil
	}
	return t
}

// addMemory adds the largest node's resident memory; the others stand in the note.
func (b *bench) addMemory(c *cluster, what string, t *target) error {
	nodes, err := c.memory()
	if err != nil {
		return err
	}
	largest, notes := 0.0, []string{}
	for i, m := range nodes {
		largest = max(largest, m.rss)
		notes = append(notes, fmt.Sprintf("%s %.0f MiB (peak %.0f, Pss %.0f)", c.nodes[i].ID, m.rss, m.peak, m.pss))
	}
	b.add(Row{What: what, LogStore: c.store, Value: &largest, Unit: "MiB", Note: strings.Join(notes, ", ")}.judge(t))
	return nil
}

func (b *bench) addDisk(c *cluster) error {
	largest, notes := 0.0, []string{}
	for _, n := range c.nodes {
		mib, err := diskUse(n.Dir)
		if err != nil {
			return err
		}
		largest = max(largest, mib)
		notes = append(notes, fmt.Sprintf("%s %.0f MiB", n.ID, mib))
	}
	b.add(Row{What: "data directory of a node", LogStore: c.store, Value: &largest, Unit: "MiB", Note: strings.Join(notes, ", ")})
	return nil
}

// load imports secrets, once a cluster.
func (b *bench) load(ctx context.Context, c *cluster) error {
	if c.loaded > 0 {
		return nil
	}
	n := b.opt.secrets
	before, errBefore := c.usage()
	start := time.Now()
	if err := c.importMany(ctx, n); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	took := time.Since(start)
	after, errAfter := c.usage()
	c.loaded, c.imported = n, perSecond(n, took)
	row := Row{What: fmt.Sprintf("import, %d secrets a request", batch), LogStore: c.store, Clients: importers, Count: n, PerSecond: perSecond(n, took)}
	b.add(row.used(after.since(before), took))
	return errors.Join(errBefore, errAfter)
}

func (c *cluster) importMany(ctx context.Context, n int) error {
	var done atomic.Int64
	return parallel(importers, (n+batch-1)/batch, func(i int) error {
		var paths []string
		for j := i * batch; j < min(n, (i+1)*batch); j++ {
			paths = append(paths, c.manyPath(j))
		}
		if err := c.importAll(ctx, paths); err != nil {
			return err
		}
		if sum := done.Add(int64(len(paths))); sum%(int64(max(n/10/batch, 1))*batch) == 0 {
			say("imported %s of %s", grouped(float64(sum)), grouped(float64(n)))
		}
		return nil
	})
}

func (c *cluster) manyPath(j int) string {
	return fmt.Sprintf("%s/many/%03d/%06d", c.prefix, j%1000, j)
}

// many returns up to n paths of those that load filled, spread over all of them.
func (c *cluster) many(n int) (paths []string) {
	n = min(n, c.loaded)
	for i := range n {
		paths = append(paths, c.manyPath(i*(c.loaded/n)))
	}
	return paths
}
