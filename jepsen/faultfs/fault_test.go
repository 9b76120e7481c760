package faultfs

import (
	"encoding/json"
	"os"
	"path/filepath"
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

func TestHistoriesCanHoldFaults(t *testing.T) {
	b, err := json.Marshal(Faults{FailSync: true, SlowSync: time.Second, Match: "raft"})
	require.NoError(t, err)
	require.JSONEq(t, `{"fail_sync":true,"slow_sync_ns":1000000000,"match":"raft"}`, string(b))
}
