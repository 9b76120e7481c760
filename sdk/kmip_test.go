package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatKMIPIsAskedFor(t *testing.T) {
	none, day := time.Duration(0), 24*time.Hour
	enrol := func(by KMIPSource) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.EnrolKMIPClient(ctx, "c", KMIPEnrolment{By: by})
			return err
		}
	}
	renew := func(overlap *time.Duration) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.RenewKMIPClient(ctx, "c", KMIPSource{}, overlap)
			return err
		}
	}
	configure := func(k KMIPChange) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.ConfigureKMIPClient(ctx, "c", k); return err }
	}
	for want, call := range map[string]func(context.Context, *Client) error{
		`{}`: renew(nil),
		`{"algorithm":"ec-p256","ttl":"24h0m0s"}`: enrol(KMIPMadeKey("ec-p256", day)),
		`{"csr":"PEM","ttl":"24h0m0s"}`:           enrol(KMIPRequest("PEM", day)),
		`{"csr":""}`:                              enrol(KMIPRequest("", 0)),
		`{"certificate":"PEM"}`:                   enrol(KMIPCertificate("PEM")),
		`{"fingerprint":"00"}`:                    enrol(KMIPFingerprint("00")),
		`{"public_key_fingerprint":"00"}`:         enrol(KMIPPublicKey("00")),
		`{"ca":"partner","subject_der":"MAA="}`:   enrol(KMIPSubject("partner", []byte{0x30, 0})),
		`{"ca":"partner","subject_der":""}`:       enrol(KMIPSubject("partner", nil)),
		`{"overlap":"0s"}`:                        renew(&none),
		`{"overlap":"24h0m0s"}`:                   renew(&day),
		`{"role":"r","remove_password":true}`:     configure(KMIPChange{Role: "r", RemovePassword: true}),
		`{"remove_device":true}`:                  configure(KMIPChange{RemoveDevice: true}),
		`{"device":{"serial_number":"s","password":"p","media_identifier":"m"}}`: configure(KMIPChange{KMIPCredentials: KMIPCredentials{
			Device: &KMIPDevice{Serial: "s", Password: Secret("p"), Media: "m"}}}),
		`{"role":"r","password":{"username":"u","password":"a \"secret\""}}`: func(ctx context.Context, c *Client) error {
			_, err := c.EnrolKMIPClient(ctx, "c", KMIPEnrolment{Role: "r", KMIPCredentials: KMIPCredentials{Password: &KMIPPassword{"u", Secret(`a "secret"`)}}})
			return err
		},
		`{"number":3}`: func(ctx context.Context, c *Client) error { _, err := c.RevokeKMIPBinding(ctx, "c", 3); return err },
		`{"operations":["Get"],"groups":["*"],"max_objects":5,"credential_required":true}`: func(ctx context.Context, c *Client) error {
			_, err := c.SetKMIPRole(ctx, "r", KMIPRole{Operations: []string{"Get"}, Groups: []string{"*"}, Objects: 5, Credential: true})
			return err
		},
		`{"algorithm":"rsa-2048","delay":"24h0m0s"}`: func(ctx context.Context, c *Client) error {
			_, err := c.RotateKMIPServerCA(ctx, "rsa-2048", day)
			return err
		},
	} {
		var sent string
		f := newFake(t, body(&sent, map[string]any{}))
		require.NoError(t, call(t.Context(), client(t, f)), want)
		require.JSONEq(t, want, sent)
		require.NotEmpty(t, f.requests()[0].key, want)
	}
}

// TestAKMIPClientsKeyPrintsNothing but is there.
func TestAKMIPClientsKeyPrintsNothing(t *testing.T) {
	f := newFake(t, answer(map[string]any{"private_key": "-----BEGIN\nx", "name": "c", "number": 1, "expires_at": "2030-01-01T00:00:00Z"}))
	out, err := client(t, f).EnrolKMIPClient(t.Context(), "c", KMIPEnrolment{})
	require.NoError(t, err)
	require.Equal(t, "-----BEGIN\nx", string(out.PrivateKey))
	require.Equal(t, 2030, out.ExpiresAt.Year())
	written, err := json.Marshal(out)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v %s", out, written), "BEGIN")
	_, err = client(t, f).EnrolKMIPClient(t.Context(), "a/b", KMIPEnrolment{})
	require.Equal(t, Invalid, KindOf(err))
}

func TestAKMIPClientWithItsBindings(t *testing.T) {
	f := newFake(t, answer(map[string]any{"name": "c", "state": "active", "bindings": []any{map[string]any{"number": 2, "kind": "subject", "subject_der": "MAA="}}}))
	d, err := client(t, f).KMIPClient(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, KMIPClientDetail{KMIPClient{Name: "c", State: "active"}, []KMIPBinding{{Number: 2, Kind: "subject", SubjectDER: []byte{0x30, 0}}}}, d)
}
