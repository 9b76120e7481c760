package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDynamicRoutes holds every method against its route and body.
func TestDynamicRoutes(t *testing.T) {
	spec := ConnectionSpec{Backend: "postgresql", Host: "db", Port: 5432, Username: "dba", Password: Secret(`a "secret"`), Options: map[string]string{"heir": "x"}}
	for want, call := range map[string]func(context.Context, *Client) error{
		`PUT /api/v1/dynamic/connections/pg {"backend":"postgresql","host":"db","port":5432,"username":"dba","password":"a \"secret\"","options":{"heir":"x"}}`: func(ctx context.Context, c *Client) error {
			_, err := c.WriteConnection(ctx, "pg", spec)
			return err
		},
		`PUT /api/v1/dynamic/connections/pg {"backend":"","host":"","username":""}`: func(ctx context.Context, c *Client) error {
			_, err := c.WriteConnection(ctx, "pg", ConnectionSpec{})
			return err
		},
		`DELETE /api/v1/dynamic/connections/pg `:                 func(ctx context.Context, c *Client) error { return c.DeleteConnection(ctx, "pg") },
		`POST /api/v1/dynamic/connections/pg/rotate-root {}`:     func(ctx context.Context, c *Client) error { _, err := c.RotateConnectionRoot(ctx, "pg"); return err },
		`POST /api/v1/dynamic/connections/pg/sweep {"all":true}`: func(ctx context.Context, c *Client) error { _, err := c.SweepConnection(ctx, "pg", true); return err },
		`PUT /api/v1/dynamic/roles/pg/r {"grants":["g"],"ttl":"1h0m0s","max_ttl":"24h0m0s","max_leases":3}`: func(ctx context.Context, c *Client) error {
			_, err := c.WriteDynamicRole(ctx, "pg", "r", DynamicRoleSpec{Grants: []string{"g"}, TTL: time.Hour, MaxTTL: 24 * time.Hour, MaxLeases: 3})
			return err
		},
		`PUT /api/v1/dynamic/roles/pg/r {"grants":[]}`: func(ctx context.Context, c *Client) error {
			_, err := c.WriteDynamicRole(ctx, "pg", "r", DynamicRoleSpec{})
			return err
		},
		`DELETE /api/v1/dynamic/roles/pg/r `: func(ctx context.Context, c *Client) error { return c.DeleteDynamicRole(ctx, "pg", "r") },
		`POST /api/v1/dynamic/creds/pg/r {"ttl":"30m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.IssueCredential(ctx, "pg", "r", 30*time.Minute)
			return err
		},
		`POST /api/v1/leases/renew/pg/r/x {}`:                func(ctx context.Context, c *Client) error { _, err := c.RenewLease(ctx, "pg/r/x", 0); return err },
		`POST /api/v1/leases/revoke/pg/r/x {}`:               func(ctx context.Context, c *Client) error { _, err := c.RevokeLease(ctx, "pg/r/x"); return err },
		`POST /api/v1/leases/force/pg/r/x {}`:                func(ctx context.Context, c *Client) error { _, err := c.ForceLease(ctx, "pg/r/x"); return err },
		`POST /api/v1/leases/forget/pg/r/x {}`:               func(ctx context.Context, c *Client) error { _, err := c.ForgetLease(ctx, "pg/r/x"); return err },
		`POST /api/v1/leases/revoke-prefix {"prefix":"pg/"}`: func(ctx context.Context, c *Client) error { _, err := c.RevokeLeases(ctx, "pg/"); return err },
		`POST /api/v1/outbox/7.0/requeue {}`:                 func(ctx context.Context, c *Client) error { _, err := c.RequeueMessage(ctx, "7.0"); return err },
		`DELETE /api/v1/outbox/7.0 `:                         func(ctx context.Context, c *Client) error { _, err := c.DropMessage(ctx, "7.0"); return err },
	} {
		var sent string
		f := newFake(t, body(&sent, map[string]any{}))
		require.NoError(t, call(t.Context(), client(t, f)), want)
		r := f.requests()[0]
		require.Equal(t, want, r.method+" "+r.target+" "+sent)
		require.NotEmpty(t, r.key, want)
	}
}

// TestDynamicReads are asked for without an idempotency key.
func TestDynamicReads(t *testing.T) {
	for want, call := range map[string]func(context.Context, *Client) error{
		`/api/v1/dynamic/connections?limit=5`:  func(ctx context.Context, c *Client) error { _, err := c.Connections(ctx, Slice{Limit: 5}); return err },
		`/api/v1/dynamic/connections/pg`:       func(ctx context.Context, c *Client) error { _, err := c.Connection(ctx, "pg"); return err },
		`/api/v1/dynamic/connections/pg/roles`: func(ctx context.Context, c *Client) error { _, err := c.DynamicRoles(ctx, "pg", Slice{}); return err },
		`/api/v1/dynamic/roles/pg/r`:           func(ctx context.Context, c *Client) error { _, err := c.DynamicRole(ctx, "pg", "r"); return err },
		`/api/v1/leases?cursor=x&prefix=pg%2F`: func(ctx context.Context, c *Client) error {
			_, err := c.Leases(ctx, "pg/", Slice{Cursor: "x"})
			return err
		},
		`/api/v1/leases/lookup/pg/r/x`: func(ctx context.Context, c *Client) error { _, err := c.Lease(ctx, "pg/r/x"); return err },
		`/api/v1/outbox?destination=d&kind=k&parked=true`: func(ctx context.Context, c *Client) error {
			_, err := c.Outbox(ctx, OutboxQuery{Kind: "k", Destination: "d", Parked: true})
			return err
		},
		`/api/v1/outbox/7.0`: func(ctx context.Context, c *Client) error { _, err := c.OutboxMessage(ctx, "7.0"); return err },
	} {
		f := newFake(t, answer(map[string]any{}))
		require.NoError(t, call(t.Context(), client(t, f)), want)
		require.Equal(t, want, f.requests()[0].target)
		require.Empty(t, f.requests()[0].key)
	}
}

// TestACredentialPrintsNothing but is there.
func TestACredentialPrintsNothing(t *testing.T) {
	f := newFake(t, answer(map[string]any{"username": "u", "password": "of-the-account", "lease_id": "pg/r/x", "port": 5432, "expires_at": "2030-01-01T00:00:00Z"}))
	out, err := client(t, f).IssueCredential(t.Context(), "pg", "r", 0)
	require.NoError(t, err)
	require.Equal(t, "of-the-account", string(out.Password))
	require.Equal(t, 2030, out.ExpiresAt.Year())
	written, err := json.Marshal(out)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v %s", out, written), "of-the-account")
	for _, bad := range [][2]string{{"a/b", "r"}, {"pg", ""}, {"..", "r"}} {
		_, err = client(t, f).IssueCredential(t.Context(), bad[0], bad[1], 0)
		require.Equal(t, Invalid, KindOf(err))
	}
}
