package transit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoMessageIsAllowedTwice(t *testing.T) {
	a, reserved, taken := newAllowance(), atomic.Uint64{}, atomic.Uint64{}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range uint64(400) {
				n := 1 + i%1000
				if err := a.take(t.Context(), place{version: i % 2}, n, func(context.Context) error {
					reserved.Add(block)
					return nil
				}); err != nil {
					t.Error(err)
				}
				taken.Add(n)
			}
		})
	}
	all.Wait()
	require.Equal(t, reserved.Load(), taken.Load()+a.left[place{version: 0}]+a.left[place{version: 1}])
	require.Less(t, reserved.Load(), taken.Load()+4*block, "one asks, the others wait for it")
}

func TestAReservationThatFailsAllowsNothing(t *testing.T) {
	a, bad := newAllowance(), errors.New("no leader")
	require.ErrorIs(t, a.take(t.Context(), place{}, 1, func(context.Context) error { return bad }), bad)
	require.Zero(t, a.left[place{}])
	require.NoError(t, a.take(t.Context(), place{}, 1, func(context.Context) error { return nil }), "the next one asks again")
	a.forget(func(place) bool { return true })
	require.ErrorIs(t, a.take(t.Context(), place{}, 1, func(context.Context) error { return bad }), bad)
}

func TestWhoWaitsForAnothersReservationStopsWithItsRequest(t *testing.T) {
	a, asked, answer := newAllowance(), make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- a.take(context.Background(), place{}, 1, func(context.Context) error {
			close(asked)
			<-answer
			return nil
		})
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, a.take(ctx, place{}, 1, nil), context.Canceled)
	close(answer)
	require.NoError(t, <-done)
}
