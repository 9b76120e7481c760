package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	aLease   = "LEASE-ID"   // stands in a sample for that of a lease
	aMessage = "MESSAGE-ID" // and this for a dead letter
	pgBody   = `{"backend":"memory","host":"db.example","port":5432,"username":"admin","password":"first","options":{"a":"b"},"password_length":40}`
)

var (
	pg     = map[string]string{"name": "pg"}
	pgRole = map[string]string{"path": "pg/readonly"}
)

func connectionPG(b *bench) { b.put("/dynamic/connections/pg", b.root, pgBody).is(200) }

func rolePG(b *bench) {
	connectionPG(b)
	b.put("/dynamic/roles/pg/readonly", b.root, `{"grants":["SELECT"]}`).is(200)
}

func leasePG(b *bench) { b.lease(b.root) }

// lease issues a credential to a token, and returns the id of its lease.
func (b *bench) lease(token string) string {
	b.t.Helper()
	rolePG(b)
	return b.post("/dynamic/creds/pg/readonly", token, `{}`).is(200).reply()["lease_id"].(string)
}

// deadLetter is the place of a message that was parked.
func (b *bench) deadLetter() string {
	b.t.Helper()
	b.post("/leases/revoke/"+b.lease(b.root), b.root, `{}`).is(200)
	v, err := b.store.View()
	require.NoError(b.t, err)
	owed, err := fsm.Outbox(v, 0, 0, 10)
	require.NoError(b.t, err)
	require.NoError(b.t, v.Close())
	o := owed[len(owed)-1]
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(outbox.Parked{Seq: o.Seq, Pos: o.Pos, ID: o.ID, Reason: "the target is gone", Tries: 3})
	_, err = b.raft.Propose(b.t.Context(), e)
	require.NoError(b.t, err)
	return fmt.Sprintf("%d.%d", o.Seq, o.Pos)
}

// TestACredentialIsGivenOutOnce, to the same caller again under the same key, and to nobody else.
func TestACredentialIsGivenOutOnce(t *testing.T) {
	b := newBench(t)
	rolePG(b)
	app, other := b.token("dynamic/creds/pg/readonly write"), b.token("dynamic/creds/pg/readonly write")
	ask := func(token, key string) answer {
		return b.send(req("POST", base+"/dynamic/creds/pg/readonly", token, `{"ttl":"30m"}`).with("Idempotency-Key", key))
	}
	first := ask(app, "credential-for-the-app-1").is(200)
	got := first.reply()
	require.True(t, b.db.LogsIn(got["username"].(string), []byte(got["password"].(string))))
	require.Equal(t, []any{"MEMORY_HOST=db.example", "MEMORY_USER=" + got["username"].(string)}, got["environment"])
	require.Equal(t, "MEMORY_PASSWORD", got["password_variable"])
	require.Len(t, got["password"], 40)
	require.Equal(t, string(first.body), string(ask(app, "credential-for-the-app-1").is(200).body))
	require.NotEqual(t, got["password"], ask(other, "credential-for-the-app-1").is(200).reply()["password"])
	require.NotContains(t, b.log.String(), got["password"].(string))
	b.post("/leases/revoke/"+got["lease_id"].(string), app, `{}`).is(200)
	require.Contains(t, ask(app, "credential-for-the-app-1").refused(fault.Conflict, "").reply()["detail"], got["lease_id"])
	b.post("/dynamic/creds/pg/other", app, `{}`).refused(fault.Denied, "")
	b.post("/dynamic/creds/pg", app, `{}`).refused(fault.Denied, "")
	b.post("/dynamic/creds/pg", b.root, `{}`).refused(fault.Invalid, "path")
	b.post("/dynamic/creds/pg/readonly", app, `{"ttl":"48h"}`).refused(fault.Invalid, "ttl")
}

