package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// standings is what recover --show prints.
type standings struct {
	Items []struct {
		Directory string `json:"directory"`
		Node      string `json:"node"`
		Epoch     uint32 `json:"epoch"`
		Term      uint64 `json:"term"`
		Index     uint64 `json:"index"`
	} `json:"items"`
}

// furthest is the node whose disk holds most, by what --show says.
func furthest(t *testing.T, c *harness.Cluster, nodes ...*harness.Node) *harness.Node {
	t.Helper()
	args := []string{"operator", "recover", "--show", "-o", "json"}
	for _, n := range nodes {
		args = append(args, n.Data)
	}
	out, told, code := c.Command("", args...)
	require.Zero(t, code, told)
	all := harness.JSON[standings](t, out).Items
	require.Len(t, all, len(nodes))
	best := 0
	for i, s := range all {
		if s.Term > all[best].Term || s.Term == all[best].Term && s.Index > all[best].Index {
			best = i
		}
	}
	return nodes[slices.IndexFunc(nodes, func(n *harness.Node) bool { return n.ID == all[best].Node })]
}

func recovered(t *testing.T, c *harness.Cluster, n *harness.Node) reborn {
	t.Helper()
	out, told, code := c.Command("", "operator", "recover", n.Data, "-c", n.Config(), "--yes", "-o", "json")
	require.Zero(t, code, told)
	r := harness.JSON[reborn](t, out)
	c.Token, c.CA = sdk.Secret(r.RootToken), []byte(r.CA)
	return r
}

func TestOneNodeGoesOnWhenTheMajorityIsLost(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			c := harness.Start(t, harness.Options{LogStore: store})
			old := c.Token
			value := planted()
			for i := range 50 {
				put(t, c.Client(), fmt.Sprintf("k/%d", i), value)
			}
			_, told, code := c.Command("", "operator", "recover", c.Nodes[0].Data, "-c", c.Nodes[0].Config(), "--yes")
			require.Equal(t, 5, code, "a node that runs is not recovered: %s", told)
			for _, n := range c.Nodes {
				n.Kill()
			}
			n := furthest(t, c, c.Nodes...)
			_, told, code = c.Command("yes\n", "operator", "recover", n.Data, "-c", n.Config())
			require.Equal(t, 5, code, told)
			require.Contains(t, told, "that is not the cluster's id: nothing was done")

			r := recovered(t, c, n)
			require.EqualValues(t, 2, r.Epoch)
			require.Len(t, r.Removed, 2)
			n.Start()
			c.Ready(n)
			for i := range 50 {
				require.Equal(t, value, get(t, c.Client(), fmt.Sprintf("k/%d", i)))
			}
			require.Greater(t, put(t, c.Client(), "k/0", value), uint64(1_000_000_000))
			dead(t, c, n, old)

			for _, lost := range c.Nodes { // the lost come back: they must not mix with it, nor go on by themselves
				if lost != n {
					lost.Start()
				}
			}
			for _, lost := range c.Nodes {
				if lost != n {
					lost.Ended()
					require.Contains(t, lost.Log(), "goes on in epoch 2, this node holds epoch 1, which was given up")
					require.Contains(t, lost.Log(), "join it as a new node under a new id")
				}
			}
			c.Join()
			c.Join()
			require.Equal(t, value, get(t, c.ClientOf(c.Nodes[4]), "k/7"))
			c.Check(value, old)
		})
	}
}

// TestARecoveryThatIsKilledGoesOn kills it when it has begun, and when it has written Raft's snapshot.
func TestARecoveryThatIsKilledGoesOn(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	value := planted()
	for i := range 100 {
		put(t, c.Client(), fmt.Sprintf("k/%d", i), value)
	}
	for _, n := range c.Nodes {
		n.Kill()
	}
	n := furthest(t, c, c.Nodes...)
	for _, made := range []string{"RECOVER-INCOMPLETE", "snapshots"} {
		cmd := exec.Command(harness.Binary(t), "operator", "recover", n.Data, "-c", n.Config(), "--yes")
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		waitFor(t, filepath.Join(n.Data, made), ended)
		require.NoError(t, ignoreEnded(cmd.Process.Signal(syscall.SIGKILL)))
		<-ended
		if _, err := os.Stat(filepath.Join(n.Data, "RECOVER-INCOMPLETE")); err == nil {
			_, told, code := c.Command("", "server", "-c", n.Config())
			require.NotZero(t, code)
			require.Contains(t, told, "did not end: run `trstctl operator recover` again")
		}
	}
	r := recovered(t, c, n)
	require.GreaterOrEqual(t, r.Epoch, uint32(2))
	n.Start()
	c.Ready(n)
	for i := range 100 {
		require.Equal(t, value, get(t, c.Client(), fmt.Sprintf("k/%d", i)))
	}
	c.Join()
	c.Check(value)
}
