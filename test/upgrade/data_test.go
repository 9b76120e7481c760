// Package upgrade proves that a cluster survives the change of its binary: data directories that former versions left are read, and nodes
// of two versions serve side by side.
package upgrade

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

var keep = flag.String("keep", "", "a `directory` for the archives of this version that the test makes")

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// contents is what must be readable in a data directory; it lies beside it in the archive.
type contents struct {
	Token    string                // root's, for 20 years
	Cluster  uint32                // version of the cluster
	Secrets  map[string][]version  // path -> versions, oldest first
	Latest   map[string]uint64     // path -> what get returns, 0 for nothing
	Policies map[string][]sdk.Rule // name -> rules
	Tenants  []string
	App      struct { // a token that may read Path, until Expires
		Token, Path string
		Expires     time.Time
	}
	Transit map[string]string // ciphertext of the key "orders" -> plaintext; since version 3
	Backup  []byte            // of the key "lost", which was deleted, and encrypted Lost
	Lost    string
	Array   appliance  // since version 4
	Record  sdk.Record // the last one of the event log
}

type version struct {
	Value  []byte // nil when nobody can read it
	State  string // live, expired, deleted or purged
	Labels map[string]string
}

// carriedOn is a path whose only version was purged.
const carriedOn = "purged/two"

// rootTTL outlives the archives' use.
const rootTTL = 20 * 365 * 24 * time.Hour

// TestADataDirectoryOfThisVersionIsReadByIt makes what the former versions' archives were made by, and with -keep the next of them.
func TestADataDirectoryOfThisVersionIsReadByIt(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "now.tar.gz")
			makeArchive(t, store, archive)
			if *keep != "" {
				b, err := os.ReadFile(archive)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(*keep, fmt.Sprintf("v%d-%s.tar.gz", cluster.Version, store)), b, 0o644))
			}
			readAll(t, store, archive)
		})
	}
}

// TestDataDirectoriesOfFormerVersionsAreRead starts this binary on what each former version left: on its tables, on its snapshot alone,
// on its log alone.
func TestDataDirectoriesOfFormerVersionsAreRead(t *testing.T) {
	archives, err := filepath.Glob("testdata/v*.tar.gz")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, archive := range archives {
		_, store, _ := strings.Cut(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), "-")
		t.Run(filepath.Base(archive), func(t *testing.T) { readAll(t, store, archive) })
	}
}

func readAll(t *testing.T, store, archive string) {
	for what, dirs := range map[string][]string{"tables": nil, "snapshot": {"tables"}, "log": {"tables", "snapshots"}} {
		t.Run(what, func(t *testing.T) {
			var want contents
			c := harness.Adopt(t, harness.Options{LogStore: store, KMIP: true}, func(data, kek string) sdk.Secret {
				want = unpack(t, archive, data, kek)
				for _, d := range dirs {
					require.NoError(t, os.RemoveAll(filepath.Join(data, d)))
				}
				return sdk.Secret(want.Token)
			})
			want.readIn(t, c)
			writeOn(t, c)
			c.Nodes[0].Stop() // what this version has written it reads again
			c.Nodes[0].Start()
			c.Ready(c.Nodes[0])
			want.readIn(t, c)
			c.Check()
		})
	}
}

// readIn requires that everything is as it was.
func (want contents) readIn(t *testing.T, c *harness.Cluster) {
	client := c.Client()
	for path, versions := range want.Secrets {
		history, err := client.Versions(t.Context(), path, sdk.Slice{})
		require.NoError(t, err)
		require.Len(t, history.Items, len(versions), path)
		for i, v := range versions {
			line := history.Items[len(versions)-1-i]
			require.Equal(t, v.State, line.State, "version %d of %s", i+1, path)
			require.Equal(t, v.Labels, line.Labels, "version %d of %s", i+1, path)
			got, err := client.Get(t.Context(), path, sdk.GetOptions{Version: uint64(i + 1)})
			if v.Value == nil {
				require.True(t, sdk.Is(err, sdk.NotFound), "version %d of %s: %v", i+1, path, err)
				continue
			}
			require.NoError(t, err, "version %d of %s", i+1, path)
			require.Equal(t, v.Value, got.Value, "version %d of %s", i+1, path)
		}
		got, err := client.Get(t.Context(), path, sdk.GetOptions{})
		if want.Latest[path] == 0 {
			require.True(t, sdk.Is(err, sdk.NotFound), "%s: %v", path, err)
			continue
		}
		require.NoError(t, err, path)
		require.Equal(t, want.Latest[path], got.Version, path)
	}
	want.keysIn(t, client)
	want.arrayIn(t, c)
	want.rightsIn(t, client)
	page, err := client.Events(t.Context(), sdk.EventQuery{After: strconv.FormatUint(want.Record.Seq-1, 10), Limit: 1})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, want.Record.Hash, page.Items[0].Hash, "record %d", want.Record.Seq)
}

func (want contents) rightsIn(t *testing.T, client *sdk.Client) {
	for name, rules := range want.Policies {
		p, err := client.Policy(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, rules, p.Rules)
	}
	page, err := client.Tenants(t.Context(), sdk.Slice{})
	require.NoError(t, err)
	var tenants []string
	for _, one := range page.Items {
		tenants = append(tenants, one.Name)
	}
	require.ElementsMatch(t, want.Tenants, tenants)
	app, err := client.WithToken(sdk.Secret(want.App.Token))
	require.NoError(t, err)
	v, err := app.Get(t.Context(), want.App.Path, sdk.GetOptions{})
	if time.Now().After(want.App.Expires) {
		require.True(t, sdk.Is(err, sdk.Unauthenticated), "a token that has expired: %v", err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want.Secrets[want.App.Path][want.Latest[want.App.Path]-1].Value, v.Value)
	_, err = app.Get(t.Context(), "db/password", sdk.GetOptions{})
	require.True(t, sdk.Is(err, sdk.Denied), "%v", err)
}

// writeOn shows that the old keys, counters and chains are carried on.
func writeOn(t *testing.T, c *harness.Cluster) {
	for _, path := range []string{"new/path", carriedOn} {
		value := []byte("written by a later version")
		w, err := c.Client().Put(t.Context(), sdk.Item{Path: path, Value: value})
		require.NoError(t, err)
		if path == carriedOn {
			require.EqualValues(t, 2, w.Version, "a purged path goes on where it was")
		}
		got, err := c.Client().Get(t.Context(), path, sdk.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, value, got.Value)
		_, err = c.Client().PurgeAll(t.Context(), path)
		require.NoError(t, err)
	}
	_, err := c.Client().CreateToken(t.Context(), sdk.Grant{Policies: []string{"app"}, TTL: time.Hour})
	require.NoError(t, err)
}

func (want contents) marshal(t *testing.T) []byte {
	b, err := json.MarshalIndent(want, "", " ")
	require.NoError(t, err)
	return b
}
