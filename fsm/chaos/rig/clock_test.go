package rig

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAJumpShowsInTheWallAndNotInDifferences(t *testing.T) {
	for _, by := range []time.Duration{0, 1, time.Nanosecond * 999_999_999, time.Hour, 20 * 365 * 24 * time.Hour, -1, -time.Hour, -29 * 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			before := time.Now()
			after := moved(before, by)
			require.Equal(t, by, after.Round(0).Sub(before.Round(0)), "the wall")
			require.Equal(t, before.UnixNano()+int64(by), after.UnixNano())
			require.Zero(t, after.Sub(before), "the monotonic reading")
			require.Equal(t, before.Location(), after.Location())
			require.Contains(t, after.String(), "m=+", "it has one")
		})
	}
	bare := time.Unix(1, 0)
	require.Equal(t, bare.Add(time.Hour), moved(bare, time.Hour), "without a monotonic reading")
	far := moved(time.Now(), 200*365*24*time.Hour)
	require.NotContains(t, far.String(), "m=", "further than package time keeps one")
}

// off is how far the clock is from the machine's.
func (c *clock) away() time.Duration {
	_, off, _ := c.read()
	return off
}

func TestAClockRunsAsFastAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		begin := time.Now()
		time.Sleep(time.Minute)
		require.Equal(t, begin.Add(time.Minute), c.now())
		require.NoError(t, c.run(0))
		frozen := c.now().Round(0)
		time.Sleep(time.Minute)
		require.Equal(t, frozen, c.now().Round(0))
		require.Equal(t, -time.Minute, c.away())
		require.NoError(t, c.run(3))
		time.Sleep(time.Minute)
		require.Equal(t, time.Minute, c.away())
		require.NoError(t, c.jump(-time.Hour))
		require.Equal(t, -59*time.Minute, c.away())
		require.NoError(t, c.run(0.5))
		time.Sleep(time.Minute)
		require.Equal(t, -59*time.Minute-30*time.Second, c.away())
		c.reset()
		require.Zero(t, c.away())
		require.Equal(t, time.Now(), c.now())
	})
}

func TestAClockIsNotTurnedOutOfReason(t *testing.T) {
	var c clock
	for _, by := range []time.Duration{mostJump + 1, -mostJump - 1, 1<<63 - 1, -1 << 63} {
		require.Error(t, c.jump(by), by)
	}
	require.NoError(t, c.jump(mostJump))
	require.Error(t, c.jump(mostJump))
	require.Equal(t, mostJump, c.away())
	require.Error(t, c.run(-0.1))
	require.Error(t, c.run(1e9))
}
