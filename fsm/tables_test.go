package fsm_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestDamageUnderAnOpenStoreIsFound changes the table files of a store that runs.
func TestDamageUnderAnOpenStoreIsFound(t *testing.T) {
	dir := t.TempDir()
	s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p := &script{t: t, s: s}
	p.apply(note(t, "a"))
	snap, err := s.FSM().Snapshot()
	require.NoError(t, err)
	require.NoError(t, snap.Persist(&diskSink{})) // writes a table file
	snap.Release()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, files)

	rests := 0
	require.NoError(t, s.CheckTables(t.Context(), func() { rests++ }))
	require.Equal(t, len(files), rests, "it rests after each file")
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[len(b)/3] ^= 1
	require.NoError(t, os.WriteFile(files[0], b, 0o600))
	err = s.CheckTables(t.Context(), func() {})
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	require.ErrorContains(t, err, filepath.Base(files[0]))
}

func TestOpenNamesDamageAndTheWayOut(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"which tables are current": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "CURRENT"), []byte("x\n"), 0o600))
		},
		"pebble's manifest": func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "1", "MANIFEST-*"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, f := range files {
				require.NoError(t, os.WriteFile(f, []byte("junk that is no manifest"), 0o600))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
			require.NoError(t, err)
			(&script{t: t, s: s}).apply(note(t, "a"))
			require.NoError(t, s.Close())
			damage(t, dir)
			_, err = fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
			require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
			require.ErrorContains(t, err, dir)
			require.ErrorContains(t, err, "move that directory aside")
		})
	}
}

func TestTwoNodesDoNotShareTables(t *testing.T) {
	dir := t.TempDir()
	s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.ErrorContains(t, err, "another node")
	require.False(t, fault.Is(err, fault.Corrupt), "nothing is damaged: %v", err)
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = s.View()
	require.True(t, fault.Is(err, fault.NotDone), "%v", err)
	require.True(t, fault.Is(s.Rehearse(1, nil), fault.NotDone))
	require.True(t, fault.Is(restoreBytes(s, nil), fault.NotDone))
}
