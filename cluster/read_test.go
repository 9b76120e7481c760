package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestANodeThatCannotServeYetDoesNotWaitForTheBeat(t *testing.T) {
	require.Equal(t, eager, untilAsked((&freshness{}).age(), 0), "it has just started")
	require.Equal(t, eager, untilAsked(MaxAge+1, indexTime), "it was cut off")
	require.Equal(t, beat, untilAsked(MaxAge, 0))
	require.Equal(t, beat-time.Millisecond, untilAsked(0, time.Millisecond))
	require.Equal(t, eager, untilAsked(time.Second, indexTime), "the leader answers slowly")
}
