package cluster_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
)

// heard counts the lines of a log that begin so.
type heard struct {
	slog.Handler
	line string
	n    atomic.Int64
}

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, h.line) {
		h.n.Add(1)
	}
	return nil
}

// TestADeadLeaderIsSucceededAtOnce: a node stands for election because the leader's process has ended, not because a timeout has.
func TestADeadLeaderIsSucceededAtOnce(t *testing.T) {
	t.Parallel()
	stood := &heard{line: "the leader's process has ended"}
	failed := &heard{line: "the election waits for its timeout"}
	f := foundWith(t, func(c *cluster.Config) { c.Log = slog.New(both{stood, failed}) })
	f.agrees(1)
	f.lead("n1")
	require.Zero(t, stood.n.Load(), "not while it is well")

	n1 := f.nodes["n1"]
	delete(f.nodes, "n1")
	_ = n1.Abandon() // what is inside is cut off, as by kill -9
	next := f.leader()
	require.Positive(t, stood.n.Load())
	require.Zero(t, failed.n.Load())
	require.Contains(t, []string{"n2", "n3"}, next)
	n1.stop()
	<-n1.done
}

type both [2]*heard

func (b both) Enabled(context.Context, slog.Level) bool { return true }
func (b both) Handle(ctx context.Context, r slog.Record) error {
	_ = b[0].Handle(ctx, r)
	return b[1].Handle(ctx, r)
}
func (b both) WithAttrs([]slog.Attr) slog.Handler { return b }
func (b both) WithGroup(string) slog.Handler      { return b }
