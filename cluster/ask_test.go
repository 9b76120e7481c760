package cluster_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestMembersAskEachOtherByName(t *testing.T) {
	f := foundWith(t, func(c *cluster.Config) {
		self := c.Self.Cluster
		c.Answer = func(_ context.Context, peer, name string, body []byte) ([]byte, error) {
			if name != "test.echo" {
				return nil, fault.New(fault.NotFound, "no %s here", name)
			}
			return []byte(peer + " said " + string(body) + " to " + self), nil
		}
	})
	n1 := f.nodes["n1"]
	for _, id := range []string{"n1", "n2"} {
		out, err := n1.Ask(t.Context(), id, "test.echo", []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "n1 said hello to "+f.configs[id].Self.Cluster, string(out))
		_, err = n1.Ask(t.Context(), id, "test.other", nil)
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	}
	_, err := n1.Ask(t.Context(), "n9", "test.echo", nil)
	require.True(t, fault.Is(err, fault.NotDone), "%v", err)
}
