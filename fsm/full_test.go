package fsm_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestADiskWithoutSpaceIsAnErrorOfSync: Pebble panics when it cannot write its log, and whoever syncs the tables stands outside of Apply, which looks after that.
func TestADiskWithoutSpaceIsAnErrorOfSync(t *testing.T) {
	full := atomic.Bool{}
	files := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			return syscall.ENOSPC
		}
		return nil
	}))
	s, err := fsm.Open("tables", fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{FS: files})
	require.NoError(t, err)
	p := &script{t: t, s: s}
	p.apply(&fsm.Entry{Tenant: acme})
	require.NoError(t, s.Sync())
	full.Store(true)
	require.ErrorContains(t, s.Sync(), "no space left on device")
	ended := make(chan error, 1)
	go func() { ended <- s.Close() }()
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "not closed")
	case <-time.After(time.Minute):
		t.Fatal("the store does not end: neither would its node")
	}
}
