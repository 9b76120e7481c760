package faultfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestWhatWasNotSyncedIsLost(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "first")
	put(t, path, "second, longer")
	require.Equal(t, "second, longer", get(t, path))
	lost := cut(t, f, Cut{})
	require.Equal(t, "first", get(t, path))
	require.Equal(t, 1, lost.Files)
	require.Positive(t, lost.Bytes)
}

func TestWhatWasSyncedRemains(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "first")
	put(t, path, "second, longer")
	syncOf(t, path)
	require.Zero(t, cut(t, f, Cut{}))
	require.Equal(t, "second, longer", get(t, path))
	require.NoError(t, os.Truncate(path, 3))
	cut(t, f, Cut{})
	require.Equal(t, "second, longer", get(t, path))
	require.NoError(t, os.Truncate(path, 3))
	syncOf(t, path)
	cut(t, f, Cut{Torn: true})
	require.Equal(t, "sec", get(t, path))
}

func TestAllDescriptorsShareOneJournal(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "....")
	a, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	b, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = a.WriteAt([]byte("a"), 0)
	require.NoError(t, err)
	require.NoError(t, unix.Fdatasync(int(b.Fd())))
	_, err = b.WriteAt([]byte("b"), 1)
	require.NoError(t, err)
	cut(t, f, Cut{})
	require.Equal(t, "a...", get(t, path))
	require.ErrorIs(t, a.Sync(), syscall.ENOTCONN, "a descriptor from before the cut")
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

func TestASyncedDescriptor(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	h, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_SYNC, 0o600)
	require.NoError(t, err)
	_, err = h.WriteString("durable")
	require.NoError(t, err)
	require.NoError(t, h.Close())
	cut(t, f, Cut{})
	require.Equal(t, "durable", get(t, path))
}

func TestPreallocated(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "segment")
	h, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(h.Fd()), 0, 0, 8192))
	require.NoError(t, h.Sync())
	_, err = h.WriteAt([]byte("record"), 4096)
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(h.Fd()), 0, 0, 65536))
	require.NoError(t, h.Close())
	require.Len(t, get(t, path), 65536)
	cut(t, f, Cut{})
	require.Equal(t, strings.Repeat("\x00", 8192), get(t, path))

	put(t, path, strings.Repeat("x", 8192))
	syncOf(t, path)
	h, err = os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(h.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096))
	require.NoError(t, h.Close())
	require.Equal(t, strings.Repeat("\x00", 4096), get(t, path)[:4096])
	cut(t, f, Cut{})
	require.Equal(t, strings.Repeat("x", 8192), get(t, path))
}

// Each sector of a torn file is one that it had at some time; all that can happen does within some draws.
func TestTornWrites(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		durable(t, path, strings.Repeat("0", 4*sector))
		h, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = h.WriteAt(bytes.Repeat([]byte("1"), 3*sector), sector)
		require.NoError(t, err)
		_, err = h.WriteAt(bytes.Repeat([]byte("2"), 4*sector), 2*sector) // makes it longer
		require.NoError(t, err)
		require.NoError(t, h.Close())
		_, err = f.PowerCut(r, Cut{Torn: true})
		require.NoError(t, err)
		b := get(t, path)
		require.Contains(t, []int{4 * sector, 6 * sector}, len(b))
		allowed := []string{"0", "01", "012", "012", "2\x00", "2\x00"}
		shape := ""
		for i := 0; i < len(b)/sector; i++ {
			require.Equal(t, strings.Repeat(b[i*sector:i*sector+1], sector), b[i*sector:(i+1)*sector], "a sector is whole")
			require.Contains(t, allowed[i], b[i*sector:i*sector+1])
			shape += b[i*sector : i*sector+1]
		}
		seen[shape] = true
	}
	require.Contains(t, seen, "0000", "nothing remained, once")
	require.Contains(t, seen, "012222", "all of it remained, once")
	require.Greater(t, len(seen), 10)
}

func TestWhatAFailedSyncGaveUp(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, strings.Repeat("0", 3*page))
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	write := func(b string, off int64) {
		t.Helper()
		_, err := h.WriteAt([]byte(b), off)
		require.NoError(t, err)
	}
	write("1", 0)
	write("1", page)
	write(strings.Repeat("1", page), 3*page)
	f.Set(Faults{FailSync: true})
	require.ErrorIs(t, h.Sync(), syscall.EIO)
	f.Set(Faults{})
	require.NoError(t, h.Sync(), "again, and for nothing")
	write("2", page+1) // with which the kernel writes that page
	require.NoError(t, h.Sync())
	require.Equal(t, "1", get(t, path)[:1], "readers see it until then")
	require.NoError(t, h.Close())
	cut(t, f, Cut{})
	b := get(t, path)
	require.Len(t, b, 4*page, "the size is no page")
	require.Equal(t, "00", b[:2])
	require.Equal(t, "120", b[page:page+3])
	require.Equal(t, strings.Repeat("\x00", page), b[3*page:])
}

func TestAFileThatAFailedSyncGaveUp(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	put(t, path, "")
	syncOf(t, dir)
	put(t, path, "text")
	f.Set(Faults{FailSync: true})
	require.ErrorIs(t, trySync(path), syscall.EIO)
	f.Set(Faults{})
	cut(t, f, Cut{})
	require.Empty(t, get(t, path))
}
