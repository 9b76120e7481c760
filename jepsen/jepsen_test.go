package jepsen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

func op(client int, in call, begin int64, out result, end int64) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: in, Call: begin, Output: out, Return: end}
}

// TestTheModelCatchesWhatItMust shows that the checker can fail.
func TestTheModelCatchesWhatItMust(t *testing.T) {
	put := func(cas int, v string) call { return call{"a", true, cas, v} }
	get := call{path: "a"}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"in turn":          {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{version: 1}, 1), op(0, get, 2, result{version: 1, value: "x"}, 3)}, true},
		"stale read":       {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{version: 1}, 1), op(0, get, 2, result{}, 3)}, false},
		"lost cas":         {[]porcupine.Operation{op(0, put(0, "x"), 0, result{version: 1}, 1), op(1, put(0, "y"), 2, result{version: 1}, 3)}, false},
		"both at 1":        {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{version: 1}, 9), op(1, put(-1, "y"), 0, result{version: 1}, 9)}, false},
		"cas refused":      {[]porcupine.Operation{op(0, put(0, "x"), 0, result{version: 1}, 1), op(1, put(0, "y"), 2, result{conflict: true}, 3)}, true},
		"false conflict":   {[]porcupine.Operation{op(0, put(0, "x"), 0, result{conflict: true}, 1)}, false},
		"unknown seen":     {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{unknown: true}, 100), op(1, get, 5, result{version: 1, value: "x"}, 6)}, true},
		"unknown not seen": {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{unknown: true}, 100), op(1, get, 5, result{}, 6)}, true},
		"unknown seen, then gone": {[]porcupine.Operation{op(0, put(-1, "x"), 0, result{unknown: true}, 100),
			op(1, get, 5, result{version: 1, value: "x"}, 6), op(1, get, 7, result{}, 8)}, false},
	} {
		require.Equal(t, c.want, porcupine.CheckOperations(model, c.history), name)
	}
}

// recorder gathers the history of all clients.
type recorder struct {
	mu      sync.Mutex
	start   time.Time
	history []porcupine.Operation
}

func (r *recorder) now() int64 { return int64(time.Since(r.start)) }

func (r *recorder) add(o porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, o)
}

// finish gives what is unknown until the end of time to have happened.
func (r *recorder) finish() []porcupine.Operation {
	end := r.now() + 1
	for i := range r.history {
		if r.history[i].Output.(result).unknown {
			r.history[i].Return = end
		}
	}
	return r.history
}

var paths = []string{"j/a", "j/b", "j/c"}

// client works through one node at a time until ctx ends.
func client(ctx context.Context, id int, c *harness.Cluster, r *recorder) {
	for n := 0; ctx.Err() == nil; n++ {
		node := c.ClientOf(c.Nodes[rand.IntN(len(c.Nodes))]).Reading(sdk.Read{At: sdk.Linearizable})
		in := call{path: paths[rand.IntN(len(paths))], cas: -1}
		if rand.IntN(2) == 0 {
			in.write, in.value = true, fmt.Sprintf("%d-%d", id, n)
			if rand.IntN(3) == 0 {
				in.cas = rand.IntN(5) + last(r, in.path)
			}
		}
		one, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		begin := r.now()
		out, ok := perform(one, node, in)
		cancel()
		if ok {
			r.add(op(id, in, begin, out, r.now()))
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // load, not waiting
	}
}

// last guesses the version of a path, so that some cas fit.
func last(r *recorder, path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.history) - 1; i >= 0; i-- {
		if h := r.history[i]; h.Input.(call).path == path && h.Output.(result).version > 0 {
			return max(h.Output.(result).version-2, 0)
		}
	}
	return 0
}

// perform returns false for what had no effect and told nothing: refused writes and failed reads.
func perform(ctx context.Context, c *sdk.Client, in call) (result, bool) {
	if !in.write {
		v, err := c.Get(ctx, in.path, sdk.GetOptions{})
		if sdk.Is(err, sdk.NotFound) {
			return result{}, true
		}
		return result{version: int(v.Version), value: string(v.Value)}, err == nil
	}
	it := sdk.Item{Path: in.path, Value: []byte(in.value)}
	if in.cas >= 0 {
		cas := uint64(in.cas)
		it.CAS = &cas
	}
	w, err := c.Put(ctx, it)
	switch sdk.KindOf(err) {
	case sdk.Conflict:
		return result{conflict: true}, true
	case sdk.NotDone, sdk.RateLimited:
		return result{}, err == nil
	}
	if err != nil {
		return result{unknown: true}, true
	}
	return result{version: int(w.Version)}, true
}

// nemesis does one thing after the other to the cluster, and mends it.
func nemesis(ctx context.Context, c *harness.Cluster) {
	for ctx.Err() == nil {
		n := c.Nodes[rand.IntN(len(c.Nodes))]
		if rand.IntN(2) == 0 {
			n = c.Leader()
		}
		hold := time.Duration(300+rand.IntN(2500)) * time.Millisecond
		switch rand.IntN(3) {
		case 0:
			n.Kill()
			wait(ctx, hold)
			n.Start()
		case 1:
			n.Pause()
			wait(ctx, hold)
			n.Resume()
		case 2:
			n.Isolate()
			wait(ctx, hold)
			n.Heal()
		}
		wait(ctx, time.Duration(500+rand.IntN(1500))*time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func seconds() time.Duration {
	if n, err := strconv.Atoi(os.Getenv("TRSTCTL_JEPSEN_SECONDS")); err == nil {
		return time.Duration(n) * time.Second
	}
	return 20 * time.Second
}

func TestHistoriesAreLinearizable(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			c := harness.Start(t, harness.Options{LogStore: store})
			r := &recorder{start: time.Now()}
			ctx, cancel := context.WithTimeout(t.Context(), seconds())
			defer cancel()
			var clients sync.WaitGroup
			for id := range 8 {
				clients.Go(func() { client(ctx, id, c, r) })
			}
			nemesis(ctx, c)
			clients.Wait()
			history := r.finish()
			verdict, info := porcupine.CheckOperationsVerbose(model, history, time.Minute)
			if verdict != porcupine.Ok {
				path := filepath.Join(c.Dir, "history.html")
				require.NoError(t, porcupine.VisualizePath(model, info, path))
				t.Errorf("the history of %d operations is not linearizable (%s): see %s", len(history), verdict, path)
			}
			t.Logf("%d operations", len(history))
			require.Greater(t, len(history), 50, "the history says little")
			c.Ready(c.Nodes...)
			c.Check()
		})
	}
}
