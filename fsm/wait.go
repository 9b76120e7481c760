package fsm

import (
	"context"
	"sync"
)

type waiter struct {
	index uint64
	ready chan struct{}
}

// Applied returns the index of the last entry that the tables hold. Unlike raft's, it counts what is applied, not what is
// queued; commands and configurations advance it.
func (s *Store) Applied() uint64 { return s.applied.Load() }

// Began returns the latest term whose opening entry has been applied.
func (s *Store) Began() uint64 { return s.began.Load() }

// Applying returns the number of the step that is under way, 0 for none: for a watchdog, which asks whether it is always the same.
func (s *Store) Applying() uint64 {
	if n := s.stepsBegun.Load(); n != s.stepsEnded.Load() {
		return n
	}
	return 0
}

// Wait returns when index has been applied, with ctx's error when that ends first, and with the failure when the
// state machine has stopped.
func (s *Store) Wait(ctx context.Context, index uint64) error {
	if s.applied.Load() >= index {
		return nil
	}
	w := waiter{index, make(chan struct{})}
	s.mu.Lock()
	s.waiters = append(s.waiters, w)
	s.mu.Unlock()
	if s.applied.Load() >= index { // it may have passed between the check and the append
		s.wake()
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		s.forget(w.ready)
		return context.Cause(ctx)
	case <-s.failure.done:
		return s.failure.err
	}
}

func (s *Store) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	applied, kept := s.applied.Load(), s.waiters[:0]
	for _, w := range s.waiters {
		if w.index <= applied {
			close(w.ready)
		} else {
			kept = append(kept, w)
		}
	}
	clear(s.waiters[len(kept):])
	s.waiters = kept
}

func (s *Store) forget(ready chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.waiters {
		if w.ready == ready {
			s.waiters = append(s.waiters[:i], s.waiters[i+1:]...)
			return
		}
	}
}

// failure is set once, when the state machine cannot go on.
type failure struct {
	once *sync.Once
	done chan struct{}
	err  error
}

func newFailure() failure { return failure{once: new(sync.Once), done: make(chan struct{})} }

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.done)
	})
}

// Failed is closed when an entry could not be applied: the node must stop.
func (s *Store) Failed() <-chan struct{} { return s.failure.done }

// Err returns why, after Failed.
func (s *Store) Err() error { return s.failure.err }
