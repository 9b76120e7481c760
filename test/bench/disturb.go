package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const writers = 8

// disturbance is what writers noticed of something done to the cluster. Times are of one round.
type disturbance struct {
	next    time.Duration // from the act to the first acknowledgement of a write that began after it
	gap     time.Duration // the longest between two acknowledgements that follow each other, whoever's they are, the second of them after the act
	alone   time.Duration // the longest between two of one client
	slowest time.Duration // write that was under way at the act or began later
	load    *load
}

// disturb lets clients do op, acts, and lets them go on until each has been served again.
func (b *bench) disturb(ctx context.Context, c *cluster, name string, op operation, act func() error) (d disturbance, err error) {
	addresses, err := c.addresses(ctx, all)
	if err != nil {
		return d, err
	}
	l, err := newLoad(c, name, writers, addresses, op)
	if err != nil {
		return d, err
	}
	if err := l.begin(ctx); err != nil {
		return d, err
	}
	at, err := l.around(ctx, act)
	l.end()
	if err != nil {
		return d, err
	}
	return l.noticed(at), nil
}

// around acts between two times of regular work and returns when.
func (l *load) around(ctx context.Context, act func() error) (at time.Duration, err error) {
	if err := l.served(ctx, 0); err != nil {
		return 0, err
	}
	at = time.Since(l.began)
	if err := act(); err != nil {
		return at, err
	}
	return at, l.served(ctx, at)
}

// served waits until every worker has had 20 more acknowledgements, the last of them for a write that began after at.
func (l *load) served(ctx context.Context, at time.Duration) error {
	const more = 20
	before := make([]int64, len(l.workers))
	for i, w := range l.workers {
		before[i] = w.acked.Load()
	}
	return eventually(ctx, "writes to be acknowledged", func(context.Context) error {
		for i, w := range l.workers {
			if w.acked.Load() < before[i]+more || w.since.Load() <= int64(at) {
				return fmt.Errorf("writer %d has had %d acknowledgements", i, w.acked.Load()-before[i])
			}
		}
		return nil
	})
}

func (l *load) noticed(at time.Duration) disturbance {
	d := disturbance{load: l, next: -1}
	var ends []time.Duration
	for _, w := range l.workers {
		own := len(ends)
		for _, s := range w.samples {
			ends = append(ends, s.end)
			if s.end > at {
				d.slowest = max(d.slowest, s.took())
			}
			if s.start > at && (d.next < 0 || s.end-at < d.next) {
				d.next = s.end - at
			}
		}
		d.alone = max(d.alone, gap(ends[own:], at))
	}
	d.gap = gap(ends, at)
	return d
}

// transfer asks for another leader, again and again.
func transfer(ctx context.Context, b *bench, c *cluster) error {
	if len(c.nodes) < 2 {
		say("transfer is left out: there is one node only")
		return nil
	}
	var rounds []disturbance
	for i := range b.opt.rounds {
		d, err := b.handOver(ctx, c, i)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		rounds = append(rounds, d)
	}
	b.addRounds(c, "transfer: longest gap", rounds, func(d disturbance) time.Duration { return d.gap }, within(150*time.Millisecond, 0, "p50 < 150 ms"))
	b.addRounds(c, "transfer: slowest write", rounds, func(d disturbance) time.Duration { return d.slowest }, nil)
	return b.readBack(ctx, c, rounds)
}

// handOver asks the leader itself: by way of a follower the answer may be lost with the leadership, and a repetition hands it over again.
func (b *bench) handOver(ctx context.Context, c *cluster, round int) (d disturbance, err error) {
	from, err := c.leader(ctx)
	if err != nil {
		return d, err
	}
	one, err := c.admin.Node(c.nodes[from].API)
	if err != nil {
		return d, err
	}
	to := ""
	d, err = b.disturb(ctx, c, fmt.Sprintf("transfer/%d", round), put, func() (err error) {
		to, err = one.Transfer(ctx, "")
		return err
	})
	say("transfer from %s to %s: longest gap %.0f ms", c.nodes[from].ID, to, ms(d.gap))
	return d, err
}

// addRounds adds the median and the worst of a time.
func (b *bench) addRounds(c *cluster, what string, rounds []disturbance, of func(disturbance) time.Duration, t *target) {
	b.add(ofRounds(c, what, rounds, of).judge(t))
}

func ofRounds(c *cluster, what string, rounds []disturbance, of func(disturbance) time.Duration) Row {
	row := Row{What: what, LogStore: c.store, Clients: writers, Failed: map[string]int{}, Note: "each round, ms:"}
	var times []time.Duration
	for _, d := range rounds {
		times = append(times, of(d))
		row.Note += fmt.Sprintf(" %.0f", ms(of(d)))
		for k, n := range d.load.failed() {
			row.Failed[k] += n
		}
	}
	slices.Sort(times)
	return row.rounds(times)
}
