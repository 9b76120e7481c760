package upgrade

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// TestWhatFormerVersionsSealedIsWrappedAnew rotates every key of what a former version left, whose index of sealed values has no places in
// it, and reads everything with the new keys alone.
func TestWhatFormerVersionsSealedIsWrappedAnew(t *testing.T) {
	archives, err := filepath.Glob("testdata/v*-bolt.tar.gz")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			var want contents
			c := harness.Adopt(t, harness.Options{LogStore: "bolt", KMIP: true}, func(data, kek string) sdk.Secret {
				want = unpack(t, archive, data, kek)
				return sdk.Secret(want.Token)
			})
			require.Eventually(t, func() bool { // once the cluster has this binary's version
				_, err := c.Client().RotateRoot(t.Context(), true)
				return err == nil
			}, time.Minute, 100*time.Millisecond)
			require.Eventually(t, func() bool {
				all, err := c.Client().Rotations(t.Context())
				require.NoError(t, err)
				for _, r := range all {
					if r.EndedAt.IsZero() {
						return false
					}
				}
				return len(all) == len(want.Tenants)+1 // theirs and the root key's
			}, 2*time.Minute, 100*time.Millisecond)
			want.readIn(t, c)
			c.Nodes[0].Stop()
			c.Nodes[0].Start()
			c.Ready(c.Nodes[0])
			want.readIn(t, c)
			writeOn(t, c)
			c.Check()
		})
	}
}
