package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

// restart stops all nodes, in order and then as a power cut would, and times their return.
func restart(ctx context.Context, b *bench, c *cluster) error {
	if len(c.pids()) != len(c.nodes) {
		say("restart is left out: the nodes' pids are not known")
		return nil
	}
	if err := b.load(ctx, c); err != nil {
		return err
	}
	if c.dev == nil {
		say("a graceful restart is left out: the cluster is not the bench's own")
	} else if err := b.restarted(ctx, c, "all stopped and started", c.stopAndStart); err != nil {
		return err
	}
	return b.restarted(ctx, c, "all killed and started", c.killAndStart)
}

// bring stops the nodes, starts them, and returns as soon as their new processes stand in c.nodes; settle waits for what it left going on.
type bring func(context.Context) (settle func() error, err error)

// restarted times one return.
func (b *bench) restarted(ctx context.Context, c *cluster, what string, do bring) error {
	start := time.Now()
	settle, err := do(ctx)
	if err != nil {
		return err
	}
	r, err := c.returned(ctx)
	if err := errors.Join(err, settle()); err != nil {
		return err
	}
	row := Row{What: what + ": to ready and writing", LogStore: c.store, Value: new(ms(max(r.ready, r.written))), Unit: "ms"}
	row.Note = fmt.Sprintf("from the start of the first process to a leader %.0f ms, to the first write %.0f ms, to all nodes ready %.0f ms; with stopping %.1f s",
		ms(r.led), ms(r.written), ms(r.ready), time.Since(start).Seconds())
	b.add(row.judge(b.full(c, below(3000, "< 3 s"))))
	return b.addMemory(c, what+": memory of a node", nil)
}

// stopAndStart stops trstctl dev, which stops the nodes, and starts it.
func (c *cluster) stopAndStart(ctx context.Context) (func() error, error) {
	if err := c.dev.stop(); err != nil {
		return nil, err
	}
	if err := c.dev.start(); err != nil {
		return nil, err
	}
	return func() error { return c.dev.ready(ctx) }, c.processes(ctx, nil)
}

// killAndStart kills the nodes and has them started at the same time.
func (c *cluster) killAndStart(ctx context.Context) (func() error, error) {
	old := c.pids()
	for i := range c.nodes {
		if err := c.kill(i); err != nil {
			return nil, err
		}
	}
	ids, started := len(old), make(chan error, 1)
	nodes := slices.Clone(c.nodes)
	go func() { started <- parallel(ids, ids, func(i int) error { return c.start(ctx, nodes[i].ID) }) }()
	return func() error { return <-started }, c.processes(ctx, old)
}

// processes waits until nodes.json has a process for every node, none of them an old one.
func (c *cluster) processes(ctx context.Context, old []int) error {
	return eventually(ctx, "the nodes' processes", func(context.Context) error {
		if err := c.readNodes(); err != nil {
			return err
		}
		new := slices.DeleteFunc(c.pids(), func(pid int) bool { return slices.Contains(old, pid) })
		if len(new) < len(c.nodes) {
			return fmt.Errorf("%d of %d have been started", len(new), len(c.nodes))
		}
		return nil
	})
}

// revival is when a cluster was back. Times count from the start of the first process.
type revival struct{ led, written, ready time.Duration }

func (c *cluster) returned(ctx context.Context) (r revival, err error) {
	origin, err := origin(c.pids()...)
	if err != nil {
		return r, err
	}
	var wg sync.WaitGroup
	var errWrite error
	wg.Go(func() { r.led, r.written, errWrite = c.firstWrite(ctx, origin) })
	ready := make([]time.Duration, len(c.nodes))
	err = parallel(len(c.nodes), len(c.nodes), func(i int) (err error) {
		ready[i], err = c.firstReady(ctx, i, origin)
		return err
	})
	wg.Wait()
	r.ready = slices.Max(ready)
	return r, errors.Join(err, errWrite)
}

// origin is when the first of these processes began, to 10 ms.
func origin(pids ...int) (time.Time, error) {
	now, up, err := sinceBoot()
	if err != nil {
		return now, err
	}
	first := up
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			return now, err
		}
		first = min(first, s.started)
	}
	return now.Add(first - up), nil
}

// firstWrite waits for a leader and writes through it: the sdk's own search would add its pauses.
func (c *cluster) firstWrite(ctx context.Context, origin time.Time) (led, written time.Duration, err error) {
	path := fmt.Sprintf("%s/after/%d", c.prefix, origin.UnixNano())
	err = eventually(ctx, "a write", func(ctx context.Context) error {
		at, err := c.leader(ctx)
		if err != nil {
			return err
		}
		if led == 0 {
			led = time.Since(origin)
		}
		one, err := c.admin.Node(c.nodes[at].API)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = one.Put(ctx, sdk.Item{Path: path, Value: valueOf(path, new([valueSize]byte))})
		return err
	})
	return led, time.Since(origin), err
}

func (c *cluster) firstReady(ctx context.Context, i int, origin time.Time) (time.Duration, error) {
	one, err := c.admin.Node(c.nodes[i].API)
	if err != nil {
		return 0, err
	}
	err = eventually(ctx, c.nodes[i].ID+" to be ready", one.Ready)
	return time.Since(origin), err
}
