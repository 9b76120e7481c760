package sdk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRouteAsksEveryNodeBeforeItPauses(t *testing.T) {
	n := &nodes{addresses: []string{"a", "b", "c"}}
	r, now, order := n.route(), time.Unix(1000, 0), ""
	for i := range 6 {
		order += r.address()
		pause := r.failed(now, &Error{Kind: NotDone})
		if i%3 == 2 {
			require.GreaterOrEqual(t, pause, firstGap/2, "a round is over")
		} else {
			require.Less(t, pause, hop)
		}
	}
	require.Equal(t, "abcabc", order)
	r.answered()
	require.Equal(t, "a", n.route().address())
}

func TestRouteFollowsRetryAfterPerNode(t *testing.T) {
	r, now := (&nodes{addresses: []string{"a", "b"}}).route(), time.Unix(1000, 0)
	require.Less(t, r.failed(now, &Error{retryAfter: 3 * time.Second}), hop, "b did not ask for a pause")
	require.Equal(t, "b", r.address())
	require.Equal(t, time.Second, r.failed(now, &Error{retryAfter: time.Second}), "b may be asked sooner than a")
	require.Equal(t, "b", r.address())
}

// TestRoutePrefersNobodyWhoseTimeHasCome: a node whose answer was unknown once is asked again in its turn, though another has never been.
func TestRoutePrefersNobodyWhoseTimeHasCome(t *testing.T) {
	r, now, order := (&nodes{addresses: []string{"a", "b", "c"}}).route(), time.Unix(1000, 0), ""
	for i := range 9 {
		order += r.address()
		kind := OutcomeUnknown
		if r.address() == "b" || i > 2 {
			kind = NotDone
		}
		now = now.Add(r.failed(now, &Error{Kind: kind}))
	}
	require.Equal(t, "abcabcabc", order)
}

func TestRoutePausesAreBounded(t *testing.T) {
	r, now := (&nodes{addresses: []string{"a"}}).route(), time.Unix(1000, 0)
	for range 100 {
		require.LessOrEqual(t, r.failed(now, &Error{}), lastGap)
	}
}

func TestRouteIsLostOnlyWhenAllNodesAre(t *testing.T) {
	r, now := (&nodes{addresses: []string{"a", "b"}}).route(), time.Unix(1000, 0)
	r.failed(now, &Error{hopeless: true})
	require.False(t, r.lost())
	r.failed(now, &Error{})
	r.failed(now, &Error{hopeless: true})
	require.False(t, r.lost())
	r.failed(now, &Error{hopeless: true})
	require.True(t, r.lost())
}
