package cluster_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestTablesThatDifferArePutInQuarantine lets a defect change one node's tables, the leader's at that: it hands leadership over and serves
// nobody, the others do not mind.
func TestTablesThatDifferArePutInQuarantine(t *testing.T) {
	f := found(t)
	n3 := f.nodes["n3"]
	_, err := f.nodes["n1"].Transfer(t.Context(), "n3")
	require.NoError(t, err)
	f.eventually("n3 leads", n3.Leads)

	f.eventually("n2 asks for a comparison", func() bool { return f.nodes["n2"].CompareTables(t.Context()) == nil })
	f.eventually("all have compared", func() bool {
		for _, n := range f.nodes {
			if len(n.Status().Digests) == 0 || n.Fit() != nil {
				return false
			}
		}
		return true
	})

	f.commit(n3, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"differs", 1}} })
	f.eventually("n2 asks for a comparison", func() bool { return f.nodes["n2"].CompareTables(t.Context()) == nil })
	f.eventually("n3 in quarantine", func() bool { return n3.Fit() != nil })
	require.ErrorContains(t, n3.Fit(), "quarantined: its tables differ from the majority's at index")
	f.eventually("another leads", func() bool { return f.nodes["n1"].Leads() || f.nodes["n2"].Leads() })
	for _, level := range []cluster.Level{cluster.Linearizable, cluster.Session, cluster.Stale} {
		err = n3.Await(t.Context(), level, cluster.MaxAge, 0)
		require.True(t, fault.Is(err, fault.NotDone) && strings.Contains(err.Error(), "quarantined"), "%s: %v", level, err)
	}
	leader := f.nodes["n1"]
	if f.nodes["n2"].Leads() {
		leader = f.nodes["n2"]
	}
	f.commit(leader, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"a", 7}} })
	require.NoError(t, leader.Await(t.Context(), cluster.Linearizable, 0, 0))
	_, err = leader.Transfer(t.Context(), "n3")
	require.True(t, fault.Is(err, fault.Conflict), "leadership goes to no node in quarantine: %v", err)
}

// TestNodesThatStartTogetherShareAMark, so that each reads its state once.
func TestNodesThatStartTogetherShareAMark(t *testing.T) {
	f := alone(t)
	n := f.nodes["n1"]
	f.eventually("the version is agreed", func() bool { return n.Status().Agreed >= 2 })
	first, err := n.MarkFor(t.Context(), n.Store().Applied())
	require.NoError(t, err)
	shared, err := n.MarkFor(t.Context(), first-1)
	require.NoError(t, err)
	require.Equal(t, first, shared, "it will apply that one")
	next, err := n.MarkFor(t.Context(), first)
	require.NoError(t, err)
	require.Greater(t, next, first, "it has passed that one")
}
