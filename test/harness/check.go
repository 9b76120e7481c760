package harness

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// Check proves what must hold after every test, of the nodes that run: the same digest at the same index, a whole audit
// chain, and no planted secret in any data directory, log or argument list.
func (c *Cluster) Check(planted ...[]byte) {
	c.T.Helper()
	c.Eventually("the same digest everywhere", c.sameDigest)
	for _, n := range c.Nodes {
		if n.Running() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			_, err := c.ClientOf(n).VerifyAudit(ctx)
			cancel()
			require.NoError(c.T, err, "audit chain of %s", n.ID)
		}
	}
	c.nowhere(append(planted, c.Token))
}

func (c *Cluster) sameDigest(ctx context.Context) error {
	var at uint64
	var digest string
	for _, n := range c.Nodes {
		if !n.Running() {
			continue
		}
		d, err := c.ClientOf(n).Digest(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.ID, err)
		}
		if digest == "" {
			at, digest = d.Index, d.Digest
		}
		if d.Index != at {
			return fmt.Errorf("%s is at index %d, another at %d", n.ID, d.Index, at)
		}
		require.Equal(c.T, digest, d.Digest, "%s differs at index %d", n.ID, at)
	}
	return nil
}

// nowhere looks for secrets in the files of the cluster and in the argument lists of its processes.
func (c *Cluster) nowhere(planted [][]byte) {
	c.T.Helper()
	roots := []string{c.Dir}
	for _, n := range c.Nodes {
		if !strings.HasPrefix(n.Data, c.Dir) {
			roots = append(roots, n.Data)
		}
		if n.Running() {
			args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n.PID()))
			require.NoError(c.T, err)
			c.lacks("arguments of "+n.ID, args, planted)
		}
	}
	for _, root := range roots {
		require.NoError(c.T, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // files come and go under a running node
			}
			b, err := os.ReadFile(path)
			if err == nil {
				c.lacks(path, b, planted)
			}
			return nil
		}))
	}
}

func (c *Cluster) lacks(where string, b []byte, planted [][]byte) {
	for i, secret := range planted {
		if len(secret) > 0 && bytes.Contains(b, secret) {
			c.T.Errorf("planted secret %d stands in %s", i+1, where)
		}
	}
}
