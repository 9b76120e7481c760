package nemesis

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/network"
)

func members(n int) (all []*lab.Node) {
	for i := range n {
		all = append(all, &lab.Node{ID: fmt.Sprintf("n%d", i+1)})
	}
	return all
}

// reach is who hears whom, itself included.
func reach(all []*lab.Node, rules []network.Rule) map[string][]string {
	out := map[string][]string{}
	for _, from := range all {
		for _, to := range all {
			cut := slices.ContainsFunc(rules, func(r network.Rule) bool { return r.From == from.ID && r.To == to.ID && r.Drop })
			if !cut {
				out[from.ID] = append(out[from.ID], to.ID)
			}
		}
	}
	return out
}

func TestARingLeavesEveryNodeAMajorityAndNoTwoTheSame(t *testing.T) {
	for _, n := range []int{4, 5, 7} {
		all := members(n)
		_, rules, err := ring(all)
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, heard := range reach(all, rules) {
			require.Greater(t, len(heard), n/2, "of %d", n)
			require.Less(t, len(heard), n, "of %d", n)
			slices.Sort(heard)
			require.False(t, seen[fmt.Sprint(heard)], "%v twice", heard)
			seen[fmt.Sprint(heard)] = true
		}
	}
}

func TestABridgeIsTheOnlyOneThatReachesAll(t *testing.T) {
	for _, n := range []int{3, 5} {
		all := members(n)
		targets, rules, err := bridge(all)
		require.NoError(t, err)
		for id, heard := range reach(all, rules) {
			require.Equal(t, id == targets[0].ID, len(heard) == n, "%s of %d hears %v", id, n, heard)
		}
	}
}

func TestGroupsDoNotReachEachOther(t *testing.T) {
	all := members(5)
	heard := reach(all, between("", all[:2], all[2:]))
	require.Equal(t, []string{"n1", "n2"}, heard["n1"])
	require.Equal(t, []string{"n3", "n4", "n5"}, heard["n4"])
	require.Len(t, reach(all, oneWay("", all[:1], all[1:]))["n2"], 5, "the other way is open")
}
