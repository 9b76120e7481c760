package kmipclient

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestWhatIsTooMuch(t *testing.T) {
	require.NoError(t, decideEnrol("a", false, maxClients-1))
	requireKind(t, fault.Limit, decideEnrol("a", false, maxClients), "10000 KMIP clients")
	r := withCAs(t)
	for n := range maxRoles {
		r.log.Must(t, acme, RoleSet{Role{Name: "role-" + strings.Repeat("x", n%100) + string(rune('a'+n/100)), All: true}})
	}
	_, _, err := r.e.SetRole(t.Context(), r.req(), Role{Name: "more", All: true})
	requireKind(t, fault.Limit, err, "256 KMIP roles")
	_, _, err = r.e.SetRole(t.Context(), r.req(), Role{Name: "role-a", All: true, Objects: 1})
	require.NoError(t, err)

	partner := elsewhere(t, "partner")
	_, err = r.external("partner", partner)
	require.NoError(t, err)
	for n := range maxCAs - 2 {
		r.log.Must(t, acme, CAAdded{UID: fsm.UID{byte(n + 1)}, Kind: ExternalCA, Name: "other-" + string(rune('a'+n)), Certificate: []byte("x")})
	}
	_, err = r.external("more", elsewhere(t, "more"))
	requireKind(t, fault.Limit, err, "32 CAs")
	_, _, err = r.e.RotateCA(t.Context(), r.req(), P256)
	requireKind(t, fault.Limit, err, "32 CAs")
	_, err = r.external("partner", partner)
	require.NoError(t, err, "the newer certificate of one that is there")
}

// TestClaims: a claim is for ever, and the refusal the same for all.
func TestClaims(t *testing.T) {
	one, two := fsm.UID{1}, fsm.UID{2}
	a, b := fsm.UID{1, 1}, fsm.UID{1, 2}
	has := claimRow{Tenant: one, Client: a, Number: 1, Admits: true}
	reserved, revoked := has, has
	reserved.Admits, revoked.Revoked = false, true
	for name, row := range map[string]struct {
		is           claimed
		kind         string
		by           fsm.UID
		client       fsm.UID
		admits       bool
		record, fail bool
	}{
		"nobody's":                               {claimed{}, byCertificate, one, a, true, true, false},
		"its own certificate":                    {claimed{has, true, false}, byCertificate, one, a, true, false, true},
		"a client's that is gone":                {claimed{has, true, true}, byCertificate, one, b, true, false, true},
		"its own reserved key, once more":        {claimed{reserved, true, false}, byKey, one, a, false, false, false},
		"its own reserved key, to come in":       {claimed{reserved, true, false}, byKey, one, a, true, true, false},
		"its own key, to reserve it":             {claimed{has, true, false}, byKey, one, a, false, false, false},
		"its own key again":                      {claimed{has, true, false}, byKey, one, a, true, false, true},
		"its own key that was revoked":           {claimed{revoked, true, false}, byKey, one, a, false, false, true},
		"another client's key":                   {claimed{reserved, true, false}, byKey, one, b, false, false, true},
		"another tenant's key":                   {claimed{reserved, true, true}, byKey, two, b, false, false, true},
		"its own subject again":                  {claimed{has, true, false}, bySubject, one, a, true, true, false},
		"another client's subject":               {claimed{has, true, false}, bySubject, one, b, true, false, true},
		"the subject of a client that is gone":   {claimed{has, true, true}, bySubject, one, b, true, true, false},
		"a subject that was revoked":             {claimed{revoked, true, true}, bySubject, one, b, true, false, true},
		"another tenant's subject that is freed": {claimed{has, true, true}, bySubject, two, b, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			record, err := decideClaim(row.is, Claimed{Kind: row.kind, Tenant: row.by, Client: row.client, Admits: row.admits})
			require.Equal(t, row.record, record)
			require.Equal(t, row.fail, fault.Is(err, fault.Conflict), "%v", err)
		})
	}
}
