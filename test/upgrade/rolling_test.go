package upgrade

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// TestARollingUpgrade exchanges the binaries of a cluster of the previous version node by node while it serves. Only when all have the
// present one does the cluster's version rise, and from then on the previous one is refused.
func TestARollingUpgrade(t *testing.T) {
	previous, present := harness.Build(t, "previous"), harness.Binary(t)
	c := harness.Start(t, harness.Options{Binary: previous})
	agreedOn(c, cluster.Version-1)
	load := startLoad(t, c)
	for i, n := range append(followers(c), c.Leader()) {
		n.Stop()
		n.Binary = present
		n.Start()
		c.Ready(n)
		load.goesOn(c)
		if i < 2 {
			requireVersions(t, c, cluster.Version-1)
			requireNotYet(t, c)
		}
	}
	agreedOn(c, cluster.Version)
	load.end(t)
	_, err := c.Client().RotateGossip(t.Context())
	require.NoError(t, err)

	back := c.Follower()
	back.Stop()
	back.Binary = previous
	back.Start()
	back.Ended()
	require.Contains(t, back.Log(), fmt.Sprintf("the cluster is at version %d, this binary reads up to %d: start a newer binary", cluster.Version, cluster.Version-1))
	back.Binary = present
	back.Start()
	c.Ready(back)

	old := c.Add()
	token, err := c.Client().CreateJoinToken(t.Context(), old.ID)
	require.NoError(t, err)
	old.Start("TRSTCTL_JOIN_TOKEN=" + string(token.Secret))
	old.Ended()
	require.Contains(t, old.Log(), "upgrade it first")
	c.Check()
}

func followers(c *harness.Cluster) (out []*harness.Node) {
	leader := c.Leader()
	for _, n := range c.Nodes {
		if n != leader {
			out = append(out, n)
		}
	}
	return out
}

// agreedOn waits until every node says that the cluster is at a version.
func agreedOn(c *harness.Cluster, version uint32) {
	for _, n := range c.Nodes {
		c.Eventually(fmt.Sprintf("version %d at %s", version, n.ID), func(ctx context.Context) error {
			s, err := c.ClientOf(n).Status(ctx)
			if err == nil && s.ClusterVersion != version {
				err = fmt.Errorf("it is at %d", s.ClusterVersion)
			}
			return err
		})
	}
}

func requireVersions(t *testing.T, c *harness.Cluster, version uint32) {
	for _, n := range c.Nodes {
		s, err := c.ClientOf(n).Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, version, s.ClusterVersion, "%s, which reads %d", n.ID, s.ReadableVersion)
	}
}

// requireNotYet asks for something that the previous version may not know: it is not done while a node runs that.
func requireNotYet(t *testing.T, c *harness.Cluster) {
	if (cluster.GossipKeyMade{}).Since() < cluster.Version {
		return // it has become old
	}
	c.Eventually("a refusal", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a busy machine may not answer in time: again
		defer cancel()
		_, err := c.Client().RotateGossip(ctx)
		require.Error(t, err, "it was done")
		if !strings.Contains(err.Error(), fmt.Sprintf("needs version %d of the cluster", cluster.Version)) {
			return err
		}
		return nil
	})
}

// load writes and reads one secret through all nodes for as long as it runs, and fails the test at the first refusal.
type load struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex // guards the rest
	written uint64
	err     error
}

func startLoad(t *testing.T, c *harness.Cluster) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	client := c.Client()
	t.Cleanup(func() { stop(); l.done.Wait() })
	l.done.Go(func() {
		for ctx.Err() == nil && l.once(client) {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return l
}

func (l *load) once(client *sdk.Client) bool {
	ctx := context.Background() // a call that has begun is finished: the client's own deadline is its end
	w, err := client.Put(ctx, sdk.Item{Path: "load", Value: []byte("x")})
	if err == nil {
		var v sdk.Value
		if v, err = client.Get(ctx, "load", sdk.GetOptions{}); err == nil && v.Version != w.Version {
			err = fmt.Errorf("version %d was read after %d was written", v.Version, w.Version)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && w.Version != l.written+1 {
		err = fmt.Errorf("version %d was written after %d", w.Version, l.written)
	}
	l.written, l.err = w.Version, err
	return err == nil
}

// goesOn waits for ten more writes.
func (l *load) goesOn(c *harness.Cluster) {
	from, _ := l.state()
	c.Eventually("ten more writes", func(context.Context) error {
		now, err := l.state()
		if err == nil && now < from+10 {
			err = fmt.Errorf("%d are written", now-from)
		}
		return err
	})
}

func (l *load) state() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written, l.err
}

func (l *load) end(t *testing.T) {
	l.stop()
	l.done.Wait()
	_, err := l.state()
	require.NoError(t, err, "a write or a read during the upgrade")
}
