package outbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func owedAt(tenant fsm.UID, seq uint64, destination, lane string) fsm.Owed {
	return fsm.Owed{Seq: seq, Tenant: tenant, Message: fsm.Message{Kind: "mail", Destination: destination, Lane: lane}}
}

// TestATrippedDestinationIsTriedByOneCall, after a pause, until it answers.
func TestATrippedDestinationIsTriedByOneCall(t *testing.T) {
	p := DefaultPolicy
	s, now := newSchedule(p), time.Now()
	for i := range 100 {
		s.add(owedAt(acme, uint64(i), "down", fmt.Sprint(i)))
	}
	calls := s.start(now)
	require.Len(t, calls, p.PerDestination)
	require.Empty(t, s.start(now), "no more at a time")
	for _, c := range calls {
		s.finish(tried{c, Failed}, now)
	}
	require.Empty(t, s.start(now), "it is left alone")
	now = now.Add(p.Most)
	calls = s.start(now)
	require.Len(t, calls, 1)
	s.finish(tried{calls[0], Failed}, now)
	require.Empty(t, s.start(now))
	now = now.Add(p.Most)
	calls = s.start(now)
	require.Len(t, calls, 1)
	s.finish(tried{calls[0], Arrived}, now)
	require.Len(t, s.start(now), p.PerDestination, "it answers")
}

// TestATenantDoesNotTakeAllTheCalls, nor does one destination whose turn comes first.
func TestATenantDoesNotTakeAllTheCalls(t *testing.T) {
	p := DefaultPolicy
	p.Calls, p.PerTenant, p.PerDestination = 6, 4, 3
	s, now := newSchedule(p), time.Now()
	for i := range 100 {
		s.add(owedAt(acme, uint64(i), fmt.Sprint(i%5), fmt.Sprint(i)))
	}
	s.add(owedAt(umbra, 1000, "0", "x"))
	by := map[fsm.UID]int{}
	for _, c := range s.start(now) {
		by[c.key.tenant]++
	}
	require.Equal(t, map[fsm.UID]int{acme: 4, umbra: 1}, by)
}

// TestEverythingIsTriedOnceAndForgotten plays a hundred thousand lanes.
func TestEverythingIsTriedOnceAndForgotten(t *testing.T) {
	s, now := newSchedule(DefaultPolicy), time.Now()
	const all = 100_000
	for i := range all {
		s.add(owedAt(acme, uint64(i), fmt.Sprint(i%7), fmt.Sprint(i)))
	}
	tries := map[Place]int{}
	for len(s.all) > 0 {
		calls := s.start(now)
		require.NotEmpty(t, calls)
		for _, c := range calls {
			tries[c.at]++
			s.finish(tried{c, Arrived}, now)
		}
	}
	require.Len(t, tries, all)
	require.Zero(t, s.running)
	require.Empty(t, s.order)
	require.Empty(t, s.tenants)
}
