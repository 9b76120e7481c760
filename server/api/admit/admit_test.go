package admit_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
)

func TestRateRefusesTheFastAndSparesTheOthers(t *testing.T) {
	r, at := admit.NewRate(3), time.Unix(100, 0)
	for range 3 {
		require.NoError(t, r.Allow("a", at))
	}
	err := r.Allow("a", at)
	require.True(t, fault.Is(err, fault.RateLimited))
	require.NoError(t, r.Allow("b", at))
	require.NoError(t, r.Allow("a", at.Add(time.Second)))
	require.NoError(t, admit.NewRate(0).Allow("a", at))
}

func TestRateForgetsUnderAFloodButNotAtOnce(t *testing.T) {
	r, at := admit.NewRate(1), time.Unix(100, 0)
	require.NoError(t, r.Allow("a", at))
	for i := range 20000 {
		require.NoError(t, r.Allow(fmt.Sprint(i), at))
	}
	require.Error(t, r.Allow("a", at), "the generation before is still known")
}

func TestQueueLetsSomeWaitAndRefusesTheRestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admit.NewQueue("tests", 1, 1)
		require.NoError(t, q.Enter(t.Context()))
		entered := make(chan error, 1)
		go func() { entered <- q.Enter(t.Context()) }()
		synctest.Wait()
		require.True(t, fault.Is(q.Enter(t.Context()), fault.NotDone), "the waiting room is full")
		q.Leave()
		require.NoError(t, <-entered)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.True(t, fault.Is(q.Enter(ctx), fault.NotDone), "the wait has an end")
		q.Leave()
		require.NoError(t, q.Enter(t.Context()))
	})
}
