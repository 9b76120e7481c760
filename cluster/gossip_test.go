package cluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestTheGossipKeyRotates makes new keys while three nodes gossip: they go on seeing each other, and so does one that was away meanwhile and
// finds only the newest key.
func TestTheGossipKeyRotates(t *testing.T) {
	t.Parallel()
	f := foundWith(t, func(c *cluster.Config) {
		c.Gossip = freeAddress(t)
		c.Self.Gossip = c.Gossip
	})
	f.gossips(3, 1)
	f.lead("n1")
	rotate := func(n byte) (uint64, error) {
		return f.nodes[f.leader()].RotateGossip(t.Context(), fsm.Request{ID: fsm.UID{n}, Tenant: fsm.RootTenant})
	}
	version, err := rotate(40)
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	_, err = rotate(41)
	require.True(t, fault.Is(err, fault.Conflict), "one at a time: %v", err)
	f.gossips(3, 2)

	f.stop("n3")
	f.eventually("the first rotation ended", func() bool {
		version, err = rotate(42)
		return err == nil
	})
	require.EqualValues(t, 3, version)
	f.eventually("both write with the third", func() bool {
		return f.nodes["n1"].Status().GossipUses == 3 && f.nodes["n2"].Status().GossipUses == 3
	})
	f.eventually("the second rotation ended", func() bool {
		_, err = rotate(43)
		return err == nil
	})
	identity, err := cluster.LoadIdentity(f.configs["n3"].Dir)
	require.NoError(t, err)
	f.start(f.configs["n3"], identity, false)
	f.gossips(3, 4)
}

// gossips waits until every node sees so many in gossip and writes with a key.
func (f *fixture) gossips(members int, key uint64) {
	f.t.Helper()
	f.eventually("gossip", func() bool {
		for _, n := range f.nodes {
			if n.GossipMembers() != members || n.Status().GossipUses != key || n.Status().GossipHas != key {
				return false
			}
		}
		return true
	})
}
