package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

const compares = "was not stopped in order"

// tamper changes a row of the tables of a node that does not run, in a way that Pebble's checksums bear.
func tamper(t *testing.T, n *harness.Node) {
	generation, err := os.ReadFile(filepath.Join(n.Data, "tables", "CURRENT"))
	require.NoError(t, err)
	db, err := pebble.Open(filepath.Join(n.Data, "tables", strings.TrimSpace(string(generation))), &pebble.Options{FormatMajorVersion: pebble.FormatWALSyncChunks, Logger: quiet{t}})
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte("t\x00a row that nobody wrote"), []byte("x"), pebble.Sync))
	require.NoError(t, db.Close())
}

// quiet fails the test where Pebble would end the process.
type quiet struct{ t *testing.T }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (q quiet) Fatalf(format string, args ...any) {
	q.t.Fatalf(format, args...)
}

// TestTamperedTablesAreNotServed changes the tables of one node behind its back: it never serves, says why, and serves again once they have
// been made anew.
func TestTamperedTablesAreNotServed(t *testing.T) {
	for name, end := range map[string]func(*harness.Node){"after a crash": (*harness.Node).Kill, "after a stop in order": (*harness.Node).Stop} {
		t.Run(name, func(t *testing.T) {
			c := harness.Start(t, harness.Options{})
			put(t, c.Client(), "a", []byte("x"))
			n := c.Follower()
			end(n)
			tamper(t, n)
			n.Start()
			c.Eventually("quarantine", func(ctx context.Context) error {
				err := c.ClientOf(n).Ready(ctx)
				if err == nil || !strings.Contains(err.Error(), "quarantined: its tables differ") {
					return errors.Join(errors.New("it is not in quarantine"), err)
				}
				return nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.ClientOf(n).Get(ctx, "a", sdk.GetOptions{})
			require.ErrorContains(t, err, "quarantined")
			require.Equal(t, "x", string(get(t, c.Client(), "a")), "the others serve")

			n.Stop() // in order, which makes the tables no better
			n.Start()
			c.Eventually("quarantine again", func(ctx context.Context) error {
				if err := c.ClientOf(n).Ready(ctx); err == nil || !strings.Contains(err.Error(), "quarantined") {
					return errors.Join(errors.New("it is not in quarantine"), err)
				}
				return nil
			})
			n.Stop()
			require.NoError(t, os.Rename(filepath.Join(n.Data, "tables"), filepath.Join(n.Data, "tables.aside")))
			n.Start()
			c.Ready(n)
			c.Check()
		})
	}
}

// TestAStopInOrderIsTrusted: only who was not stopped in order has to prove its tables before it serves.
func TestAStopInOrderIsTrusted(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("x"))
	n := c.Follower()
	marker := filepath.Join(n.Data, "tables", "orderly")
	require.NoFileExists(t, marker, "while it runs")
	n.Stop()
	require.FileExists(t, marker)
	n.Start()
	c.Ready(n)
	require.NoFileExists(t, marker)
	n.Kill()
	require.NoFileExists(t, marker)
	others := c.Nodes
	for _, o := range others {
		if o != n {
			o.Pause()
		}
	}
	n.Start()
	c.Eventually("a node that waits for the others", func(ctx context.Context) error {
		_, err := c.ClientOf(n).Get(ctx, "a", sdk.GetOptions{})
		if err == nil || !strings.Contains(err.Error(), compares) {
			return errors.Join(errors.New("it does not say that it compares"), err)
		}
		return nil
	})
	for _, o := range others {
		o.Resume()
	}
	c.Ready(c.Nodes...)
	c.Check()
}
