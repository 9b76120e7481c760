// Package kmip plays what others have published, and other clients, against a cluster.
package kmip

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/kmip/replay"
	"github.com/trstctl/trstctl/test/parts"
)

// TestPublishedCasesOnACluster plays the cases of OASIS, each group in a tenant of its own and each connection on another node. TRSTCTL_KMIP_CASES names their folder.
func TestPublishedCasesOnACluster(t *testing.T) {
	dir := os.Getenv("TRSTCTL_KMIP_CASES")
	if dir == "" {
		dir = filepath.FromSlash("../../../shared/kmip/oasis")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the published KMIP test cases are not here; TRSTCTL_KMIP_CASES names their folder")
	}
	groups, err := replay.Load(dir)
	require.NoError(t, err)
	skip := replay.Unsupported(groups)
	c, turn := cluster(t), &atomic.Uint32{}
	t.Run("cases", func(t *testing.T) {
		for i, g := range groups {
			t.Run(g.Name, func(t *testing.T) {
				t.Parallel()
				a := enrol(t, c, fmt.Sprintf("t%d", i))
				for _, r := range replay.Run(t.Context(), g, a.dial(c.Nodes, turn), replay.Options{NotApplicable: skip}) {
					if r.Outcome == replay.Failed {
						t.Error(r)
					}
				}
			})
		}
	})
	c.Check()
}

// TestPyKMIP has an independent client do its work through each of three nodes.
func TestPyKMIP(t *testing.T) {
	const python = "/usr/bin/python3"
	parts.Need(t, "/usr/lib/python3/dist-packages/kmip/__init__.py", "python3-pykmip")
	c := cluster(t)
	paths := enrol(t, c, "appliances").files()
	for _, n := range c.Nodes {
		host, port, err := net.SplitHostPort(n.KMIP)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, python, "testdata/pykmip.py", host, port, paths[0], paths[1], paths[2], "volume at "+n.ID).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.True(t, strings.HasSuffix(string(out), "ok\n"), "%s", out) // before it stands that there is no configuration file
	}
	c.Check()
}
