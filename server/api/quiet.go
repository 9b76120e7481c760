package api

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet counts refusals of callers who are not known, for one line a second: a line for each would let anybody fill the log.
type quiet struct {
	mu      sync.Mutex // guards the rest
	said    time.Time  // when the last line was written
	refused int        // since then
	example string     // an address of these
}

// add counts one.
func (q *quiet) add(address string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused, q.example = q.refused+1, address
}

// say writes the line if there is something to say and the last one was a second ago. Every request asks, whoever it is from: the end
// of a flood is told with the next of them, a health check at the latest.
func (q *quiet) say(ctx context.Context, log *slog.Logger, now time.Time) {
	q.mu.Lock()
	n, address := q.refused, q.example
	if n == 0 || now.Sub(q.said) < time.Second {
		q.mu.Unlock()
		return
	}
	q.said, q.refused = now, 0
	q.mu.Unlock()
	log.LogAttrs(ctx, slog.LevelInfo, "unauthenticated requests refused", slog.Int("count", n), slog.String("address", address))
}
