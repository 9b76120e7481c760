package system

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// anchored waits until the cluster has the hash of what a node has recorded so far.
func anchored(c *harness.Cluster, n *harness.Node, more int) {
	c.Eventually("the journal of "+n.ID+" anchored", func(ctx context.Context) error {
		v, err := c.ClientOf(n).VerifyAudit(ctx)
		if err == nil && v.Reads.Anchors < more {
			err = fmt.Errorf("%d anchors", v.Reads.Anchors)
		}
		return err
	})
}

// journalOf returns the newest file of a node's journal of reads.
func journalOf(t *testing.T, n *harness.Node) string {
	found, err := filepath.Glob(filepath.Join(n.Data, "journal", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found[len(found)-1]
}

func TestReadsAreOnRecordOnTheNodeThatAnsweredAndStayThere(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	value := planted()
	put(t, c.Client(), "db/password", value)
	for range 20 {
		for _, n := range c.Nodes {
			get(t, c.ClientOf(n), "db/password")
		}
	}
	for _, n := range c.Nodes {
		anchored(c, n, 1)
	}
	victim := c.Follower()
	before, err := c.ClientOf(victim).VerifyAudit(t.Context())
	require.NoError(t, err)
	victim.Kill()
	page, err := c.Client().Events(t.Context(), sdk.EventQuery{Source: sdk.SourceReads, Path: "db/password"})
	require.NoError(t, err)
	require.Len(t, page.Items, 40)
	require.Equal(t, victim.ID, page.Missing[0].Node, "a node that cannot be asked is named")
	victim.Start()
	c.Ready(victim)
	page, err = c.Client().Events(t.Context(), sdk.EventQuery{Source: sdk.SourceReads, Path: "db/password"})
	require.NoError(t, err)
	require.Len(t, page.Items, 60, "a killed process loses nothing that it answered")
	require.Empty(t, page.Missing)
	after, err := c.ClientOf(victim).VerifyAudit(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, after.Reads.Records, before.Reads.Records)
	c.Check(value)
}

func TestAJournalThatWasTamperedWithIsFound(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, file string) error{
		"deleted": func(_ *testing.T, file string) error { return os.RemoveAll(filepath.Dir(file)) },
		"cut off": func(_ *testing.T, file string) error { return os.Truncate(file, 300) },
	} {
		t.Run(name, func(t *testing.T) {
			c := harness.Start(t, harness.Options{})
			put(t, c.Client(), "a", []byte("x"))
			victim := c.Follower()
			for range 20 {
				get(t, c.ClientOf(victim), "a")
			}
			anchored(c, victim, 1)
			victim.Stop()
			require.NoError(t, tamper(t, journalOf(t, victim)))
			_, told, code := c.Command("", "audit", "verify", "--dir", victim.Data)
			require.Equal(t, 1, code, told)
			require.Contains(t, told, "the cluster has the hash of")
			victim.Start()
			c.Ready(victim)
			for range 50 { // it goes on, also past where it was
				get(t, c.ClientOf(victim), "a")
			}
			_, err := c.ClientOf(victim).VerifyAudit(t.Context())
			require.True(t, sdk.Is(err, sdk.Corrupt), "%v", err)
			shown, told, code := c.Command("", "audit", "verify")
			require.Equal(t, 1, code)
			require.Contains(t, shown, "the cluster has", "who looks is told what is wrong: %s", told)
			file := filepath.Join(t.TempDir(), "export")
			_, told, code = c.Command("", "audit", "export", "--file", file)
			require.Zero(t, code, told)
			_, told, code = c.Command("", "audit", "verify", file)
			require.Equal(t, 1, code)
			require.Contains(t, told, "journal of node "+victim.ID, "so is who has nothing but an export")
		})
	}
}

func TestAFullDiskUnderTheJournalRefusesReadsAndNothingElse(t *testing.T) {
	disk := tmpfs(t, 1)
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("x"))
	n := c.Follower()
	n.Stop()
	require.NoError(t, os.CopyFS(filepath.Join(disk, "journal"), os.DirFS(filepath.Join(n.Data, "journal"))))
	require.NoError(t, os.RemoveAll(filepath.Join(n.Data, "journal")))
	require.NoError(t, os.Symlink(filepath.Join(disk, "journal"), filepath.Join(n.Data, "journal")))
	n.Start()
	c.Ready(n)
	require.Equal(t, "x", string(get(t, c.ClientOf(n), "a")))

	filler, err := os.Create(filepath.Join(disk, "filler"))
	require.NoError(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	require.NoError(t, filler.Close())
	c.Eventually("reads refused", func(ctx context.Context) error { // its last page may have some room
		_, err := c.ClientOf(n).Get(ctx, "a", sdk.GetOptions{})
		if !sdk.Is(err, sdk.NoSpace) {
			return fmt.Errorf("not refused for want of space: %v", err)
		}
		return nil
	})
	_, err = c.ClientOf(n).Put(t.Context(), sdk.Item{Path: "b", Value: []byte("y")})
	require.NoError(t, err, "writes go on")
	_, err = c.ClientOf(n).Status(t.Context())
	require.NoError(t, err, "and so does the node")
	for _, other := range c.Nodes {
		if other != n {
			require.Equal(t, "y", string(get(t, c.ClientOf(other), "b")), "others answer")
		}
	}
	require.NoError(t, os.Remove(filler.Name()))
	c.Eventually("reads answered again", func(ctx context.Context) error {
		_, err := c.ClientOf(n).Get(ctx, "a", sdk.GetOptions{})
		return err
	})
	c.Check()
}

func TestSinksRunBehindAndAHangingOneStopsNothing(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer silent.Close()
	out := filepath.Join(t.TempDir(), "reads.jsonl")
	c := harness.Start(t, harness.Options{Config: fmt.Sprintf("audit: {sinks: [{kind: file, path: %s}, {kind: webhook, url: \"https://%s/\"}]}\negress: {allow: [127.0.0.1]}\n", out, silent.Addr())})
	value := planted()
	put(t, c.Client(), "db/password", value)
	for _, n := range c.Nodes {
		get(t, c.ClientOf(n), "db/password")
	}
	delivered := func(times int) {
		c.Eventually("reads carried on to the file", func(context.Context) error {
			b, err := os.ReadFile(out)
			if err != nil {
				return err
			}
			require.NotContains(t, string(b), string(value))
			if n := strings.Count(string(b), `"path":"db/password"`); n != times {
				return fmt.Errorf("%d of %d", n, times)
			}
			return nil
		})
	}
	delivered(3)
	n := c.Follower()
	n.Stop()
	n.Start()
	c.Ready(n)
	get(t, c.ClientOf(n), "db/password")
	delivered(4)
	c.Check(value)
}
