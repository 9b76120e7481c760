package upgrade

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

// makeArchive writes the archive of a stopped node on which one of everything was made.
func makeArchive(t *testing.T, store, archive string) {
	c := harness.Start(t, harness.Options{Nodes: 1, LogStore: store, RootTTL: rootTTL, KMIP: true})
	made := fill(t, c)
	c.Nodes[0].Stop()
	takeSnapshot(t, c.Nodes[0].Data)
	pack(t, archive, c.Nodes[0].Data, c.KEK(), made)
}

func fill(t *testing.T, c *harness.Cluster) contents {
	ctx, client := t.Context(), c.Client()
	made := contents{Token: string(c.Token), Cluster: cluster.Version, Secrets: map[string][]version{}, Latest: map[string]uint64{},
		Policies: map[string][]sdk.Rule{"app": {{Path: "secrets/app/*", Capabilities: []string{"read", "list"}}, {Path: "secrets/app/closed", Capabilities: []string{"deny"}}}},
		Tenants:  []string{"root", "acme"}}
	put := func(path, value string, labels map[string]string) {
		_, err := client.Put(ctx, sdk.Item{Path: path, Value: []byte(value), Labels: labels})
		require.NoError(t, err)
		made.Secrets[path] = append(made.Secrets[path], version{[]byte(value), "live", labels})
		made.Latest[path] = uint64(len(made.Secrets[path]))
	}
	put("db/password", "first", nil)
	put("db/password", "second", map[string]string{"owner": "ops", "ring": "1"})
	put("db/password", "binary \x00\xff\n", nil)
	put("app/key", "of the application", nil)
	put("app/reference", "${secret:app/key}", nil)
	put("deleted/one", "hidden", nil)
	put("purged/one", "destroyed", nil)
	put("purged/one", "this too", nil)
	put("partly/purged", "destroyed", nil)
	put("partly/purged", "still here", nil)

	_, err := client.Delete(ctx, "deleted/one", nil)
	require.NoError(t, err)
	made.Secrets["deleted/one"][0] = version{nil, "deleted", nil}
	made.Latest["deleted/one"] = 0
	_, err = client.PurgeAll(ctx, "purged/one")
	require.NoError(t, err)
	made.Secrets["purged/one"] = []version{{nil, "purged", nil}, {nil, "purged", nil}}
	made.Latest["purged/one"] = 0
	_, err = client.Put(ctx, sdk.Item{Path: carriedOn, Value: []byte("destroyed")})
	require.NoError(t, err)
	_, err = client.PurgeAll(ctx, carriedOn)
	require.NoError(t, err)
	_, err = client.Purge(ctx, "partly/purged", 1)
	require.NoError(t, err)
	made.Secrets["partly/purged"][0] = version{nil, "purged", nil}
	_, err = client.Rollback(ctx, "db/password", 2, nil)
	require.NoError(t, err)
	made.Secrets["db/password"] = append(made.Secrets["db/password"], made.Secrets["db/password"][1])
	made.Latest["db/password"] = 4
	_, err = client.Copy(ctx, "app/key", 0, "copied/key", nil)
	require.NoError(t, err)
	made.Secrets["copied/key"], made.Latest["copied/key"] = made.Secrets["app/key"], 1
	made.keys(t, client)
	made.appliances(t, c)
	made.others(t, client)
	return made
}

// others makes what is no secret, and notes the end of the event log.
func (made *contents) others(t *testing.T, client *sdk.Client) {
	ctx := t.Context()
	for name, rules := range made.Policies {
		_, err := client.WritePolicy(ctx, name, rules)
		require.NoError(t, err)
	}
	app, err := client.CreateToken(ctx, sdk.Grant{Policies: []string{"app"}, TTL: 768 * time.Hour, Name: "application"})
	require.NoError(t, err)
	made.App.Token, made.App.Path, made.App.Expires = string(app.Secret), "app/key", app.ExpiresAt
	dead, err := client.CreateToken(ctx, sdk.Grant{Policies: []string{"app"}, Name: "revoked"})
	require.NoError(t, err)
	require.NoError(t, client.RevokeToken(ctx, dead.Accessor))
	for _, name := range []string{"acme", "gone"} {
		_, err := client.CreateTenant(ctx, name)
		require.NoError(t, err)
	}
	require.NoError(t, client.DeleteTenant(ctx, "gone"))
	_, err = client.CreateJoinToken(ctx, "n2")
	require.NoError(t, err)
	page, err := client.Events(ctx, sdk.EventQuery{Source: sdk.SourceLog, Order: "desc", Limit: 1})
	require.NoError(t, err)
	made.Record = page.Items[0]
}

// takeSnapshot writes the snapshot that Raft would take at this point: of itself it does so after 64 MiB of log only.
func takeSnapshot(t *testing.T, data string) {
	s, err := fsm.Open(filepath.Join(data, "tables"), fsm.NewRegistry(), fsm.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	dir, err := raft.NewFileSnapshotStore(data, 2, nil)
	require.NoError(t, err)
	_, transport := raft.NewInmemTransport("")
	v, err := s.View()
	require.NoError(t, err)
	term := v.Term()
	require.NoError(t, v.Close())
	servers := raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: "n1@127.0.0.1:1"}}}
	sink, err := dir.Create(raft.SnapshotVersionMax, s.Applied(), term, servers, 1, transport)
	require.NoError(t, err)
	snapshot, err := s.FSM().Snapshot()
	require.NoError(t, err)
	require.NoError(t, snapshot.Persist(sink))
	snapshot.Release()
}
