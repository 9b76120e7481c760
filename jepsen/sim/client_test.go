package sim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var home = fsm.UID{1, 2, 3}

// client asks for one thing after the other.
type client struct {
	w       *world
	id      int
	d       dice
	guarded bool
	asked   int
	seen    map[string]session // by key: what it was told
}

type session struct{ index, version uint64 }

func (w *world) clients(n int) {
	guarded := roll(w.seed, "guards").often(70)
	if w.broken.guards {
		guarded = false
	}
	if w.broken.stamp {
		guarded = false
	}
	for id := range n {
		c := &client{w: w, id: id, d: roll(w.seed, fmt.Sprint("client", id)), guarded: guarded, seen: map[string]session{}}
		w.asking.Go(c.run)
	}
}

var keys = []string{"a", "b", "c"}

func (c *client) run() {
	for {
		c.sleep(time.Millisecond, 120*time.Millisecond)
		select {
		case <-c.w.over:
			return
		default:
		}
		c.asked++
		what := c.d.IntN(10)
		if c.id < nodes && c.d.often(70) {
			what = 4
		}
		switch key := keys[c.d.IntN(len(keys))]; what {
		case 0, 1, 2, 3:
			c.write(key)
		case 4, 5, 6, 7:
			c.read(key, cluster.Linearizable)
		case 8:
			c.read(key, cluster.Stale)
		default:
			c.read(key, cluster.Session)
		}
	}
}

func (c *client) sleep(low, high time.Duration) { time.Sleep(c.d.between(low, high)) }

// somewhere returns a process: the first clients stay with one node, most of the time, and read; others look for the one that leads, as far as some
// node knows.
func (c *client) somewhere(leader bool) *process {
	if c.id < nodes && c.d.often(85) {
		return c.w.process(c.id)
	}
	p := c.w.process(c.d.IntN(nodes))
	if p == nil || !leader || c.d.often(20) {
		return p
	}
	if id, known := p.agree.Leader(); known {
		return c.w.process(nodeOf(id))
	}
	return p
}

var errLeft = errors.New("the client does not wait any longer")

// within runs f, which asks a process, and forgets it when the process dies or patience ends.
func within[T any](p *process, patience time.Duration, f func() (T, error)) (out T, err error) {
	type done struct {
		out T
		err error
	}
	answer := make(chan done, 1)
	p.w.wg.Go(func() {
		var d done
		if d.err = p.pass(); d.err == nil {
			d.out, d.err = f()
		}
		if p.pass() == nil {
			answer <- d
		}
	})
	select {
	case d := <-answer:
		return d.out, d.err
	case <-p.dead:
		return out, errDead
	case <-time.After(patience):
		return out, errLeft
	}
}

// write carries one request to its end: repetitions with the same key are the same request.
func (c *client) write(key string) {
	op := operation{client: c.id, key: key, write: true, expect: -1, value: fmt.Sprintf("%d.%d", c.id, c.asked), call: c.w.now()}
	if c.d.often(35) {
		op.expect = int(c.seen[key].version) - c.d.IntN(2)
		op.expect = max(op.expect, 0)
	}
	receipt := &fsm.ReceiptKey{Key: sha256.Sum256([]byte(op.value)), Request: sha256.Sum256([]byte(key + op.value))}
	unsure := false
	for try := range 5 {
		p := c.somewhere(true)
		if p == nil {
			c.sleep(10*time.Millisecond, 200*time.Millisecond)
			continue
		}
		if c.w.broken.receipts {
			receipt = &fsm.ReceiptKey{Key: sha256.Sum256(fmt.Append(nil, op.value, try))}
		}
		rc, err := c.propose(p, op, receipt)
		switch kind := fault.KindOf(err); {
		case err == nil:
			var version uint64
			if err := fsm.Decode(rc.Reply.Public, &version); err != nil {
				c.w.problem("an answer cannot be read: %v", err)
			}
			op.outcome, op.version = done, version
			c.learn(key, session{rc.Index, version})
			c.record(op)
			return
		case kind == fault.Conflict && op.expect >= 0:
			op.outcome = conflict
			c.record(op)
			return
		case kind == fault.NotDone:
		default:
			unsure = true
			if kind != fault.Unknown && err != errDead && err != errLeft {
				c.w.problem("a write fails in a way that nobody knows: %v", err)
			}
			if c.d.often(30) {
				op.outcome = unknown
				c.record(op)
				return
			}
		}
		c.sleep(5*time.Millisecond, 300*time.Millisecond)
	}
	if op.outcome = notDone; unsure {
		op.outcome = unknown
	}
	c.record(op)
}

