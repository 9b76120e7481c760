package auth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// issuance is an entry that issues a token as the engine does, the answer sealed beside it.
func issuance(t *testing.T, tenant fsm.UID, g Grant, parent *Token) (*fsm.Entry, Issued) {
	g, err := decideGrant(g)
	require.NoError(t, err)
	ev, secret := draft(g, parent, fsmtest.Start)
	ev.Answer, err = fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: tenant, Version: 1}, "answer with "+ev.Accessor))
	require.NoError(t, err)
	secret.Zero()
	e := fsmtest.Entry(fsm.RootTenant)
	e.AddIn(tenant, ev)
	e.Receipt = &fsm.ReceiptKey{Key: ev.Hash}
	e.Reply.Secret = ev.Answer
	e.Reply.Public, err = fsm.Encode(ev.token(tenant))
	require.NoError(t, err)
	return e, ev
}

// TestTheProjectionKeepsItsPromises issues a tree of tokens in two tenants, renews, revokes and forgets some, and has a restore end the rest.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	issueRoot, root := issuance(t, fsm.RootTenant, Grant{Name: "admin", Policies: []string{"root"}, TTL: MaxTTL}, nil)
	rootToken := root.token(fsm.RootTenant)
	issueApp, app := issuance(t, acme, Grant{Name: "app", Policies: []string{"app", "audit"}, TTL: time.Hour}, &rootToken)
	appToken := app.token(acme)
	issueJob, job := issuance(t, acme, Grant{TTL: time.Minute, MaxTTL: time.Hour}, &appToken)
	issueOld, old := issuance(t, acme, Grant{Name: "old", TTL: time.Second}, nil)
	issueLost, lost := issuance(t, acme, Grant{Name: "lost"}, nil)
	issueLive, live := issuance(t, acme, Grant{Name: "live", TTL: MaxTTL}, nil)
	liveToken := live.token(acme)
	issueChild, child := issuance(t, acme, Grant{Name: "child", TTL: MaxTTL}, &liveToken)
	restored, fresh := issuance(t, fsm.RootTenant, Grant{Name: "again", TTL: MaxTTL}, nil)
	begin := fsmtest.Entry(fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"}, Ended{})
	begin.AddIn(fsm.RootTenant, fresh)
	begin.Receipt, begin.Reply = restored.Receipt, restored.Reply
	later := app.Expires.Add(5 * time.Hour)

	guarded := fsmtest.Entry(acme, Renewed{app.Accessor, fsmtest.Start})
	guarded.Guard(fsm.Guard{Tenant: acme, Stream: stream(app.Accessor), Version: 1})
	v := fsmtest.Check(t, Register,
		issueRoot, issueApp, issueJob, issueOld, issueLost, issueApp, // the last one is a repetition
		fsmtest.Entry(acme, Renewed{app.Accessor, app.Expires.Add(time.Second)}),
		fsmtest.Entry(acme, Renewed{app.Accessor, later}),
		guarded, // misses
		fsmtest.Entry(acme, Revoked{lost.Accessor}),
		fsmtest.Entry(fsm.RootTenant, Revoked{root.Accessor}),
		fsmtest.Entry(acme, Forgotten{old.Accessor}, Forgotten{lost.Accessor}),
		issueLive, issueChild, begin,
		fsmtest.Entry(acme, Forgotten{child.Accessor}),
	)

	now := v.Now()
	for name, want := range map[string]struct {
		of                     Issued
		tenant                 fsm.UID
		kept, alive, answering bool
		dies                   fsm.Time
	}{
		"root, revoked":                 {root, fsm.RootTenant, true, false, false, now},
		"app, whose parent was revoked": {app, acme, true, false, true, later},
		"job, whose root was revoked":   {job, acme, true, false, true, job.Expires},
		"live, of the epoch before":     {live, acme, true, false, true, live.Expires},
		"fresh, of the new epoch":       {fresh, fsm.RootTenant, true, true, true, fresh.Expires},
		"child, forgotten":              {of: child, tenant: acme},
		"old, forgotten":                {of: old, tenant: acme},
		"lost, revoked and forgotten":   {of: lost, tenant: acme},
	} {
		ref := Ref{want.tenant, want.of.Accessor}
		at, found, err := tokens.Get(v, ref.key())
		require.NoError(t, err)
		require.Equal(t, want.kept, found, name)
		_, found, err = hashes.Get(v, fsm.K(want.of.Hash[:]))
		require.NoError(t, err)
		require.Equal(t, want.kept, found, "%s: its hash", name)
		require.Equal(t, want.answering, answers(t, v, want.of), "%s: the bytes of its answer", name)
		if want.kept {
			_, s, err := climb(v, ref, fsmtest.Start)
			require.NoError(t, err)
			require.Equal(t, want.alive, s.alive, name)
			require.LessOrEqual(t, at.Dies, want.dies, name)
			require.Equal(t, at.Token.Expires == at.Dies, !at.Token.Revoked, name)
			ends, found, err := expiries.Get(v, at.expiryKey())
			require.NoError(t, err)
			require.True(t, found, "%s: its place among the expiries", name)
			require.Equal(t, ref, ends)
		}
	}
	requireIndexes(t, v, 5)
	for tenant, want := range map[fsm.UID]uint64{fsm.RootTenant: 1, acme: 0} {
		n, err := living(v, tenant, fsmtest.Start)
		require.NoError(t, err)
		require.Equal(t, want, n, "tokens that count in %s", tenant)
	}
}

// answers reports whether the sealed answer of ev can still be read.
func answers(t *testing.T, v *fsm.View, ev Issued) bool {
	t.Helper()
	b, err := fsm.Encode(ev.Answer)
	require.NoError(t, err)
	var reference fsm.Sealed
	require.NoError(t, fsm.Decode(b, &reference))
	_, found, err := fsm.Load(v, reference)
	require.NoError(t, err)
	return found
}

// requireIndexes expects as many expiries and hashes as there are tokens.
func requireIndexes(t *testing.T, v *fsm.View, want int) {
	t.Helper()
	held := map[string]int{}
	require.NoError(t, tokens.Scan(v, fsm.Span{}, func(fsm.Key, row) (bool, error) { held["tokens"]++; return true, nil }))
	require.NoError(t, hashes.Scan(v, fsm.Span{}, func(fsm.Key, Ref) (bool, error) { held["hashes"]++; return true, nil }))
	require.NoError(t, expiries.Scan(v, fsm.Span{}, func(fsm.Key, Ref) (bool, error) { held["expiries"]++; return true, nil }))
	require.Equal(t, map[string]int{"tokens": want, "hashes": want, "expiries": want}, held)
}
