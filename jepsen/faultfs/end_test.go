package faultfs

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Neither a power cut nor Close waits for those that hang.
func TestTheEndOfAFileSystemThatHangs(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "old")
	for _, end := range []func(){func() { cut(t, f, Cut{}) }, func() { require.NoError(t, f.Close()) }} {
		put(t, path, "new")
		f.Set(Faults{HangSync: true})
		done := make(chan error)
		go func() { done <- trySync(path) }()
		time.Sleep(50 * time.Millisecond)
		end()
		require.Error(t, <-done)
		f.Set(Faults{})
	}
}

// Not even a process that is in it keeps a file system mounted.
func TestClosedUnderAProcess(t *testing.T) {
	backing, dir := t.TempDir(), t.TempDir()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	f := mountedOn(t, backing, dir)
	path := filepath.Join(dir, "file")
	a := start(t, "write", path)
	require.True(t, a.out.Scan())
	cut(t, f, Cut{})
	go func() {
		for a.out.Scan() {
		}
	}()
	require.Error(t, a.Wait(), "its descriptor is dead")
	durable(t, path, "text")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	absent(t, path)
	require.Equal(t, "text", get(t, filepath.Join(backing, "file")))
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), dir)
	_, err = f.PowerCut(fixed(), Cut{})
	require.ErrorIs(t, err, errClosed)
}

// A program that inherited the connection would hold it open after the end of this process, and whoever uses the file system would hang.
func TestNoProgramInheritsTheConnection(t *testing.T) {
	mounted(t)
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	found := 0
	for _, e := range fds {
		at, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || at != "/dev/fuse" {
			continue
		}
		found++
		fd, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		require.NoError(t, err)
		require.NotZero(t, flags&unix.FD_CLOEXEC)
	}
	require.Equal(t, 1, found)
}

// What is durable and closed takes no memory, no descriptor and no place in the shadow.
func TestNothingIsRememberedForLong(t *testing.T) {
	f, dir := mounted(t)
	before := descriptors(t)
	kept := filepath.Join(dir, "kept")
	require.NoError(t, os.Mkdir(kept, 0o700))
	syncOf(t, dir)
	for range 3 {
		put(t, filepath.Join(kept, "c"), "never synced, nor for long")
		require.NoError(t, os.Remove(filepath.Join(kept, "c")))
		syncOf(t, kept)
		put(t, filepath.Join(kept, "d"), "")
		require.NoError(t, os.Rename(filepath.Join(kept, "d"), filepath.Join(dir, "d")))
		syncOf(t, dir)
		sub, a, b := filepath.Join(dir, "sub"), filepath.Join(dir, "sub", "a"), filepath.Join(dir, "b")
		require.NoError(t, os.Mkdir(sub, 0o700))
		durable(t, a, "text")
		put(t, b, "never synced")
		require.NoError(t, os.Rename(a, b))
		syncOf(t, dir)
		require.NoError(t, os.Remove(b))
		require.NoError(t, os.Remove(sub))
		syncOf(t, dir)
	}
	n, files := f.vol.names, &f.vol.files
	require.Eventually(t, func() bool { // the kernel closes what is closed a little later
		files.mu.Lock()
		defer files.mu.Unlock()
		return len(files.open)+len(files.byIno) == 0 && descriptors(t) == before
	}, 10*time.Second, 5*time.Millisecond)
	n.mu.Lock()
	remembered := len(n.dirs) + len(n.held) + len(n.born)
	n.mu.Unlock()
	require.Zero(t, remembered)
	shadow, err := os.ReadDir(f.shadow)
	require.NoError(t, err)
	require.Empty(t, shadow)
	for range 3 {
		put(t, filepath.Join(dir, "file"), "text")
		cut(t, f, Cut{})
		require.Equal(t, before, descriptors(t))
	}
}

func descriptors(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(fds)
}
