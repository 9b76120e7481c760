package dev

import (
	"context"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stopAll ends every child, the leader last so that leadership does not wander, and at once when a second signal comes.
func (d *cluster) stopAll() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	running := d.beginStop()
	if len(running) == 0 {
		return nil
	}
	d.say("stopping")
	leader := d.leader(ctx)
	var wg sync.WaitGroup
	for _, c := range running {
		if c.node.ID != leader {
			wg.Go(func() { c.stop(ctx, grace) })
		}
	}
	wg.Wait()
	for _, c := range running {
		if c.node.ID == leader {
			c.stop(ctx, grace)
		}
	}
	return d.endStop()
}

// beginStop refuses further starts and returns what runs.
func (d *cluster) beginStop() (running []*child) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopping = true
	for _, c := range d.children {
		if c.running() {
			running = append(running, c)
		}
	}
	return running
}

func (d *cluster) endStop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.nodes {
		d.nodes[i].PID = 0
	}
	return writeNodes(d.opt.Dir, d.nodes)
}

// leader asks any node who leads; "" when nobody can say in time.
func (d *cluster) leader(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	e, err := d.credentials()
	if err != nil {
		return ""
	}
	c, err := e.client()
	if err != nil {
		return ""
	}
	for _, address := range e.Addresses {
		one, err := c.Node(address)
		if err != nil {
			return ""
		}
		if s, err := one.Status(ctx); err == nil && s.Leader != nil {
			return s.Leader.ID
		}
	}
	return ""
}
