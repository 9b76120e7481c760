package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const valueSize = 1024

// sample is one acknowledged operation of a worker. Times count from the load's begin.
type sample struct {
	n          int
	start, end time.Duration
}

func (s sample) took() time.Duration { return s.end - s.start }

// worker is one client in a closed loop. Its fields belong to its goroutine while the load runs, but for the atomics.
type worker struct {
	index   int
	client  *sdk.Client
	path    string // beneath which it writes
	value   [valueSize]byte
	samples []sample
	failed  map[string]int
	line    *line // of one that speaks KMIP, once it has

	acked atomic.Int64 // operations
	since atomic.Int64 // when the last of those began, from the load's begin
}

// operation does the n-th thing of a worker, from 1 on; 0 is the one that only connects.
type operation func(ctx context.Context, w *worker, n int) error

// load is some workers that do the same at the same time.
type load struct {
	workers []*worker
	op      operation
	began   time.Time
	stop    atomic.Bool
	wg      sync.WaitGroup
}

// newLoad gives each worker a client of its own that asks addresses(i), in that order.
func newLoad(c *cluster, name string, workers int, addresses func(i int) []string, op operation) (*load, error) {
	l := &load{op: op}
	for i := range workers {
		client, err := c.client(addresses(i)...)
		if err != nil {
			return nil, err
		}
		path := fmt.Sprintf("%s/%s/%03d", c.prefix, name, i)
		l.workers = append(l.workers, &worker{index: i, client: client, path: path, samples: make([]sample, 0, 1<<14), failed: map[string]int{}})
	}
	return l, nil
}

// begin connects every worker, then starts all of them.
func (l *load) begin(ctx context.Context) error {
	err := parallel(len(l.workers), len(l.workers), func(i int) error { return l.op(ctx, l.workers[i], 0) })
	if err != nil {
		return fmt.Errorf("the first operation of a client: %w", err)
	}
	l.began = time.Now()
	for _, w := range l.workers {
		l.wg.Go(func() { l.loop(ctx, w) })
	}
	return nil
}

func (l *load) loop(ctx context.Context, w *worker) {
	for n := 1; !l.stop.Load() && ctx.Err() == nil; n++ {
		start := time.Since(l.began)
		err := l.op(ctx, w, n)
		switch {
		case err == nil:
			w.samples = append(w.samples, sample{n, start, time.Since(l.began)})
			w.since.Store(int64(start))
			w.acked.Add(1)
		case ctx.Err() == nil:
			w.failed[kind(err)]++
		}
	}
}

func kind(err error) string {
	if errors.Is(err, errWrongValue) {
		return "wrong value"
	}
	if r, ok := errors.AsType[*refused](err); ok {
		return "refused: " + r.reason
	}
	return string(sdk.KindOf(err))
}

// end lets the operations under way finish. It returns how long the load ran and the latencies, sorted.
func (l *load) end() (ran time.Duration, took []time.Duration) {
	l.stop.Store(true)
	l.wg.Wait()
	ran = time.Since(l.began)
	for _, w := range l.workers {
		w.line.hangUp()
		for _, s := range w.samples {
			took = append(took, s.took())
		}
	}
	slices.Sort(took)
	return ran, took
}

func (l *load) failed() map[string]int {
	sum := map[string]int{}
	for _, w := range l.workers {
		for k, n := range w.failed {
			sum[k] += n
		}
	}
	return sum
}

// valueOf fills buf with the bytes that belong to path: random to whoever compresses, and known to whoever checks.
func valueOf(path string, buf *[valueSize]byte) []byte {
	h := fnv.New64a()
	h.Write([]byte(path))
	r := rand.NewPCG(h.Sum64(), 0)
	for i := 0; i < valueSize; i += 8 {
		for j, v := 0, r.Uint64(); j < 8; j, v = j+1, v>>8 {
			buf[i+j] = byte(v)
		}
	}
	return buf[:]
}

func (w *worker) pathOf(n int) string { return w.path + "/" + strconv.Itoa(n) }

// put writes a secret that is not there yet.
func put(ctx context.Context, w *worker, n int) error {
	path := w.pathOf(n)
	_, err := w.client.Put(ctx, sdk.Item{Path: path, Value: valueOf(path, &w.value)})
	return err
}
