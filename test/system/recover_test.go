package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
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

// TestSharesOpenABackupAndMustAgreeToARecovery: a cluster whose only seal is people.
func TestSharesOpenABackupAndMustAgreeToARecovery(t *testing.T) {
	d := newDev(t, "shamir")
	value := string(planted())
	d.must(value, "secret", "put", "a", "-")
	file, few, enough := filepath.Join(d.dir, "backup"), filepath.Join(d.dir, "few"), filepath.Join(d.dir, "enough")
	d.must("", "operator", "snapshot", "save", file)
	require.NoError(t, os.WriteFile(few, []byte(strings.Join(d.shares()[:2], "\n")), 0o600))
	require.NoError(t, os.WriteFile(enough, []byte(strings.Join(d.shares()[1:4], "\n")), 0o600))
	node := d.nodes()[0]
	d.stop()

	config, restored := filepath.Join(d.dir, "n1.yaml"), filepath.Join(d.dir, "r1.yaml")
	require.NoError(t, os.WriteFile(restored, []byte(fmt.Sprintf("node: r1\ndata: %s/r1\nseals: [{kind: shamir}]\n", d.dir)), 0o600))
	out, code := d.command("", "operator", "snapshot", "inspect", file, "-c", config)
	require.Equal(t, 4, code, out)
	require.Contains(t, out, "it opens with any of: shares")
	for _, args := range [][]string{{"snapshot", "inspect", file, "-c", config}, {"snapshot", "restore", file, "-c", restored}, {"recover", node.Dir, "-c", config, "--yes"}} {
		out, code = d.command("", append(append([]string{"operator"}, args...), "--shares-from", few)...)
		require.Equal(t, 4, code, "%v: %s", args, out)
		require.Contains(t, out, "these 2 shares do not open the cluster")
	}
	out, code = d.command("", "operator", "snapshot", "inspect", file, "-c", config, "--shares-from", enough)
	require.Zero(t, code, out)
	require.Contains(t, out, "opened and verified")
	out, code = d.command("", "operator", "snapshot", "restore", file, "-c", restored, "--shares-from", enough)
	require.Zero(t, code, out)
	require.Contains(t, out, "root token")

	out, code = d.command("", "operator", "recover", node.Dir, "-c", config, "--yes")
	require.NotZero(t, code, out)
	require.NoFileExists(t, filepath.Join(node.Dir, "RECOVER-INCOMPLETE"), "nothing was begun")
	out, code = d.command(strings.Join(d.shares()[:3], "\n"), "operator", "recover", node.Dir, "-c", config, "--yes", "--shares-from", "-")
	require.Zero(t, code, out)
	require.Contains(t, out, "removed for ever  n2, n3")
	d.lacks(value, d.shares()...)
}

// TestSharesMustAgreeToARecoveryAlsoWhereAnHSMOpens: whoever has the machine and its HSM does not give a history up alone.
func TestSharesMustAgreeToARecoveryAlsoWhereAnHSMOpens(t *testing.T) {
	parts.Need(t, "/usr/lib/softhsm/libsofthsm2.so", "softhsm2")
	d := newDev(t, "pkcs11")
	node := d.nodes()[0]
	file := filepath.Join(d.dir, "backup")
	d.must("", "operator", "snapshot", "save", file)
	d.stop()
	config := filepath.Join(d.dir, "n1.yaml")
	t.Setenv("SOFTHSM2_CONF", filepath.Join(d.dir, "hsm", "softhsm2.conf"))
	out, code := d.command("", "operator", "snapshot", "inspect", file, "-c", config)
	require.Zero(t, code, out)
	require.Contains(t, out, "opened and verified")
	out, code = d.command("", "operator", "recover", node.Dir, "-c", config, "--yes")
	require.Equal(t, 4, code, out)
	require.Contains(t, out, "people hold shares of this cluster, and must agree")
	require.NoFileExists(t, filepath.Join(node.Dir, "RECOVER-INCOMPLETE"))
	out, code = d.command(strings.Join(d.shares()[:3], "\n"), "operator", "recover", node.Dir, "-c", config, "--yes", "--shares-from", "-")
	require.Zero(t, code, out)
}
