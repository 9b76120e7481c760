package parts

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// told is a test that remembers how it was ended.
type told struct {
	testing.TB
	skipped, failed bool
}

func (t *told) Helper() {}

func (t *told) Skipf(string, ...any) { t.skipped = true; runtime.Goexit() }

func (t *told) Fatalf(string, ...any) { t.failed = true; runtime.Goexit() }

// need runs Need as a test of its own would.
func need(t *testing.T, file, debianPackage string) (path string, end told) {
	end.TB = t
	done := make(chan struct{})
	go func() {
		defer close(done)
		path = Need(&end, file, debianPackage)
	}()
	<-done
	return path, end
}

func TestWhatIsThereIsFound(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("TRSTCTL_REAL_PARTS", "required")
	built := filepath.Join(cache(), "a-built-part")
	require.NoError(t, os.MkdirAll(cache(), 0o700))
	require.NoError(t, os.WriteFile(built, []byte("#!/bin/sh\n"), 0o700))

	path, end := need(t, "a-built-part", "")
	require.Equal(t, built, path)
	require.False(t, end.failed || end.skipped)
	path, _ = need(t, built, "")
	require.Equal(t, built, path, "an absolute path")
	path, _ = need(t, "sh", "systemd")
	require.True(t, filepath.IsAbs(path), path)
}

func TestWhatIsMissingSkipsOrFails(t *testing.T) {
	for _, file := range []string{"no-such-program", "/no/such/module.so"} {
		t.Setenv("TRSTCTL_REAL_PARTS", "")
		_, end := need(t, file, "haproxy")
		require.True(t, end.skipped && !end.failed, file)
		t.Setenv("TRSTCTL_REAL_PARTS", "required")
		_, end = need(t, file, "haproxy")
		require.True(t, end.failed && !end.skipped, file)
	}
	t.Setenv("TRSTCTL_REAL_PARTS", "")
	_, end := need(t, "sh", "a-package-that-nobody-installs")
	require.True(t, end.failed, "a package that is not in packages.txt")
}
