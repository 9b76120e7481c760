package faultfs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAFullDisk(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "text")
	sparse := filepath.Join(dir, "sparse")
	put(t, sparse, "")
	require.NoError(t, os.Truncate(sparse, 1<<20))
	f.Set(Faults{Full: true})
	var s unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &s))
	require.Zero(t, s.Bavail)
	require.Positive(t, s.Blocks)
	require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600), syscall.ENOSPC)
	require.ErrorIs(t, os.Mkdir(filepath.Join(dir, "new"), 0o700), syscall.ENOSPC)
	require.ErrorIs(t, writeAt(path, "xx", 3), syscall.ENOSPC)
	require.NoError(t, writeAt(path, "x", 3))
	require.ErrorIs(t, writeAt(sparse, "x", 100), syscall.ENOSPC)
	require.NoError(t, os.Remove(sparse))
	require.Equal(t, "texx", get(t, path))

	f.Set(Faults{})
	require.NoError(t, unix.Statfs(dir, &s))
	require.Positive(t, s.Bavail)
	require.NoError(t, writeAt(path, "xx", 3))
}

func writeAt(path, text string, off int64) error {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	_, err = h.WriteAt([]byte(text), off)
	return err
}

// trstctl lays a reserve by fallocate; that takes space.
func TestAFullDiskAllocatesNothing(t *testing.T) {
	f, dir := mounted(t)
	h, err := os.Create(filepath.Join(dir, "reserve"))
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(h.Fd()), 0, 0, 8192))
	f.Set(Faults{Full: true})
	require.ErrorIs(t, unix.Fallocate(int(h.Fd()), 0, 0, 16384), syscall.ENOSPC)
	_, err = h.WriteAt([]byte("x"), 4096)
	require.NoError(t, err, "it has its space")
	require.NoError(t, h.Close())
}

func TestReadsAndWritesThatFail(t *testing.T) {
	f, dir := mounted(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	durable(t, a, "a")
	durable(t, b, "b")
	require.Equal(t, "a", get(t, a)) // now the kernel has it
	f.Set(Faults{FailRead: true, FailWrite: true, Match: "a"})
	_, err := os.ReadFile(a)
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, writeAt(a, "x", 0), syscall.EIO)
	require.ErrorIs(t, os.Truncate(a, 0), syscall.EIO)
	require.Equal(t, "b", get(t, b))
	require.NoError(t, writeAt(b, "x", 0))
	f.Set(Faults{})
	require.Equal(t, "a", get(t, a))
}

func TestASyncOfADirectoryThatFails(t *testing.T) {
	f, dir := mounted(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	f.Set(Faults{FailSync: true})
	require.ErrorIs(t, trySync(dir), syscall.EIO)
	cut(t, f, Cut{})
	absent(t, filepath.Join(dir, "sub"))
	require.ErrorIs(t, trySync(dir), syscall.EIO, "a power cut heals nothing")
	f.Set(Faults{})
	syncOf(t, dir)
}

func TestASlowSync(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	put(t, path, "text")
	f.Set(Faults{SlowSync: 100 * time.Millisecond})
	start := time.Now()
	syncOf(t, path)
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
	f.Set(Faults{SlowSync: time.Hour})
	done := make(chan error)
	go func() { done <- trySync(path) }()
	time.Sleep(50 * time.Millisecond)
	f.Set(Faults{})
	require.NoError(t, <-done)
}

func TestASyncThatHangs(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "old")
	put(t, path, "new")
	f.Set(Faults{HangSync: true})
	done := make(chan error, 1)
	go func() { done <- trySync(path) }()
	select {
	case err := <-done:
		require.Fail(t, "it returned", "%v", err)
	case <-time.After(200 * time.Millisecond):
	}
	f.Set(Faults{})
	require.NoError(t, <-done)
	cut(t, f, Cut{})
	require.Equal(t, "new", get(t, path))
}

// A process that hangs in fsync can be killed, and what it waited for is not durable.
func TestAProcessThatHangsCanBeKilled(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, "old")
	put(t, path, "new")
	f.Set(Faults{HangSync: true})
	a := start(t, "sync", path)
	require.True(t, a.out.Scan())
	time.Sleep(50 * time.Millisecond) // or it is killed before it hangs
	require.NoError(t, a.Process.Kill())
	_, err := a.end()
	require.Error(t, err)
	f.Set(Faults{})
	cut(t, f, Cut{})
	require.Equal(t, "old", get(t, path))
}

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

func TestHistoriesCanHoldFaults(t *testing.T) {
	b, err := json.Marshal(Faults{FailSync: true, SlowSync: time.Second, Match: "raft"})
	require.NoError(t, err)
	require.JSONEq(t, `{"fail_sync":true,"slow_sync_ns":1000000000,"match":"raft"}`, string(b))
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
	for range 3 {
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
		return len(files.open)+len(files.byIno) == 0
	}, 10*time.Second, 5*time.Millisecond)
	require.Zero(t, len(n.dirs)+len(n.held)+len(n.born))
	shadow, err := os.ReadDir(f.shadow)
	require.NoError(t, err)
	require.Empty(t, shadow)
	require.Equal(t, before, descriptors(t))
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