func (c *client) propose(p *process, op operation, receipt *fsm.ReceiptKey) (fsm.Receipt, error) {
	slow, pace := c.d.often(15), c.d.between(time.Millisecond, 400*time.Millisecond)
	if c.d.often(3) {
		slow, pace = true, c.d.between(400*time.Millisecond, 5*time.Second)
	}
	think := func() {
		if slow {
			time.Sleep(pace)
		}
		p.pass()
	}
	limit := c.d.between(200*time.Millisecond, 4*time.Second)
	return within(p, c.patience(), func() (fsm.Receipt, error) {
		ctx := context.Background()
		if c.guarded || c.w.broken.guards { // without guards all rests on the term, and on waiting for every outcome
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		req := fsm.Request{ID: fsm.UID(receipt.Key[:16]), Tenant: home, Actor: fsm.Actor{Identity: "sim"}, Receipt: receipt}
		return p.books.Commit(ctx, req, op.key, write(op.key, op.value, op.expect, c.guarded, think))
	})
}

func (c *client) patience() time.Duration {
	if c.d.often(50) {
		return c.d.between(500*time.Millisecond, 2*time.Second)
	}
	return c.d.between(2*time.Second, 12*time.Second)
}

func (c *client) learn(key string, s session) {
	if old := c.seen[key]; s.index >= old.index {
		c.seen[key] = s
	}
}

type found struct {
	register
	index uint64
}

func (c *client) read(key string, level cluster.Level) {
	p := c.somewhere(c.d.often(30))
	if p == nil {
		return
	}
	op := operation{client: c.id, key: key, level: level, call: c.w.now(), node: p.node}
	switch level {
	case cluster.Stale:
		op.bound = c.d.between(100*time.Millisecond, cluster.MaxAge)
	case cluster.Session:
		op.least = c.seen[key].version
	}
	limit := c.d.between(200*time.Millisecond, 3*time.Second)
	at, err := within(p, c.patience(), func() (out found, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := c.reach(ctx, p, op, c.seen[key].index); err != nil {
			return out, err
		}
		if p.pass() != nil {
			return out, errDead
		}
		v, err := p.store.View()
		if err != nil {
			return out, err
		}
		defer v.Close()
		out.index = v.Index()
		out.register, _, err = registers.Get(v, fsm.K(key))
		return out, err
	})
	if err != nil {
		if fault.KindOf(err) != fault.NotDone && err != errDead && err != errLeft {
			c.w.problem("a read fails in a way that nobody knows: %v", err)
		}
		return
	}
	op.outcome, op.version, op.value = done, at.Version, at.Value
	c.learn(key, session{at.index, at.Version})
	c.record(op)
}

// reach waits until a process may answer at a level, or does what a broken one does.
func (c *client) reach(ctx context.Context, p *process, op operation, seen uint64) error {
	b, r := c.w.broken, p.agree.Raft()
	switch {
	case op.level == cluster.Linearizable && (b.round || b.verify):
		if r.State() != raft.Leader {
			return p.agree.Await(ctx, op.level, 0, 0)
		}
		index := r.CommitIndex()
		if b.verify {
			verified := make(chan error, 1)
			go func() { verified <- r.VerifyLeader().Error() }() // which may never come
			select {
			case err := <-verified:
				if err != nil {
					return fault.New(fault.NotDone, "not verified")
				}
			case <-ctx.Done():
				return fault.New(fault.NotDone, "not verified in time")
			}
		}
		if p.store.Began() != r.CurrentTerm() || p.store.Wait(ctx, index) != nil {
			return fault.New(fault.NotDone, "not applied")
		}
		return nil
	case op.level == cluster.Stale && b.contact:
		if r.State() == raft.Leader || time.Since(r.LastContact()) < op.bound {
			return nil
		}
	}
	return p.agree.Await(ctx, op.level, op.bound, seen)
}

func (c *client) record(op operation) {
	op.back = c.w.now()
	c.w.trace.note("client %d: %s", c.id, op)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.history = append(c.w.history, op)
}
