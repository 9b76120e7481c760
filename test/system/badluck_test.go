package system

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// files returns the files beneath dir whose names end in suffix.
func files(t *testing.T, dir, suffix string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	}))
	require.NotEmpty(t, found, "no %s in %s", suffix, dir)
	return found
}

// flip changes a bit in the middle of what a file holds.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(strings.TrimRight(string(b), "\x00"))/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func TestDamagedTablesAreNamedAndRebuilt(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	for i := range 50 {
		put(t, c.Client(), fmt.Sprintf("a/%d", i), planted())
	}
	n := c.Follower()
	n.Kill()
	n.Start() // what was in the write-ahead log becomes tables
	c.Ready(n)
	n.Kill()
	for _, path := range files(t, filepath.Join(n.Data, "tables"), ".sst") {
		flip(t, path)
	}
	_, told, code := c.Command("", "operator", "verify", n.Data)
	require.Equal(t, 1, code)
	require.Contains(t, told, "damaged")
	n.Start()
	n.Ended()
	require.Contains(t, n.Log(), "damaged")
	require.Contains(t, n.Log(), n.Data)

	require.NoError(t, os.Rename(filepath.Join(n.Data, "tables"), filepath.Join(n.Data, "tables.damaged")))
	n.Start()
	c.Ready(n)
	c.Check()
}

func TestADamagedLogIsNamed(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			c := harness.Start(t, harness.Options{LogStore: store})
			put(t, c.Client(), "a", planted())
			for range 20 {
				put(t, c.Client(), "a-path-that-is-found-again", planted())
			}
			n := c.Follower()
			n.Kill()
			for _, path := range files(t, filepath.Join(n.Data, "raft"), map[string]string{"bolt": "raft.db", "wal": ".wal"}[store]) {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				changed := strings.ReplaceAll(string(b), "a-path-that-is-found-again", "a-path-that-is-faund-again")
				require.NotEqual(t, string(b), changed)
				require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
			}
			n.Start()
			n.Ended()
			require.Contains(t, n.Log(), "the Raft log in "+filepath.Join(n.Data, "raft")+" is damaged")
			require.Contains(t, n.Log(), "join as a new node")
			require.Equal(t, uint64(21), put(t, c.Client(), "a-path-that-is-found-again", []byte("x")), "the others go on")
		})
	}
}

func TestAFlippedByteInACopyIsFound(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1})
	for i := range 30 {
		put(t, c.Client(), fmt.Sprintf("a/%d", i), planted())
	}
	n := c.Nodes[0]
	n.Stop()
	copied := filepath.Join(c.Dir, "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(n.Data)))
	found, told, code := c.Command("", "audit", "verify", "--dir", copied)
	require.Zero(t, code, told)
	require.Contains(t, found, "records and")
	for _, path := range files(t, filepath.Join(copied, "tables"), ".sst") {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		flip(t, path)
		_, told, code := c.Command("", "audit", "verify", "--dir", copied)
		require.Equal(t, 1, code, "%s: %s", path, told)
		require.Contains(t, told, filepath.Base(path))
		require.NoError(t, os.WriteFile(path, before, 0o600))
	}
}

func TestTablesAreRebuiltFromTheEventLog(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	for i := range 30 {
		put(t, c.Client(), fmt.Sprintf("a/%d", i%20), planted())
	}
	_, err := c.Client().PurgeAll(t.Context(), "a/3")
	require.NoError(t, err)
	_, err = c.Client().CreateTenant(t.Context(), "acme")
	require.NoError(t, err)
	require.NoError(t, c.Client().DeleteTenant(t.Context(), "acme"))
	n := c.Follower()
	n.Stop()
	done, told, code := c.Command("", "operator", "rebuild", n.Data)
	require.Zero(t, code, told)
	require.Contains(t, done, "what was rebuilt equals what was there")
	_, told, code = c.Command("", "operator", "rebuild", n.Data)
	require.Equal(t, 5, code, told)
	n.Start()
	c.Ready(n)
	_, told, code = c.Command("", "operator", "rebuild", n.Data)
	require.NotZero(t, code, "of a running node: %s", told)
	c.Check()
}

func TestAnotherKeyFileIsRefused(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1})
	n := c.Nodes[0]
	n.Stop()
	kek := filepath.Join(c.Dir, "kek")
	right, err := os.ReadFile(kek)
	require.NoError(t, err)
	wrong := make([]byte, 32)
	rand.Read(wrong)
	require.NoError(t, os.WriteFile(kek, wrong, 0o600))
	n.Start()
	n.Ended()
	require.Contains(t, n.Log(), "give the node the right key file")
	require.NoError(t, os.Remove(kek))
	n.Start()
	n.Ended()
	require.Contains(t, n.Log(), "does not exist")
	require.NoFileExists(t, kek, "a missing key is never made")
	require.NoError(t, os.WriteFile(kek, right, 0o644))
	n.Start()
	n.Ended()
	require.Contains(t, n.Log(), "chmod 600")
	require.NoError(t, os.Chmod(kek, 0o600))
	n.Start()
	c.Ready(n)
	c.Check()
}

