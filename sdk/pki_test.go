package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPKIRoutes holds every method against its route and body.
func TestPKIRoutes(t *testing.T) {
	yes, none, url, one := true, time.Duration(0), "http://x", uint64(1)
	for want, call := range map[string]func(context.Context, *Client) error{
		`POST /api/v1/secrets/pki/issuers/web {"kind":"root","common_name":"CA","path_length":1,"url":"http://x","max_ttl":"1h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.CreateIssuer(ctx, "web", IssuerSpec{Kind: "root", CommonName: "CA", PathLength: &one, IssuerSettings: IssuerSettings{URL: url, MaxTTL: time.Hour}})
			return err
		},
		`POST /api/v1/secrets/pki/issuers/web/import {"certificate":"C","private_key":"a \"key\""}`: func(ctx context.Context, c *Client) error {
			_, err := c.ImportIssuer(ctx, "web", "C", Secret(`a "key"`), IssuerSettings{})
			return err
		},
		`POST /api/v1/secrets/pki/issuers/web/certify {"certificate":"C"}`: func(ctx context.Context, c *Client) error { _, err := c.CertifyIssuer(ctx, "web", "C"); return err },
		`POST /api/v1/secrets/pki/issuers/web/cross-sign {"by":"old"}`:     func(ctx context.Context, c *Client) error { _, err := c.CrossSignIssuer(ctx, "web", "old"); return err },
		`PUT /api/v1/secrets/pki/issuers/web/settings {"url":"http://x","disabled":true,"max_ttl":"0s","crl_validity":"1h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.ConfigureIssuer(ctx, "web", IssuerChange{URL: &url, Disabled: &yes, MaxTTL: &none, CRLValidity: time.Hour})
			return err
		},
		`PUT /api/v1/secrets/pki/issuers/web/settings {}`: func(ctx context.Context, c *Client) error {
			_, err := c.ConfigureIssuer(ctx, "web", IssuerChange{})
			return err
		},
		`POST /api/v1/secrets/pki/issuers/web/confirm {}`:    func(ctx context.Context, c *Client) error { _, err := c.ConfirmIssuer(ctx, "web"); return err },
		`POST /api/v1/secrets/pki/issuers/web/default {}`:    func(ctx context.Context, c *Client) error { _, err := c.SetDefaultIssuer(ctx, "web"); return err },
		`DELETE /api/v1/secrets/pki/issuers/web?force=true `: func(ctx context.Context, c *Client) error { return c.DeleteIssuer(ctx, "web", true) },
		`DELETE /api/v1/secrets/pki/issuers/web `:            func(ctx context.Context, c *Client) error { return c.DeleteIssuer(ctx, "web", false) },
		`PUT /api/v1/secrets/pki/roles/r {"domains":["*.a"],"ttl":"1h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.WritePKIRole(ctx, "r", PKIRoleSpec{Domains: []string{"*.a"}, TTL: time.Hour})
			return err
		},
		`DELETE /api/v1/secrets/pki/roles/r `: func(ctx context.Context, c *Client) error { return c.DeletePKIRole(ctx, "r") },
		`POST /api/v1/secrets/pki/issue/r {"dns_names":["a"],"ttl":"1h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.IssueCertificate(ctx, "r", CertificateSpec{DNSNames: []string{"a"}, TTL: time.Hour})
			return err
		},
		`POST /api/v1/secrets/pki/sign/r {"csr":"R"}`: func(ctx context.Context, c *Client) error { _, err := c.SignCertificate(ctx, "r", "R", 0); return err },
		`POST /api/v1/secrets/pki/issuers/web/sign-verbatim {"csr":"R","ttl":"1h0m0s","ca":true}`: func(ctx context.Context, c *Client) error {
			_, err := c.SignVerbatim(ctx, "web", "R", time.Hour, true)
			return err
		},
		`POST /api/v1/secrets/pki/certificates/ab/revoke {"reason":"superseded"}`: func(ctx context.Context, c *Client) error {
			_, err := c.RevokeCertificate(ctx, "ab", "superseded")
			return err
		},
		`POST /api/v1/secrets/pki/revoke {"certificate":"C"}`:   func(ctx context.Context, c *Client) error { _, err := c.RevokePresented(ctx, "C", ""); return err },
		`PUT /api/v1/secrets/pki/acme/r {"open":true}`:          func(ctx context.Context, c *Client) error { _, err := c.WriteACMEDirectory(ctx, "r", true); return err },
		`DELETE /api/v1/secrets/pki/acme/r `:                    func(ctx context.Context, c *Client) error { return c.DeleteACMEDirectory(ctx, "r") },
		`POST /api/v1/secrets/pki/acme/r/keys {"identity":"a"}`: func(ctx context.Context, c *Client) error { _, err := c.CreateACMEKey(ctx, "r", "a"); return err },
	} {
		var sent string
		f := newFake(t, body(&sent, map[string]any{}))
		require.NoError(t, call(t.Context(), client(t, f)), want)
		r := f.requests()[0]
		require.Equal(t, want, r.method+" "+r.target+" "+sent)
		require.NotEmpty(t, r.key, want)
	}
}

// TestPKIReads are asked for without an idempotency key.
func TestPKIReads(t *testing.T) {
	for want, call := range map[string]func(context.Context, *Client) error{
		`/api/v1/secrets/pki/issuers`:       func(ctx context.Context, c *Client) error { _, err := c.Issuers(ctx); return err },
		`/api/v1/secrets/pki/issuers/web`:   func(ctx context.Context, c *Client) error { _, err := c.Issuer(ctx, "web"); return err },
		`/api/v1/secrets/pki/roles?limit=5`: func(ctx context.Context, c *Client) error { _, err := c.PKIRoles(ctx, Slice{Limit: 5}); return err },
		`/api/v1/secrets/pki/roles/r`:       func(ctx context.Context, c *Client) error { _, err := c.PKIRole(ctx, "r"); return err },
		`/api/v1/secrets/pki/certificates?cursor=x`: func(ctx context.Context, c *Client) error {
			_, err := c.Certificates(ctx, Slice{Cursor: "x"})
			return err
		},
		`/api/v1/secrets/pki/acme/r`:          func(ctx context.Context, c *Client) error { _, err := c.ACMEDirectory(ctx, "r"); return err },
		`/api/v1/secrets/pki/certificates/ab`: func(ctx context.Context, c *Client) error { _, err := c.Certificate(ctx, "ab"); return err },
	} {
		f := newFake(t, answer(map[string]any{}))
		require.NoError(t, call(t.Context(), client(t, f)), want)
		require.Equal(t, want, f.requests()[0].target)
		require.Empty(t, f.requests()[0].key)
	}
}

// TestACertificateIsReadAndPrintsNothing.
func TestACertificateIsReadAndPrintsNothing(t *testing.T) {
	c := client(t, newFake(t, answer(map[string]any{"private_key": "planted-key", "serial_number": "ab", "certificate": "C", "expires_at": "2030-01-02T03:04:05Z"})))
	got, err := c.IssueCertificate(t.Context(), "r", CertificateSpec{})
	require.NoError(t, err)
	require.Equal(t, "planted-key", string(got.PrivateKey))
	require.Equal(t, 2030, got.ExpiresAt.Year())
	shown, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", got, got, got, shown), "planted")
}
