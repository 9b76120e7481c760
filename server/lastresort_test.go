package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// breakable stands for a store.
type breakable struct{ failed chan struct{} }

func (b breakable) Failed() <-chan struct{} { return b.failed }
func (breakable) Err() error                { return errors.New("no space left on device") }

// TestANodeWithBrokenTablesIsEnded, whether or not it was told to stop: its parts may wait for the tables for ever.
func TestANodeWithBrokenTablesIsEnded(t *testing.T) {
	b, exited, log := breakable{make(chan struct{})}, make(chan int, 1), &bytes.Buffer{}
	ended := lastResort(t.Context(), b, slog.New(slog.NewTextHandler(log, nil)), func(code int) { exited <- code })
	defer ended()
	close(b.failed)
	require.Equal(t, 1, <-exited)
	require.Contains(t, log.String(), "no space left on device")
}

func TestAMemberThatEndsInOrderIsLeftAlone(t *testing.T) {
	for name, prepare := range map[string]func(breakable, context.CancelCauseFunc){
		"told to":       func(_ breakable, stop context.CancelCauseFunc) { stop(nil) },
		"by itself":     func(breakable, context.CancelCauseFunc) {},
		"broken tables": func(b breakable, _ context.CancelCauseFunc) { close(b.failed) },
	} {
		t.Run(name, func(t *testing.T) {
			stopping, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			b, done := breakable{make(chan struct{})}, make(chan struct{})
			prepare(b, stop)
			close(done)
			require.NoError(t, outlasted(stopping, b, done))
		})
	}
}
