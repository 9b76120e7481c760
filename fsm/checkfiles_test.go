package fsm_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestAFlippedByteIsFound changes single bytes all over a closed store, in its write-ahead log and in its tables, and expects each
// to be found by the files' own checksums or by the chain.
func TestAFlippedByteIsFound(t *testing.T) {
	dir := t.TempDir()
	s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	p := &script{t: t, s: s}
	for i := range 300 {
		p.apply(note(t, strings.Repeat("n", i%7+1)))
	}
	require.NoError(t, s.Close())
	s, err = fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{}) // turns the first log into a table
	require.NoError(t, err)
	p.s = s
	for range 100 {
		p.apply(note(t, "later"))
	}
	require.NoError(t, s.Close())
	require.NoError(t, fsm.CheckFiles(t.Context(), dir))

	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".log" || ext == ".sst" {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		used := len(strings.TrimRight(string(b), "\x00"))
		for at := 64; at < used-64; at += used/23 + 1 {
			flipped := append([]byte(nil), b...)
			flipped[at] ^= 0x10
			require.NoError(t, os.WriteFile(path, flipped, 0o600))
			err := fsm.CheckFiles(t.Context(), dir)
			require.True(t, fault.Is(err, fault.Corrupt), "%s byte %d of %d: %v", filepath.Base(path), at, used, err)
			require.ErrorContains(t, err, filepath.Base(path))
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
}
