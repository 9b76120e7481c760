package sdk

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// usesKey matches what changes no key, and is asked with POST all the same.
var usesKey = regexp.MustCompile("^" + api + "/transit/(encrypt|decrypt|rewrap|datakey|datakey-plaintext|sign|verify|hmac|hash|random|export)(/k)?$")

// TestRoutes holds every method against the route, and says which of them change something.
func TestRoutes(t *testing.T) {
	cas := uint64(0)
	for want, call := range map[string]func(context.Context, *Client) error{
		"PUT /api/v1/secrets/store/a/b%20c%3F": func(ctx context.Context, c *Client) error {
			_, err := c.Put(ctx, Item{Path: "a/b c?"})
			return err
		},
		"DELETE /api/v1/secrets/store/a?cas=0": func(ctx context.Context, c *Client) error { _, err := c.Delete(ctx, "a", &cas); return err },
		"POST /api/v1/secrets/undelete/a":      func(ctx context.Context, c *Client) error { _, err := c.Undelete(ctx, "a"); return err },
		"POST /api/v1/secrets/rollback/a":      func(ctx context.Context, c *Client) error { _, err := c.Rollback(ctx, "a", 1, nil); return err },
		"POST /api/v1/secrets/purge/a":         func(ctx context.Context, c *Client) error { _, err := c.PurgeAll(ctx, "a"); return err },
		"POST /api/v1/secrets/import":          func(ctx context.Context, c *Client) error { _, err := c.Import(ctx, []Item{{Path: "a"}}); return err },
		"POST /api/v1/secrets/move":            func(ctx context.Context, c *Client) error { _, err := c.Move(ctx, "a", "b", nil); return err },
		"POST /api/v1/secrets/copy":            func(ctx context.Context, c *Client) error { _, err := c.Copy(ctx, "a", 0, "b", &cas); return err },
		"POST /api/v1/tokens":                  func(ctx context.Context, c *Client) error { _, err := c.CreateToken(ctx, Grant{}); return err },
		"POST /api/v1/tokens/self/renew":       func(ctx context.Context, c *Client) error { _, err := c.RenewToken(ctx, Self, time.Hour); return err },
		"POST /api/v1/tokens/acc_1/revoke":     func(ctx context.Context, c *Client) error { return c.RevokeToken(ctx, "acc_1") },
		"PUT /api/v1/policies/p":               func(ctx context.Context, c *Client) error { _, err := c.WritePolicy(ctx, "p", nil); return err },
		"DELETE /api/v1/policies/p":            func(ctx context.Context, c *Client) error { return c.DeletePolicy(ctx, "p") },
		"POST /api/v1/tenants":                 func(ctx context.Context, c *Client) error { _, err := c.CreateTenant(ctx, "t"); return err },
		"DELETE /api/v1/tenants/t":             func(ctx context.Context, c *Client) error { return c.DeleteTenant(ctx, "t") },
		"DELETE /api/v1/sys/members/n2":        func(ctx context.Context, c *Client) error { return c.RemoveMember(ctx, "n2") },
		"POST /api/v1/sys/join-tokens":         func(ctx context.Context, c *Client) error { _, err := c.CreateJoinToken(ctx, "n2"); return err },
		"POST /api/v1/sys/transfer":            func(ctx context.Context, c *Client) error { _, err := c.TransferFrom(ctx, "n1", ""); return err },
		"GET /api/v1/secrets/store/a?expand=true": func(ctx context.Context, c *Client) error {
			_, err := c.Get(ctx, "a", GetOptions{Expand: true})
			return err
		},
		"GET /api/v1/secrets/list?folders=true&limit=5&prefix=db%2F": func(ctx context.Context, c *Client) error {
			_, err := c.List(ctx, ListOptions{Slice{"", 5}, "db/", true})
			return err
		},
		"GET /api/v1/secrets/versions/a?cursor=x": func(ctx context.Context, c *Client) error {
			_, err := c.Versions(ctx, "a", Slice{Cursor: "x"})
			return err
		},
		"GET /api/v1/tokens":         func(ctx context.Context, c *Client) error { _, err := c.Tokens(ctx, Slice{}); return err },
		"GET /api/v1/tokens/self":    func(ctx context.Context, c *Client) error { _, err := c.LookupToken(ctx, Self); return err },
		"GET /api/v1/policies":       func(ctx context.Context, c *Client) error { _, err := c.Policies(ctx, Slice{}); return err },
		"GET /api/v1/policies/p":     func(ctx context.Context, c *Client) error { _, err := c.Policy(ctx, "p"); return err },
		"POST /api/v1/policies/test": func(ctx context.Context, c *Client) error { _, err := c.TestPolicy(ctx, "a", "read", nil); return err },
		"GET /api/v1/tenants":        func(ctx context.Context, c *Client) error { _, err := c.Tenants(ctx, Slice{}); return err },
		"GET /api/v1/tenants/t":      func(ctx context.Context, c *Client) error { _, err := c.Tenant(ctx, "t"); return err },
		"GET /api/v1/audit/events?after=7&order=desc&type=x": func(ctx context.Context, c *Client) error {
			_, err := c.Events(ctx, EventQuery{After: "7", Order: "desc", Type: "x"})
			return err
		},
		"GET /api/v1/audit/events?actor=a&path=p&since=2026-01-02T03%3A04%3A05Z&source=reads": func(ctx context.Context, c *Client) error {
			_, err := c.Events(ctx, EventQuery{Actor: "a", Path: "p", Source: SourceReads, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
			return err
		},
		"GET /api/v1/audit/key":    func(ctx context.Context, c *Client) error { _, err := c.AuditKey(ctx); return err },
		"GET /api/v1/audit/verify": func(ctx context.Context, c *Client) error { _, err := c.VerifyAudit(ctx); return err },
		"GET /api/v1/audit/export": func(ctx context.Context, c *Client) error {
			_, err := c.ExportAudit(ctx, EventQuery{}, &bytes.Buffer{})
			return err
		},
		"POST /api/v1/transit/encrypt/k": func(ctx context.Context, c *Client) error { _, err := c.Encrypt(ctx, "k", EncryptItem{}); return err },
		"POST /api/v1/transit/decrypt/k": func(ctx context.Context, c *Client) error { _, err := c.Decrypt(ctx, "k", DecryptItem{}); return err },
		"POST /api/v1/transit/rewrap/k":  func(ctx context.Context, c *Client) error { _, err := c.Rewrap(ctx, "k", RewrapItem{}); return err },
		"POST /api/v1/transit/datakey/k": func(ctx context.Context, c *Client) error {
			_, err := c.DataKey(ctx, "k", DataKeyItem{}, false)
			return err
		},
		"POST /api/v1/transit/datakey-plaintext/k": func(ctx context.Context, c *Client) error {
			_, err := c.DataKey(ctx, "k", DataKeyItem{}, true)
			return err
		},
		"POST /api/v1/transit/sign/k":   func(ctx context.Context, c *Client) error { _, err := c.Sign(ctx, "k", SignItem{}); return err },
		"POST /api/v1/transit/verify/k": func(ctx context.Context, c *Client) error { _, err := c.Verify(ctx, "k", VerifyItem{}); return err },
		"POST /api/v1/transit/hmac/k":   func(ctx context.Context, c *Client) error { _, err := c.HMAC(ctx, "k", HMACItem{}); return err },
		"POST /api/v1/transit/hash":     func(ctx context.Context, c *Client) error { _, err := c.Hash(ctx, nil, ""); return err },
		"POST /api/v1/transit/random":   func(ctx context.Context, c *Client) error { _, err := c.Random(ctx, 8); return err },
		"GET /api/v1/transit/keys?limit=5": func(ctx context.Context, c *Client) error {
			_, err := c.TransitKeys(ctx, Slice{Limit: 5})
			return err
		},
		"GET /api/v1/transit/keys/k": func(ctx context.Context, c *Client) error { _, err := c.TransitKey(ctx, "k"); return err },
		"GET /api/v1/transit/keys/k/versions?cursor=7": func(ctx context.Context, c *Client) error {
			_, err := c.TransitKeyVersions(ctx, "k", Slice{Cursor: "7"})
			return err
		},
		"POST /api/v1/transit/keys/k": func(ctx context.Context, c *Client) error {
			_, err := c.CreateTransitKey(ctx, "k", TransitSpec{})
			return err
		},
		"DELETE /api/v1/transit/keys/k":      func(ctx context.Context, c *Client) error { _, err := c.DeleteTransitKey(ctx, "k"); return err },
		"POST /api/v1/transit/keys/k/rotate": func(ctx context.Context, c *Client) error { _, err := c.RotateTransitKey(ctx, "k"); return err },
		"POST /api/v1/transit/keys/k/configure": func(ctx context.Context, c *Client) error {
			_, err := c.ConfigureTransitKey(ctx, "k", TransitChange{})
			return err
		},
		"POST /api/v1/transit/keys/k/trim": func(ctx context.Context, c *Client) error { _, err := c.TrimTransitKey(ctx, "k", 2); return err },
		"POST /api/v1/transit/keys/k/import": func(ctx context.Context, c *Client) error {
			_, err := c.ImportTransitKey(ctx, "k", TransitImport{})
			return err
		},
		"POST /api/v1/transit/wrapping-key":        func(ctx context.Context, c *Client) error { _, err := c.WrappingKey(ctx); return err },
		"POST /api/v1/transit/wrapping-key/rotate": func(ctx context.Context, c *Client) error { _, err := c.RotateWrappingKey(ctx); return err },
		"GET /api/v1/transit/export/k?format=pem&version=2": func(ctx context.Context, c *Client) error {
			_, err := c.ExportTransitKey(ctx, "k", 2, "pem")
			return err
		},
		"POST /api/v1/transit/export/k": func(ctx context.Context, c *Client) error {
			_, err := c.ExportTransitKeyTo(ctx, "k", "PEM")
			return err
		},
		"GET /api/v1/transit/backup/k":         func(ctx context.Context, c *Client) error { _, err := c.BackupTransitKey(ctx, "k"); return err },
		"POST /api/v1/transit/restore/k":       func(ctx context.Context, c *Client) error { _, err := c.RestoreTransitKey(ctx, "k", nil); return err },
		"POST /api/v1/kmip/ca":                 func(ctx context.Context, c *Client) error { _, err := c.InitKMIPCA(ctx, ""); return err },
		"GET /api/v1/kmip/ca":                  func(ctx context.Context, c *Client) error { _, err := c.KMIPCAs(ctx); return err },
		"POST /api/v1/kmip/ca/rotate":          func(ctx context.Context, c *Client) error { _, err := c.RotateKMIPCA(ctx, ""); return err },
		"PUT /api/v1/kmip/ca/external/partner": func(ctx context.Context, c *Client) error { _, err := c.AddKMIPCA(ctx, "partner", "PEM"); return err },
		"DELETE /api/v1/kmip/ca/0a":            func(ctx context.Context, c *Client) error { _, err := c.RemoveKMIPCA(ctx, "0a"); return err },
		"GET /api/v1/kmip/server/roots":        func(ctx context.Context, c *Client) error { _, err := c.KMIPRoots(ctx); return err },
		"POST /api/v1/kmip/server/rotate":      func(ctx context.Context, c *Client) error { _, err := c.RotateKMIPServerCA(ctx, "", 0); return err },
		"GET /api/v1/kmip/roles?limit=5":       func(ctx context.Context, c *Client) error { _, err := c.KMIPRoles(ctx, Slice{Limit: 5}); return err },
		"GET /api/v1/kmip/roles/r":             func(ctx context.Context, c *Client) error { _, err := c.KMIPRole(ctx, "r"); return err },
		"PUT /api/v1/kmip/roles/r":             func(ctx context.Context, c *Client) error { _, err := c.SetKMIPRole(ctx, "r", KMIPRole{}); return err },
		"DELETE /api/v1/kmip/roles/r":          func(ctx context.Context, c *Client) error { _, err := c.DeleteKMIPRole(ctx, "r"); return err },
		"GET /api/v1/kmip/clients?cursor=x": func(ctx context.Context, c *Client) error {
			_, err := c.KMIPClients(ctx, Slice{Cursor: "x"})
			return err
		},
		"GET /api/v1/kmip/clients/c": func(ctx context.Context, c *Client) error { _, err := c.KMIPClient(ctx, "c"); return err },
		"POST /api/v1/kmip/clients/c": func(ctx context.Context, c *Client) error {
			_, err := c.EnrolKMIPClient(ctx, "c", KMIPEnrolment{})
			return err
		},
		"PATCH /api/v1/kmip/clients/c": func(ctx context.Context, c *Client) error {
			_, err := c.ConfigureKMIPClient(ctx, "c", KMIPChange{})
			return err
		},
		"DELETE /api/v1/kmip/clients/c": func(ctx context.Context, c *Client) error { _, err := c.DeleteKMIPClient(ctx, "c"); return err },
		"POST /api/v1/kmip/clients/c/renew": func(ctx context.Context, c *Client) error {
			_, err := c.RenewKMIPClient(ctx, "c", KMIPSource{}, nil)
			return err
		},
		"POST /api/v1/kmip/clients/c/revoke":          func(ctx context.Context, c *Client) error { _, err := c.RevokeKMIPClient(ctx, "c"); return err },
		"POST /api/v1/kmip/clients/c/bindings/revoke": func(ctx context.Context, c *Client) error { _, err := c.RevokeKMIPBinding(ctx, "c", 1); return err },
		"POST /api/v1/kmip/clients/c/confirm":         func(ctx context.Context, c *Client) error { _, err := c.ConfirmKMIPClient(ctx, "c"); return err },
		"GET /api/v1/kmip/objects?limit=5":            func(ctx context.Context, c *Client) error { _, err := c.KMIPObjects(ctx, Slice{Limit: 5}); return err },
		"GET /api/v1/kmip/objects/o-1":                func(ctx context.Context, c *Client) error { _, err := c.KMIPObject(ctx, "o-1"); return err },
		"POST /api/v1/kmip/confirm":                   func(ctx context.Context, c *Client) error { return c.ConfirmKMIPClients(ctx) },
		"POST /api/v1/sys/unseal":                     func(ctx context.Context, c *Client) error { _, err := c.Unseal(ctx, Secret("x"), ""); return err },
		"POST /api/v1/sys/seal":                       func(ctx context.Context, c *Client) error { _, err := c.Seal(ctx, "n2"); return err },
		"GET /api/v1/sys/seals":                       func(ctx context.Context, c *Client) error { _, err := c.Seals(ctx); return err },
		"POST /api/v1/sys/seals/hsm":                  func(ctx context.Context, c *Client) error { return c.AddSeal(ctx, "hsm", nil) },
		"POST /api/v1/sys/seals/hsm/remove":           func(ctx context.Context, c *Client) error { _, err := c.RemoveSeal(ctx, "hsm", nil); return err },
		"POST /api/v1/sys/shares/rekey":               func(ctx context.Context, c *Client) error { _, _, err := c.RekeyShares(ctx, 5, 3, nil); return err },
		"POST /api/v1/sys/shares/verify":              func(ctx context.Context, c *Client) error { return c.VerifyShares(ctx, nil) },
		"POST /api/v1/sys/rotate/root":                func(ctx context.Context, c *Client) error { _, err := c.RotateRoot(ctx, true); return err },
		"POST /api/v1/sys/rotate/tenants/acme":        func(ctx context.Context, c *Client) error { _, err := c.RotateTenant(ctx, "acme"); return err },
		"GET /api/v1/sys/rotate":                      func(ctx context.Context, c *Client) error { _, err := c.Rotations(ctx); return err },
		"GET /api/v1/sys/status":                      func(ctx context.Context, c *Client) error { _, err := c.Status(ctx); return err },
		"GET /api/v1/sys/autopilot":                   func(ctx context.Context, c *Client) error { _, err := c.Autopilot(ctx); return err },
		"POST /api/v1/sys/rotate/gossip":              func(ctx context.Context, c *Client) error { _, err := c.RotateGossip(ctx); return err },
		"GET /api/v1/sys/members":                     func(ctx context.Context, c *Client) error { _, err := c.Members(ctx); return err },
		"GET /api/v1/sys/digest":                      func(ctx context.Context, c *Client) error { _, err := c.Digest(ctx); return err },
		"GET /api/v1/sys/snapshot":                    func(ctx context.Context, c *Client) error { _, err := c.Snapshot(ctx, &bytes.Buffer{}); return err },
		"GET /api/v1/sys/openapi.json":                func(ctx context.Context, c *Client) error { _, err := c.OpenAPI(ctx); return err },
		"GET /healthz":                                func(ctx context.Context, c *Client) error { return c.Healthy(ctx) },
		"GET /readyz":                                 func(ctx context.Context, c *Client) error { return c.Ready(ctx) },
		"GET /leaderz":                                func(ctx context.Context, c *Client) error { return c.Leads(ctx) },
		"GET /metrics":                                func(ctx context.Context, c *Client) error { _, err := c.Metrics(ctx); return err },
	} {
		t.Run(want, func(t *testing.T) {
			f := newFake(t, answer(map[string]any{"value": "", "items": []any{}}))
			c := client(t, f)
			c.tenant = "acme"
			require.NoError(t, call(t.Context(), c))
			r := f.requests()[0]
			require.Equal(t, want, r.method+" "+r.target)
			require.Equal(t, "Bearer trs.test", r.authorization)
			require.Equal(t, "acme", r.tenant)
			changesNoState := []string{"/api/v1/policies/test", "/api/v1/sys/unseal", "/api/v1/sys/seal", "/api/v1/sys/shares/verify"}
			mutation := r.method != "GET" && !slices.Contains(changesNoState, r.target) && !usesKey.MatchString(r.target)
			require.Equal(t, mutation, r.key != "")
		})
	}
}

func TestPathsThatARouterWouldRewriteAreRefused(t *testing.T) {
	c := client(t, newFake(t, hangUp))
	for _, path := range []string{"", "/a", "a/", "a//b", ".", "a/../b"} {
		_, err := c.Get(t.Context(), path, GetOptions{})
		require.Equal(t, Invalid, KindOf(err), path)
	}
	_, err := c.Policy(t.Context(), "a/b")
	require.Equal(t, Invalid, KindOf(err))
	_, err = c.Purge(t.Context(), "a", 0)
	require.Equal(t, Invalid, KindOf(err))
}

func TestAllWalksEveryPage(t *testing.T) {
	pages := map[string]Page[int]{"": {[]int{1, 2}, "x"}, "x": {nil, "y"}, "y": {[]int{3}, ""}}
	var got []int
	for i, err := range All(func(cursor string) (Page[int], error) { return pages[cursor], nil }) {
		require.NoError(t, err)
		got = append(got, i)
	}
	require.Equal(t, []int{1, 2, 3}, got)
}

func TestExportStreamsAndSaysWhenItIsCut(t *testing.T) {
	var b bytes.Buffer
	f := newFake(t, answer("line"))
	n, err := client(t, f).ExportAudit(t.Context(), EventQuery{}, &b)
	require.NoError(t, err)
	require.Equal(t, "\"line\"\n", b.String())
	require.EqualValues(t, 7, n)
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no address":     {},
		"plain http":     {Addresses: []string{"http://a:1"}},
		"no scheme":      {Addresses: []string{"a:8200"}},
		"with a path":    {Addresses: []string{"https://a:1/x"}},
		"bad CA":         {Addresses: []string{"https://a:1"}, CACert: []byte("x")},
		"line in token":  {Addresses: []string{"https://a:1"}, Token: Secret("trs.a\n")},
		"empty token":    {Addresses: []string{"https://a:1"}, Token: Secret{}},
		"with user info": {Addresses: []string{"https://u:p@a:1"}},
	} {
		_, err := New(o)
		require.Error(t, err, name)
	}
	c, err := New(Options{Addresses: []string{"https://a:1/"}})
	require.NoError(t, err)
	require.Equal(t, []string{"https://a:1"}, c.Addresses())
}
