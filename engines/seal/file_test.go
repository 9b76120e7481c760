package seal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKeyFileWrapsAndUnwraps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, Keygen(path))
	s, err := OpenFile(path)
	require.NoError(t, err)
	a, err := s.Wrap(t.Context(), []byte("root"), []byte("ctx"))
	require.NoError(t, err)
	b, err := s.Wrap(t.Context(), []byte("root"), []byte("ctx"))
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	got, err := s.Unwrap(t.Context(), a, []byte("ctx"))
	require.NoError(t, err)
	require.Equal(t, "root", string(got))
	_, err = s.Unwrap(t.Context(), a, []byte("other"))
	require.ErrorIs(t, err, ErrWrongKey)
	for i := range a {
		bad := append([]byte(nil), a...)
		bad[i] ^= 1
		_, err = s.Unwrap(t.Context(), bad, []byte("ctx"))
		require.ErrorIs(t, err, ErrWrongKey, "byte %d", i)
		_, err = s.Unwrap(t.Context(), a[:i], []byte("ctx"))
		require.ErrorIs(t, err, ErrWrongKey, "cut at %d", i)
	}
}

func TestABadlyKeptKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n int, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, make([]byte, n), 0o600))
		require.NoError(t, os.Chmod(p, mode))
		return p
	}
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(write("target", 32, 0o600), link))
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "operator keygen",
		write("short", 31, 0o600):  "31 bytes",
		write("long", 33, 0o600):   "33 bytes",
		write("group", 32, 0o640):  "chmod 600",
		write("others", 32, 0o604): "chmod 600",
		link:                       "symbolic link",
		dir:                        "not a regular file",
	} {
		_, err := OpenFile(path)
		require.ErrorContains(t, err, want, path)
	}
	_, err := os.Stat(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist, "a missing key is not made")
	if os.Geteuid() == 0 {
		p := write("foreign", 32, 0o600)
		require.NoError(t, os.Chown(p, 12345, 0))
		_, err := OpenFile(p)
		require.ErrorContains(t, err, "chown")
	}
}

func TestAPipeIsRefusedWithoutWaitingForAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	opened := make(chan error, 1)
	go func() {
		_, err := OpenFile(path)
		opened <- err
	}()
	select {
	case err := <-opened:
		require.ErrorContains(t, err, "not a regular file")
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a writer")
	}
}

func TestKeygenNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, Keygen(path))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorContains(t, Keygen(path), "exists")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAKeyShowsNothing(t *testing.T) {
	k := key{'s', 'e', 'c', 'r', 'e', 't'}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		require.Equal(t, "[redacted]", fmt.Sprintf(verb, k))
	}
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(b))
	require.NotContains(t, fmt.Sprintf("%+v", &File{"file", "p", k}), "115")
}