func TestRacingPutsThroughEveryNodeAllSucceed(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	const each = 10
	var mu sync.Mutex
	var versions []uint64
	var wg sync.WaitGroup
	for _, n := range c.Nodes {
		client := c.ClientOf(n)
		for range each {
			wg.Go(func() {
				w, err := client.Put(context.Background(), sdk.Item{Path: "one", Value: planted()})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("a put: %v", err)
				}
				versions = append(versions, w.Version)
			})
		}
	}
	wg.Wait()
	slices.Sort(versions)
	for i, v := range versions {
		require.EqualValues(t, i+1, v, "each version once")
	}
	require.Len(t, versions, 3*each)
	c.Check()
}

// tmpfs mounts a file system of this many MiB.
func tmpfs(t *testing.T, mib int) string {
	if os.Geteuid() != 0 {
		t.Skip("a small file system takes root to mount; CI is root")
	}
	dir, err := os.MkdirTemp("", "trstctl-disk-")
	require.NoError(t, err)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)))
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(dir, syscall.MNT_DETACH), os.Remove(dir)); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestAFullDiskRefusesWritesAndRecovers(t *testing.T) {
	disk := tmpfs(t, 192)
	c := harness.Start(t, harness.Options{Disk: map[int]string{1: filepath.Join(disk, "data")}, Reserve: 64})
	first := c.Nodes[0]
	put(t, c.Client(), "a", []byte("x"))
	put(t, c.Client(), "b", []byte("x"))
	_, err := c.Client().Transfer(t.Context(), first.ID)
	require.NoError(t, err)

	filler := filepath.Join(disk, "filler")
	fill(t, disk, filler, 32)
	full := func(ctx context.Context) error {
		_, err := c.ClientOf(first).Put(ctx, sdk.Item{Path: "c", Value: []byte("x")})
		if !sdk.Is(err, sdk.NoSpace) {
			return fmt.Errorf("not refused for want of space: %v", err)
		}
		return nil
	}
	c.Eventually("writes refused", full)
	require.Equal(t, "x", string(get(t, c.ClientOf(first), "a")), "reads go on")
	_, err = c.Client().Delete(t.Context(), "b", nil)
	require.NoError(t, err, "deletes go on")
	_, told, code := c.Command("x", "secret", "put", "d", "-")
	require.Equal(t, 6, code, told)
	require.Contains(t, told, "reserve")

	require.NoError(t, os.Remove(filler))
	c.Eventually("writes again", func(ctx context.Context) error {
		_, err := c.Client().Put(ctx, sdk.Item{Path: "c", Value: []byte("y")})
		return err
	})
	c.Check()
}

// fill writes a file until this many MiB are free.
func fill(t *testing.T, disk, path string, leave int64) {
	t.Helper()
	var s syscall.Statfs_t
	require.NoError(t, syscall.Statfs(disk, &s))
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, syscall.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-leave<<20))
	require.NoError(t, f.Close())
}

func TestAnInterruptedInitIsBegunAnew(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1})
	n := c.Nodes[0]
	n.Stop()
	require.NoError(t, os.WriteFile(filepath.Join(n.Data, "INIT-INCOMPLETE"), nil, 0o600)) // as a crash before the end of init leaves it
	n.Start()
	_, told, code := c.Command("", "operator", "init", "--socket", filepath.Join(n.Data, "trstctl.sock"), "-o", "json")
	for tries := 0; code == 6 && tries < 100; tries++ { // until the socket is there
		_, told, code = c.Command("", "operator", "init", "--socket", filepath.Join(n.Data, "trstctl.sock"), "-o", "json")
	}
	require.Zero(t, code, told)
	require.Contains(t, n.Log(), "an init did not end")
	_, told, code = c.Command("", "operator", "init", "--socket", filepath.Join(n.Data, "trstctl.sock"))
	require.Equal(t, 5, code, "a second init: %s", told)
}

// TestAnOldDirectoryPutBackIsRefused: a member that has lost what it acknowledged must not vote any more.
func TestAnOldDirectoryPutBackIsRefused(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("0"))
	n := c.Follower()
	n.Stop()
	old := filepath.Join(c.Dir, "old")
	require.NoError(t, os.CopyFS(old, os.DirFS(n.Data)))
	n.Start()
	c.Ready(n)
	for range 20 {
		put(t, c.Client(), "a", []byte("1"))
	}
	last, err := c.ClientOf(n).Status(t.Context())
	require.NoError(t, err)
	c.Eventually("the others know what it has", func(ctx context.Context) error {
		all, err := c.Client().Members(ctx)
		for _, m := range all {
			if m.ID == n.ID && m.AcknowledgedIndex >= last.AppliedIndex {
				return err
			}
		}
		return errors.Join(errors.New("they do not"), err)
	})
	n.Stop()
	require.NoError(t, os.Rename(n.Data, n.Data+".new"))
	require.NoError(t, os.Rename(old, n.Data))
	n.Start()
	n.Ended()
	require.Contains(t, n.Log(), "an older copy of its data directory was put back")
	require.Contains(t, n.Log(), "join as a new node")

	require.NoError(t, os.Rename(n.Data, old))
	require.NoError(t, os.Rename(n.Data+".new", n.Data))
	n.Start()
	c.Ready(n)
	c.Check()
}
