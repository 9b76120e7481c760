package admit_test

import (
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

func TestQueueLetsSomeWaitAMomentAndRefusesTheRestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := admit.NewQueue("tests", 1, 1)
		first, err := q.Enter(t.Context())
		require.NoError(t, err)
		entered := make(chan *admit.Place, 1)
		go func() {
			p, err := q.Enter(t.Context())
			require.NoError(t, err)
			entered <- p
		}()
		synctest.Wait()
		refused(t, q, 0)
		first.Leave()
		second := <-entered
		refused(t, q, time.Second)
		second.Leave()
		_, err = q.Enter(t.Context())
		require.NoError(t, err)
	})
}

// refused asserts that there is no place for one more, and how long it takes to say so.
func refused(t *testing.T, q *admit.Queue, after time.Duration) {
	t.Helper()
	start := time.Now()
	_, err := q.Enter(t.Context())
	require.True(t, fault.Is(err, fault.NotDone))
	require.Equal(t, after, time.Since(start))
}

func TestOneOwnerLeavesAQuarterOfTheQueueToOthers(t *testing.T) {
	q := admit.NewQueue("tests", 4, 0)
	var held []*admit.Place
	enter := func(owner string) error {
		p, err := q.Enter(t.Context())
		require.NoError(t, err)
		if err = p.Charge(owner); err != nil {
			p.Leave()
			return err
		}
		require.NoError(t, p.Charge(owner), "a place is counted once")
		held = append(held, p)
		return nil
	}
	for range 3 {
		require.NoError(t, enter("flood"))
	}
	require.True(t, fault.Is(enter("flood"), fault.NotDone))
	require.NoError(t, enter("other"))
	for _, p := range held {
		p.Leave()
	}
	for range 3 {
		require.NoError(t, enter("flood"), "what was left is free again")
	}
	one, err := admit.NewQueue("tests", 1, 0).Enter(t.Context())
	require.NoError(t, err)
	require.NoError(t, one.Charge("any"), "of one place the share is one")
}

func TestBytesAreBoundedInAllAndForEach(t *testing.T) {
	b := admit.NewBytes("tests", 100, 60)
	require.NoError(t, b.Take("a", 60))
	require.True(t, fault.Is(b.Take("a", 1), fault.NotDone))
	require.NoError(t, b.Take("b", 40))
	require.True(t, fault.Is(b.Take("c", 1), fault.NotDone))
	b.Give("a", 60)
	require.NoError(t, b.Take("c", 60))
}
