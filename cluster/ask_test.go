package cluster_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestMembersAskEachOtherByName(t *testing.T) {
	hang := make(chan struct{})
	f := foundWith(t, func(c *cluster.Config) {
		self := c.Self.Cluster
		c.Answer = func(_ context.Context, peer, name string, body []byte) ([]byte, error) {
			switch name {
			case "test.hang":
				<-hang
			case "test.echo":
			default:
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
	require.True(t, fault.Is(err, fault.NotDone), "nobody was asked: %v", err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = n1.Ask(ctx, "n2", "test.hang", nil)
	require.True(t, fault.Is(err, fault.Unknown), "it was asked, and may have done it: %v", err)
	close(hang)
}
