// Package dynamic makes accounts at a real database through a cluster, and looks there for what is left of them.
package dynamic

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts/pg"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// rig is three nodes with a connection to a database and a role that may read a table.
type rig struct {
	*harness.Cluster
	db     *pg.Server
	client *sdk.Client
}

func newRig(t *testing.T) *rig {
	r := &rig{db: pg.Start(t), Cluster: harness.Start(t, harness.Options{Config: "egress: {allow: [127.0.0.1, \"::1\"]}\n"})}
	r.client = r.Client()
	r.db.Must("CREATE TABLE orders (id int)", "CREATE TABLE secret (id int)")
	ctx := t.Context()
	_, err := r.client.WriteConnection(ctx, "pg", r.spec())
	require.NoError(t, err)
	_, err = r.client.WriteDynamicRole(ctx, "pg", "readonly", sdk.DynamicRoleSpec{Grants: []string{"SELECT ON orders"}})
	require.NoError(t, err)
	return r
}

func (r *rig) spec() sdk.ConnectionSpec {
	return sdk.ConnectionSpec{Backend: "postgresql", Host: "localhost", Port: r.db.Port, CA: string(r.db.CA), Username: "postgres", Password: sdk.Secret(pg.RootPassword)}
}

// accounts are those of the connection that the database has.
func (r *rig) accounts() string {
	c, err := r.client.Connection(r.T.Context(), "pg")
	require.NoError(r.T, err)
	out, err := r.db.Ask("postgres", pg.RootPassword, fmt.Sprintf("SELECT coalesce(string_agg(rolname, ' '), '') FROM pg_roles WHERE starts_with(rolname, '%s')", c.Prefix))
	require.NoError(r.T, err)
	return out
}

// gone waits until the database has no account of the connection.
func (r *rig) gone() {
	r.T.Helper()
	r.Eventually("the accounts are gone at the database", func(context.Context) error {
		if left := r.accounts(); left != "" {
			return fmt.Errorf("there is still %s", left)
		}
		return nil
	})
}

func (r *rig) issue(c *sdk.Client, ttl time.Duration) sdk.DynamicCredential {
	r.T.Helper()
	out, err := c.IssueCredential(r.T.Context(), "pg", "readonly", ttl)
	require.NoError(r.T, err)
	return out
}

func (r *rig) reads(c sdk.DynamicCredential, table string) error {
	_, err := r.db.Ask(c.Username, string(c.Password), "SELECT count(*) FROM "+table)
	return err
}

// TestACredentialDoesWhatItsRoleSaysAndEndsWithItsLease: by time, by hand, and with its token.
func TestACredentialDoesWhatItsRoleSaysAndEndsWithItsLease(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	c := r.issue(r.client, 0)
	require.NoError(t, r.reads(c, "orders"))
	require.Error(t, r.reads(c, "secret"))
	require.Contains(t, c.Environment, "PGUSER="+c.Username)
	renewed, err := r.client.RenewLease(ctx, c.LeaseID, 3*time.Hour)
	require.NoError(t, err)
	until, err := r.db.Ask("postgres", pg.RootPassword, "SELECT extract(epoch FROM date_trunc('second', rolvaliduntil))::bigint FROM pg_roles WHERE rolname = '"+c.Username+"'")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(renewed.ExpiresAt.Unix()), until, "a renewal is carried through to the database")
	_, err = r.client.RevokeLease(ctx, c.LeaseID)
	require.NoError(t, err)
	r.gone()
	require.Error(t, r.reads(c, "orders"))

	short := r.issue(r.client, 10*time.Second)
	require.NoError(t, r.reads(short, "orders"))
	r.gone()

	_, err = r.client.WritePolicy(ctx, "app", []sdk.Rule{{Path: "dynamic/creds/pg/readonly", Capabilities: []string{"write"}}})
	require.NoError(t, err)
	app, err := r.client.CreateToken(ctx, sdk.Grant{Policies: []string{"app"}, Name: "app"})
	require.NoError(t, err)
	as, err := r.client.WithToken(app.Secret)
	require.NoError(t, err)
	require.NoError(t, r.reads(r.issue(as, 0), "orders"))
	require.NoError(t, r.client.RevokeToken(ctx, app.Accessor))
	r.gone()
	r.Check()
}

// TestNothingIsLeftWhenTheLeaderDies in the middle of issuing and revoking: what was acknowledged logs in until it is revoked, and all else is gone.
func TestNothingIsLeftWhenTheLeaderDies(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	acked := make(chan sdk.DynamicCredential, 10_000)
	for range 4 {
		go func() {
			for ctx.Err() == nil {
				if c, err := r.client.IssueCredential(ctx, "pg", "readonly", time.Hour); err == nil {
					acked <- c
				}
			}
		}()
	}
	for range 3 {
		time.Sleep(time.Second) // under load
		leader := r.Leader()
		leader.Kill()
		time.Sleep(time.Second) // another leads
		leader.Start()
		r.Ready(r.Nodes...)
	}
	stop()
	time.Sleep(time.Second) // until the last answers are there
	n := len(acked)
	require.Positive(t, n)
	t.Logf("%d credentials", n)
	for range min(n, 20) {
		c := <-acked
		require.NoError(t, r.reads(c, "orders"), "%s was acknowledged", c.Username)
	}
	_, err := r.client.RevokeLeases(t.Context(), "pg/")
	require.NoError(t, err)
	until := time.Now().Add(2 * time.Minute) // the reconciler takes 30 s
	for r.accounts() != "" && time.Now().Before(until) {
		time.Sleep(time.Second)
	}
	require.Empty(t, strings.Fields(r.accounts()))
	page, err := r.client.Leases(t.Context(), "", sdk.Slice{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	r.Check()
}

// TestTheClustersOwnPassword is one that nobody else knows.
func TestTheClustersOwnPassword(t *testing.T) {
	r := newRig(t)
	r.db.Must("CREATE ROLE dba CREATEROLE LOGIN PASSWORD 'first-password'", "GRANT SELECT ON orders TO dba WITH GRANT OPTION")
	s := r.spec()
	s.Username, s.Password = "dba", sdk.Secret("first-password")
	_, err := r.client.WriteConnection(t.Context(), "pg", s)
	require.NoError(t, err)
	known, err := r.client.RotateConnectionRoot(t.Context(), "pg")
	require.NoError(t, err)
	require.NotZero(t, known.RootRotatedAt)
	_, err = r.db.Ask("dba", "first-password", "SELECT 1")
	require.Error(t, err, "nobody else knows the password any more")
	c := r.issue(r.client, 0)
	require.NoError(t, r.reads(c, "orders"))
	_, err = r.client.RevokeLease(t.Context(), c.LeaseID)
	require.NoError(t, err)
	r.gone()
	r.Check()
}
