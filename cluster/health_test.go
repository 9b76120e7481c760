package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
)

// TestDeadMembersAreRemoved stops two of four voters one after the other: the first is removed, the second not, as without it two would
// be left.
func TestDeadMembersAreRemoved(t *testing.T) {
	f := foundWith(t, func(c *cluster.Config) { c.DeadAfter = 4 * time.Second })
	n1 := f.nodes["n1"]
	f.join(n1, "n4")
	f.eventually("four are well", func() bool {
		voters, well, tolerance := n1.Tolerance()
		return voters == 4 && well == 4 && tolerance == 1
	})
	for _, id := range []string{"n4", "n2"} {
		n := f.nodes[id]
		delete(f.nodes, id)
		n.stop()
		require.NoError(t, <-n.done)
		if id == "n4" {
			f.eventually("n4 removed", func() bool { return !f.isMember("n4") })
			f.eventually("three are well", func() bool { voters, well, _ := n1.Tolerance(); return voters == 3 && well == 3 })
			require.EqualValues(t, 1, n1.Figures().Deeds.Buried)
		}
	}
	f.eventually("n2 silent for long", func() bool { return n1.HealthOf("n2").LastContact > 3*f.configs["n1"].DeadAfter })
	require.True(t, f.isMember("n2"), "without it two voters would be left")
	require.Contains(t, n1.HealthOf("n2").Problem, "has not answered")
	require.Empty(t, n1.HealthOf("n3").Problem)
	require.WithinDuration(t, time.Now(), n1.HealthOf("n3").StableSince, time.Minute)
	_, well, tolerance := n1.Tolerance()
	require.Equal(t, 2, well)
	require.Zero(t, tolerance)
}

func (f *fixture) isMember(id string) bool {
	v, err := f.nodes["n1"].Store().View()
	require.NoError(f.t, err)
	defer v.Close()
	all, err := cluster.Members(v)
	require.NoError(f.t, err)
	for _, m := range all {
		if m.ID == id {
			return true
		}
	}
	return false
}
