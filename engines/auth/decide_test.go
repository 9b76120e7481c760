package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestDecideGrant(t *testing.T) {
	many := make([]string, MaxPolicies+1)
	for i := range many {
		many[i] = "p"
	}
	for name, c := range map[string]struct {
		in    Grant
		want  Grant
		field string // at fault
	}{
		"nothing said":           {Grant{}, Grant{TTL: DefaultTTL, MaxTTL: MaxTTL}, ""},
		"ttl":                    {Grant{TTL: time.Minute}, Grant{TTL: time.Minute, MaxTTL: MaxTTL}, ""},
		"short max shortens ttl": {Grant{MaxTTL: time.Minute}, Grant{TTL: time.Minute, MaxTTL: time.Minute}, ""},
		"the most":               {Grant{TTL: MaxTTL}, Grant{TTL: MaxTTL, MaxTTL: MaxTTL}, ""},
		"too long":               {Grant{TTL: MaxTTL + 1}, Grant{}, "ttl"},
		"max too long":           {Grant{MaxTTL: MaxTTL + 1}, Grant{}, "max_ttl"},
		"negative":               {Grant{TTL: -time.Hour}, Grant{}, "ttl"},
		"too short":              {Grant{TTL: time.Millisecond}, Grant{}, "ttl"},
		"max below ttl":          {Grant{TTL: time.Hour, MaxTTL: time.Minute}, Grant{}, "max_ttl"},
		"same policy twice":      {Grant{Policies: []string{"b", "a", "b"}}, Grant{Policies: []string{"b", "a"}, TTL: DefaultTTL, MaxTTL: MaxTTL}, ""},
		"policy with a space":    {Grant{Policies: []string{"a b"}}, Grant{}, "policies"},
		"policy without a name":  {Grant{Policies: []string{""}}, Grant{}, "policies"},
		"policy beyond ASCII":    {Grant{Policies: []string{"r\u00f6\xff"}}, Grant{}, "policies"},
		"too many policies":      {Grant{Policies: many}, Grant{}, "policies"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decideGrant(c.in)
			if c.field != "" {
				var f *fault.Error
				require.ErrorAs(t, err, &f)
				require.Equal(t, fault.Invalid, f.Kind)
				require.Equal(t, c.field, f.Field)
				return
			}
			require.NoError(t, err)
			if c.want.Policies == nil {
				c.want.Policies = []string{}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestNamesAreNotMistakenForOtherIdentities(t *testing.T) {
	for name, ok := range map[string]bool{
		"ci": true, "Ann.Smith@example.org": true, "deploy/eu-west_1+a": true, "9": true, strings.Repeat("a", 64): true,
		"": false, "root": false, "init": false, "token:acc_x": false, "node:n1": false, "system:token-sweeper": false, "joiner:n2": false, "roots": true, "initial": true, "a b": false, " root": false, "-a": false, "r\u043e\u043et": false, "a\x00": false,
		"a\n": false, strings.Repeat("a", 65): false,
	} {
		require.Equal(t, ok, name != "" && validName(name), "%q", name)
	}
}

func TestDecideLife(t *testing.T) {
	const now = fsm.Time(1e18)
	parent := &Token{Expires: now.Add(time.Hour), MaxExpires: now.Add(10 * time.Hour)}
	for name, c := range map[string]struct {
		g             Grant
		parent        *Token
		expires, last time.Duration
	}{
		"orphan":            {Grant{TTL: 5 * time.Hour, MaxTTL: 20 * time.Hour}, nil, 5 * time.Hour, 20 * time.Hour},
		"within the parent": {Grant{TTL: time.Minute, MaxTTL: 2 * time.Hour}, parent, time.Minute, 2 * time.Hour},
		"cut to the parent": {Grant{TTL: 5 * time.Hour, MaxTTL: 20 * time.Hour}, parent, time.Hour, 10 * time.Hour},
		"fixed":             {Grant{TTL: time.Minute, MaxTTL: 2 * time.Hour, Renewable: ptr(false)}, parent, time.Minute, time.Minute},
		"fixed and cut":     {Grant{TTL: 5 * time.Hour, MaxTTL: 5 * time.Hour, Renewable: ptr(false)}, parent, time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			expires, last := decideLife(c.g, c.parent, now)
			require.Equal(t, c.expires, expires.Sub(now))
			require.Equal(t, c.last, last.Sub(now))
		})
	}
}

func TestDecideRenewal(t *testing.T) {
	const now = fsm.Time(1e18)
	at := func(d time.Duration) fsm.Time { return now.Add(d) }
	base := Token{Accessor: "acc_x", Renewable: true, Expires: at(time.Minute), MaxExpires: at(10 * time.Hour)}
	fixed := base
	fixed.Renewable = false
	for name, c := range map[string]struct {
		t      Token
		parent *Token
		ttl    time.Duration
		want   time.Duration
		denied bool
	}{
		"by its own life":      {base, nil, 0, time.Hour, false},
		"by ttl":               {base, nil, 3 * time.Hour, 3 * time.Hour, false},
		"to the maximum":       {base, nil, 30 * time.Hour, 10 * time.Hour, false},
		"to the parent's":      {base, &Token{Expires: at(2 * time.Hour)}, 3 * time.Hour, 2 * time.Hour, false},
		"never shorter":        {base, nil, time.Second, time.Minute, false},
		"not of a fixed token": {fixed, nil, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decideRenewal(c.t, c.parent, time.Hour, c.ttl, now)
			if c.denied {
				require.True(t, fault.Is(err, fault.Denied))
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got.Sub(now))
		})
	}
}

func TestDecideRoomAndTarget(t *testing.T) {
	require.NoError(t, decideRoom(MaxDepth-1, MaxTokens-1))
	require.True(t, fault.Is(decideRoom(MaxDepth, 0), fault.Limit))
	require.True(t, fault.Is(decideRoom(0, MaxTokens), fault.Limit))
	require.NoError(t, decideTarget(acme, acme))
	require.NoError(t, decideTarget(fsm.RootTenant, acme))
	require.True(t, fault.Is(decideTarget(acme, other), fault.NotFound))
	require.True(t, fault.Is(decideTarget(acme, fsm.RootTenant), fault.NotFound))
}
