package server

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// How long a member that has been told to stop may take to end in order. One whose tables cannot be written any more ends at once: what is waiting for them may
// never be told, and another node does better. A start after either is one after a crash, which loses nothing.
const (
	endInOrder = 20 * time.Second
	endBroken  = time.Second
)

// tables are a store as far as it can break; *fsm.Store is one.
type tables interface {
	Failed() <-chan struct{}
	Err() error // why, once Failed is closed
}

// lastResort ends the process when the member does not end in its time by itself. The returned function is called when it has ended.
func lastResort(stopping context.Context, t tables, log *slog.Logger, exit func(code int)) (ended func()) {
	done := make(chan struct{})
	go func() {
		if err := outlasted(stopping, t, done); err != nil {
			log.Error("the node does not end by itself: the process is ended, as a crash would", "err", err)
			exit(1)
		}
	}()
	return func() { close(done) }
}

// outlasted waits for the end, and returns why there should be one when it takes longer than it may.
func outlasted(stopping context.Context, t tables, done <-chan struct{}) error {
	told := stopping.Done()
	var late <-chan time.Time
	for {
		select {
		case <-done:
			return nil
		case <-told:
			told, late = nil, time.After(endInOrder)
		case <-late:
			return errors.Join(errors.New("it was told to stop"), context.Cause(stopping))
		case <-t.Failed():
			select {
			case <-done:
				return nil
			case <-time.After(endBroken):
				return t.Err()
			}
		}
	}
}
