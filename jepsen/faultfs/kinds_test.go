package faultfs

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMappedFiles(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "file")
	durable(t, path, strings.Repeat("0", 2*page))
	require.Equal(t, []string{"mapped"}, run(t, "map", path))
	require.Equal(t, "ab00cd", get(t, path)[:4]+get(t, path)[page:page+2])
	cut(t, f, Cut{})
	require.Equal(t, "ab0000", get(t, path)[:4]+get(t, path)[page:page+2], "msync made one durable, nothing the other")
}

// playMap expects that a mapping and the other ways to a file agree.
func playMap(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	m, err := unix.Mmap(int(f.Fd()), 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	if m[0] != '0' {
		return fmt.Errorf("mapped: %q", m[:1])
	}
	if _, err := f.WriteAt([]byte("a"), 0); err != nil {
		return err
	}
	if m[0] != 'a' {
		return fmt.Errorf("the mapping does not see a write: %q", m[:1])
	}
	m[1] = 'b'
	if err := unix.Msync(m, unix.MS_SYNC); err != nil {
		return err
	}
	m[page], m[page+1] = 'c', 'd'
	b := make([]byte, 2)
	if _, err := f.ReadAt(b, page); err != nil || string(b) != "cd" {
		return fmt.Errorf("a read does not see the mapping: %q, %v", b, err)
	}
	fmt.Println("mapped")
	return nil
}

func TestLocks(t *testing.T) {
	_, dir := mounted(t)
	a, err := os.Create(filepath.Join(dir, "lock"))
	require.NoError(t, err)
	b, err := os.Open(a.Name())
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(a.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	require.ErrorIs(t, syscall.Flock(int(b.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EAGAIN)
	require.NoError(t, a.Close())
	require.NoError(t, syscall.Flock(int(b.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	require.NoError(t, b.Close())
}

func TestSockets(t *testing.T) {
	f, dir := mounted(t)
	path := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("hello"))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = c.Read(b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	require.NoError(t, c.Close())
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket, info.Mode().Type())
	cut(t, f, Cut{})
	absent(t, path)
}

// Copying does not get around the journal.
func TestCopied(t *testing.T) {
	f, dir := mounted(t)
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	durable(t, from, strings.Repeat("x", 100_000))
	durable(t, to, "")
	in, err := os.Open(from)
	require.NoError(t, err)
	out, err := os.OpenFile(to, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = out.ReadFrom(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	require.NoError(t, out.Close())
	require.Equal(t, get(t, from), get(t, to))
	cut(t, f, Cut{})
	require.Empty(t, get(t, to))
}