// TestAHolderLooksAfterItsLease, and nobody else does without a policy.
func TestAHolderLooksAfterItsLease(t *testing.T) {
	b := newBench(t)
	rolePG(b)
	app, other := b.token("dynamic/creds/pg/readonly write"), b.token("dynamic/creds/pg/readonly write")
	id := b.post("/dynamic/creds/pg/readonly", app, `{}`).is(200).reply()["lease_id"].(string)
	require.Equal(t, "active", b.get("/leases/lookup/"+id, app).is(200).reply()["state"])
	b.post("/leases/renew/"+id, app, `{"increment":"2h"}`).is(200)
	for _, at := range []string{id, "pg/readonly/none"} {
		b.get("/leases/lookup/"+at, other).refused(fault.Denied, "")
		b.post("/leases/renew/"+at, other, `{}`).refused(fault.Denied, "")
		b.post("/leases/revoke/"+at, other, `{}`).refused(fault.Denied, "")
	}
	b.post("/leases/force/"+id, app, `{}`).refused(fault.Denied, "")
	b.get("/leases", app).refused(fault.Denied, "")
	b.post("/leases/revoke-prefix", app, `{"prefix":"pg/"}`).refused(fault.Denied, "")
	reader := b.token("leases/pg/readonly/* read", "leases list", "leases/pg/* list")
	require.Len(t, b.get("/leases", reader).is(200).reply()["items"], 1)
	b.get("/leases/lookup/"+id, reader).is(200)
	b.post("/leases/revoke/"+id, reader, `{}`).refused(fault.Denied, "")
	again := func() answer {
		return b.send(req("POST", base+"/leases/revoke/"+id, app, "{}").with("Idempotency-Key", "revoke-my-own-lease"))
	}
	require.Equal(t, "ending", again().is(200).reply()["state"])
	require.Equal(t, "ending", again().is(200).reply()["state"])
	got := b.get("/leases/lookup/"+id, b.root).is(200).reply()
	require.Equal(t, "revoked", got["ended_because"])
	require.NotEmpty(t, got["message"])
}

// TestDynamicSecretsOfAnotherTenantAreNotThere.
func TestDynamicSecretsOfAnotherTenantAreNotThere(t *testing.T) {
	b := newBench(t)
	id, message := b.lease(b.root), b.deadLetter()
	b.tenant("acme")
	b.send(req("PUT", base+"/policies/all", b.root, rules("dynamic/* read,write,delete,list,sudo", "leases read,list", "leases/* read,write,delete,list,sudo", "outbox read,write,delete,list,sudo")).
		with(tenantHeader, "acme")).is(200)
	acme := b.send(req("POST", base+"/tokens", b.root, `{"policies":["all"]}`).with(tenantHeader, "acme")).is(200).reply()["token"].(string)
	for _, url := range []string{"/dynamic/connections/pg", "/dynamic/connections/pg/roles", "/dynamic/roles/pg/readonly", "/leases/lookup/" + id, "/outbox/" + message} {
		b.get(url, acme).refused(fault.NotFound, "")
	}
	for _, url := range []string{"/dynamic/creds/pg/readonly", "/dynamic/connections/pg/rotate-root", "/dynamic/connections/pg/sweep", "/leases/renew/" + id, "/leases/revoke/" + id, "/leases/force/" + id,
		"/outbox/" + message + "/requeue"} {
		b.post(url, acme, "{}").refused(fault.NotFound, "")
	}
	for _, url := range []string{"/dynamic/connections/pg", "/dynamic/roles/pg/readonly", "/outbox/" + message} {
		b.delete(url, acme).refused(fault.NotFound, "")
	}
	for _, url := range []string{"/dynamic/connections", "/leases", "/outbox"} {
		require.Empty(t, b.get(url, acme).is(200).reply()["items"])
	}
	require.EqualValues(t, 0, b.post("/leases/revoke-prefix", acme, `{"prefix":"pg/"}`).is(200).reply()["revoked"])
}

// TestATenantWithLeasesIsNotDeleted: with its keys goes what its backends are told by.
func TestATenantWithLeasesIsNotDeleted(t *testing.T) {
	b := newBench(t)
	b.tenant("acme")
	in := func(method, url, body string) answer {
		return b.send(req(method, base+url, b.root, body).with(tenantHeader, "acme"))
	}
	in("PUT", "/dynamic/connections/pg", pgBody).is(200)
	in("PUT", "/dynamic/roles/pg/readonly", `{"grants":["SELECT"]}`).is(200)
	id := in("POST", "/dynamic/creds/pg/readonly", `{}`).is(200).reply()["lease_id"].(string)
	require.Contains(t, b.delete("/tenants/acme", b.root).refused(fault.Conflict, "").reply()["detail"], "the tenant has leases (1)")
	in("POST", "/leases/force/"+id, `{}`).is(200)
	b.delete("/tenants/acme", b.root).is(200)
}

