package system

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// TestARestoreTakesALivingClusterBack: one node is stopped and restored by force while the others run. Their history has ended, and so do they; what
// was written after the backup is gone, and the node that was there is kept.
func TestARestoreTakesALivingClusterBack(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	value, later, old := planted(), planted(), c.Token
	put(t, c.Client(), "a", value)
	path := filepath.Join(t.TempDir(), "backup")
	taken := save(t, c, path)
	put(t, c.Client(), "a", later)
	n := c.Leader()
	force := []string{"operator", "snapshot", "restore", path, "-c", n.Config(), "--force", "-o", "json"}
	_, told, code := c.Command("", force...)
	require.Equal(t, 5, code, "a node that runs is not replaced: %s", told)
	n.Stop()
	_, told, code = c.Command("", force[:6]...)
	require.Equal(t, 5, code, told)
	require.Contains(t, told, "--force")

	require.NoError(t, os.Rename(c.KEK(), c.KEK()+".away"))
	_, told, code = c.Command("", force...)
	require.NotZero(t, code, told)
	require.NoError(t, os.Rename(c.KEK()+".away", c.KEK()))
	require.FileExists(t, filepath.Join(n.Data, "node.json"), "what could not be replaced stays")

	aside := n.Data + ".before-restore" // as a kill right after the first step leaves it
	require.NoError(t, os.Rename(n.Data, aside))
	_, told, code = c.Command("", "server", "-c", n.Config())
	require.NotZero(t, code)
	require.Contains(t, told, "a restore by force did not end", "it does not pass for a new node")
	require.NoError(t, os.Mkdir(n.Data, 0o700))
	lock, err := os.Create(filepath.Join(n.Data, "lock"))
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	_, told, code = c.Command("", force...)
	require.Equal(t, 5, code, told)
	require.FileExists(t, lock.Name(), "nothing is taken from under another restore")
	require.NoError(t, lock.Close())

	out, told, code := c.Command("", force...)
	require.Zero(t, code, told)
	r := harness.JSON[reborn](t, out)
	require.Equal(t, taken.Digest, r.Digest)
	require.EqualValues(t, 2, r.Epoch)
	require.FileExists(t, filepath.Join(n.Data+".before-restore", "node.json"))
	c.Token, c.CA = sdk.Secret(r.RootToken), []byte(r.CA)
	n.Start()
	c.Ready(n)
	require.Equal(t, value, get(t, c.ClientOf(n), "a"), "as it was at the backup")
	dead(t, c, n, old)
	for _, other := range c.Nodes {
		if other != n {
			other.Ended()
			require.Contains(t, other.Log(), "goes on in epoch 2")
		}
	}
	joined := c.Join()
	require.Equal(t, value, get(t, c.ClientOf(joined), "a"))

	_, told, code = c.Command("", append(force, "--epoch", "2")...)
	require.NotZero(t, code, told)
	n.Stop()
	_, told, code = c.Command("", force...)
	require.Equal(t, 5, code, told)
	require.Contains(t, told, "is left from an earlier restore")
	require.NoError(t, os.RemoveAll(n.Data+".before-restore"))
	_, told, code = c.Command("", append(force, "--epoch", "2")...)
	require.NotZero(t, code, told)
	require.Contains(t, told, "epoch 2")
}

// TestABackupOfAnotherClusterReplacesNothing, not by force either.
func TestABackupOfAnotherClusterReplacesNothing(t *testing.T) {
	theirs := harness.Start(t, harness.Options{Nodes: 1})
	path := filepath.Join(t.TempDir(), "backup")
	save(t, theirs, path)
	c := harness.Start(t, harness.Options{Nodes: 1})
	value := planted()
	put(t, c.Client(), "a", value)
	n := c.Nodes[0]
	n.Stop()
	_, told, code := c.Command("", "operator", "snapshot", "restore", path, "-c", n.Config(), "--force")
	require.Equal(t, 5, code, told)
	require.Contains(t, told, "restore it into an empty directory")
	n.Start()
	c.Ready(n)
	require.Equal(t, value, get(t, c.Client(), "a"))
}
