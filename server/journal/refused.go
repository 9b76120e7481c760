package journal

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Refusals counts requests of unknown callers that were refused, by address and second, in a journal of its own with little space: nobody
// can push out with them what others did. They are never anchored: a stranger must not make the cluster write.
type Refusals struct {
	journal *Journal
	log     *slog.Logger

	mu     sync.Mutex // guards the rest
	counts map[string]uint64
}

// Bounds of what strangers can have written.
const (
	refusedFile      = 2 << 20
	refusedMost      = 16 << 20
	refusedAddresses = 1000 // in a second; the rest are counted together, under "others"
)

// OpenRefusals opens the journal in dir for counting.
func OpenRefusals(dir string, opt Options) (*Refusals, error) {
	opt.File, opt.Most = refusedFile, refusedMost
	j, err := Open(dir, opt)
	if err != nil {
		return nil, err
	}
	return &Refusals{journal: j, log: j.opt.Log, counts: map[string]uint64{}}, nil
}

// Journal is where the counts go.
func (r *Refusals) Journal() *Journal { return r.journal }

// Add counts one.
func (r *Refusals) Add(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.counts[address]; !known && len(r.counts) >= refusedAddresses {
		address = "others"
	}
	r.counts[address]++
}

// Run writes the counts every second, until ctx ends. What it cannot write it counts on.
func (r *Refusals) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- r.journal.Run(ctx) }()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.Flush()
		case <-ctx.Done():
			r.Flush()
			return <-done
		}
	}
}

// Flush writes what was counted since the last time.
func (r *Refusals) Flush() {
	r.mu.Lock()
	counts := r.counts
	r.counts = map[string]uint64{}
	r.mu.Unlock()
	if len(counts) == 0 {
		return
	}
	records := make([]Record, 0, len(counts))
	for _, a := range slices.Sorted(maps.Keys(counts)) {
		records = append(records, Record{Op: OpRefused, Address: Escaped(a, 64), Count: counts[a], Outcome: "unauthenticated"})
	}
	err := r.journal.Append(records...)
	if err == nil {
		r.journal.Trim()
		return
	}
	r.log.Warn("refusals of unknown callers are not on record yet", "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for a, n := range counts {
		if _, known := r.counts[a]; !known && len(r.counts) >= refusedAddresses {
			a = "others"
		}
		r.counts[a] += n
	}
}

// Close ends the journal. Run has ended by then.
func (r *Refusals) Close() error { return r.journal.Close() }
