package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func TestAFloodOfOneTenantLeavesRoomForOthers(t *testing.T) {
	var s shares
	flood := func() *proposal { return &proposal{tenant: fsm.UID{1}, raw: make([]byte, 1<<20)} }
	var taken []*proposal
	for p := flood(); s.take(p); p = flood() {
		taken = append(taken, p)
	}
	require.Len(t, taken, 48, "three quarters of 64 MiB")
	other := &proposal{tenant: fsm.UID{2}, raw: make([]byte, 1<<20)}
	require.True(t, s.take(other))
	for range queueEntries / 2 {
		require.True(t, s.take(&proposal{tenant: fsm.UID{3}, raw: []byte{1}}))
	}
	for range queueEntries / 2 {
		s.give(&proposal{tenant: fsm.UID{3}, raw: []byte{1}})
	}

	for _, p := range append(taken, other) {
		s.give(p)
	}
	require.Zero(t, s.bytes)
	require.Empty(t, s.held)
	for range int(tenantShare * queueEntries) {
		require.True(t, s.take(&proposal{tenant: fsm.UID{1}}))
	}
	require.False(t, s.take(&proposal{tenant: fsm.UID{1}}), "entries count too, however small")
}