// TestWhoWritesARoleNeedsSudo: it acts as the target's administrator.
func TestWhoWritesARoleNeedsSudo(t *testing.T) {
	b := newBench(t)
	connectionPG(b)
	weak := b.token("dynamic/* read,write,delete,list")
	b.put("/dynamic/roles/pg/readonly", weak, `{"grants":["SELECT"]}`).refused(fault.Denied, "")
	b.put("/dynamic/connections/pg", weak, pgBody).refused(fault.Denied, "")
	b.put("/dynamic/roles/pg/readonly", b.root, `{}`).refused(fault.Invalid, "grants")
	b.put("/dynamic/roles/pg/readonly", b.root, `{"grants":["nothing"]}`).refused(fault.Invalid, "grants")
}

// TestTheTargetsRefusalsAreTold, and no password in them.
func TestTheTargetsRefusalsAreTold(t *testing.T) {
	b := newBench(t)
	require.Contains(t, b.put("/dynamic/connections/pg", b.root, strings.Replace(pgBody, "first", "planted-wrong", 1)).refused(fault.Conflict, "").reply()["detail"], "password authentication failed")
	require.NotContains(t, b.log.String(), "planted-wrong")
	rolePG(b)
	b.db.Fail(func(step string) error {
		if step == "create" {
			return errors.New("connection refused")
		}
		return nil
	})
	require.Contains(t, b.post("/dynamic/creds/pg/readonly", b.root, `{}`).refused(fault.NotDone, "").reply()["detail"], "make an account at pg: connection refused")
	require.Len(t, b.get("/outbox?kind=dynamic.cleanup&destination=pg", b.root).is(200).reply()["items"], 1, "it may have been made after all")
	b.put("/dynamic/connections/pg", b.root, strings.Replace(pgBody, `"memory"`, `"oracle"`, 1)).refused(fault.Invalid, "backend")
	b.put("/dynamic/connections/pg", b.root, strings.Replace(pgBody, `5432`, `65536`, 1)).refused(fault.Invalid, "port")
	b.delete("/dynamic/connections/none", b.root).refused(fault.NotFound, "")
	off := newBench(t, func(o *Options) { o.EnableDynamic = false })
	require.Contains(t, off.get("/dynamic/connections", off.root).refused(fault.NotFound, "").reply()["detail"], "dynamic.enable_api")
}

// TestDeadLettersAreDecidedByHand.
func TestDeadLettersAreDecidedByHand(t *testing.T) {
	b := newBench(t)
	at := b.deadLetter()
	items := b.get("/outbox?parked=true", b.root).is(200).reply()["items"].([]any)
	require.Len(t, items, 1)
	require.Equal(t, "the target is gone", items[0].(map[string]any)["reason"])
	id := items[0].(map[string]any)["lane"].(string)
	require.Equal(t, "the target is gone", b.get("/leases/lookup/"+id, b.root).is(200).reply()["backend_error"])
	require.Equal(t, "waiting", b.post("/outbox/"+at+"/requeue", b.root, "{}").is(200).reply()["state"])
	b.post("/outbox/"+at+"/requeue", b.root, "{}").refused(fault.Conflict, "")
	b.delete("/outbox/"+at, b.token("outbox delete")).refused(fault.Denied, "")
	b.delete("/outbox/"+at, b.root).is(200)
	b.get("/outbox/"+at, b.root).refused(fault.NotFound, "")
	for _, bad := range []string{"x", "1", "1.", "01.0", "1.0.0", "-1.0"} {
		b.get("/outbox/"+bad, b.root).refused(fault.Invalid, "message")
	}
	require.Equal(t, "irrevocable", b.post("/leases/force/"+id, b.root, "{}").is(200).reply()["state"])
	b.post("/leases/forget/"+id, b.root, "{}").is(200)
	b.get("/leases/lookup/"+id, b.root).refused(fault.NotFound, "")
}
