package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// pace is how often a condition is looked at: well below what is measured, and cheap beside it.
const pace = 2 * time.Millisecond

// eventually asks until ok returns nil, within patience; what it says last is the error.
func eventually(ctx context.Context, what string, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := time.NewTicker(pace)
	defer t.Stop()
	for {
		one, stop := context.WithTimeout(ctx, patience/3)
		err := ok(one)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, errors.Join(context.Cause(ctx), err))
		}
	}
}

// pause lets d pass, less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// parallel calls do for 0 to n-1 from some goroutines and returns the first error, after which no call begins.
func parallel(goroutines, n int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(goroutines, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
