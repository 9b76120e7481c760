package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/engines/rbac"
)

// Body limits in bytes. A value of 1 MiB fits into 2 MiB also as base64.
const (
	smallBody  = 1 << 20
	secretBody = 2 << 20
	importBulk = 4 << 20
)

func of[T any]() reflect.Type { return reflect.TypeFor[T]() }

// The parameters that several routes share.
var (
	qCas    = query{"cas", "integer", "the version that must be the last one"}
	qCursor = query{"cursor", "string", "next_cursor of the page before"}
	qLimit  = query{"limit", "integer", "entries of a page, 1 to 1,000, default 100"}
)

// auditQuery is what selects records of the audit.
func auditQuery() []query {
	return []query{{"after", "string", "next_cursor of the page before; a number is a sequence of the event log, and then it is about that alone"},
		{"source", "string", "all, which is the default, log, reads or refused"}, {"type", "string", "only this type of event or operation"},
		{"stream", "string", "only changes on this stream"}, {"path", "string", "only this path and what lies beneath"},
		{"actor", "string", "only this identity or accessor"}, {"since", "string", "RFC 3339"}, {"until", "string", "RFC 3339"}}
}

func may(resource string, caps rbac.Capability) need { return need{resource: resource, caps: caps} }

// table returns every route. The first that matches is taken, so the busiest stand first.
func table() []*route {
	rows := slices.Concat(secretRoutes(), transitRoutes(), whoRoutes(), kmipRoutes(), dynamicRoutes(), pkiRoutes(), clusterRoutes())
	for _, r := range rows {
		r.prepare()
	}
	return rows
}

func secretRoutes() []*route {
	const path = "secrets/{path}"
	return []*route{
		{name: "secrets.get", method: http.MethodGet, pattern: "/secrets/store/{path}", kind: read, surface: reads, handle: getSecret,
			summary: "Get the latest version of a secret, or the one that is asked for.", needs: []need{may(path, rbac.Read)}, response: of[valueAnswer](),
			query: []query{{"version", "integer", "0 or nothing: the latest"}, {"expand", "boolean", "resolve ${secret:path} references"}}},
		{name: "secrets.put", method: http.MethodPut, pattern: "/secrets/store/{path}", kind: write, surface: writes, handle: putSecret,
			summary: "Store a value as the next version of a path.", needs: []need{may(path, rbac.Write)}, limit: secretBody, request: of[valueBody](), response: of[written]()},
		{name: "secrets.delete", method: http.MethodDelete, pattern: "/secrets/store/{path}", kind: write, frees: true, surface: writes, handle: deleteSecret,
			summary: "Hide a secret; its history stays.", needs: []need{may(path, rbac.Delete)}, query: []query{qCas}, response: of[pathVersion]()},
		{name: "secrets.list", method: http.MethodGet, pattern: "/secrets/list", kind: read, surface: bulk, handle: listSecrets,
			summary: "List the paths beneath a prefix that the caller may list.", needs: []need{{resource: "secrets/{prefix}", caps: rbac.List, beneath: true}}, response: of[listAnswer](),
			query: []query{{"prefix", "string", "nothing: everything"}, {"folders", "boolean", "one level only; deeper paths collapse into folders"}, qCursor, qLimit}},
		{name: "secrets.versions", method: http.MethodGet, pattern: "/secrets/versions/{path}", kind: read, surface: reads, handle: listVersions,
			summary: "List the versions of a path, newest first.", needs: []need{may(path, rbac.List)}, query: []query{qCursor, qLimit}, response: of[versionsAnswer]()},
		{name: "secrets.rollback", method: http.MethodPost, pattern: "/secrets/rollback/{path}", kind: write, surface: writes, handle: rollbackSecret,
			summary: "Make an old version the newest.", needs: []need{may(path, rbac.Write), may(path, rbac.Read)}, limit: smallBody, request: of[rollbackBody](), response: of[written]()},
		{name: "secrets.undelete", method: http.MethodPost, pattern: "/secrets/undelete/{path}", kind: write, surface: writes, handle: undeleteSecret,
			summary: "Take back a deletion.", needs: []need{may(path, rbac.Delete)}, limit: smallBody, request: of[nothing](), response: of[pathVersion]()},
		{name: "secrets.purge", method: http.MethodPost, pattern: "/secrets/purge/{path}", kind: write, frees: true, surface: writes, handle: purgeSecret,
			summary: "Destroy the value of one version, or of all.", needs: []need{may(path, rbac.Delete), may(path, rbac.Sudo)}, limit: smallBody, request: of[purgeBody](), response: of[pathVersion]()},
		{name: "secrets.import", method: http.MethodPost, pattern: "/secrets/import", kind: write, surface: bulk, handle: importSecrets,
			summary: "Store up to 1,000 secrets, all or none.", needs: []need{may("secrets/{body.secrets}", rbac.Write)}, limit: importBulk, request: of[importBody](), response: of[importAnswer]()},
		{name: "secrets.move", method: http.MethodPost, pattern: "/secrets/move", kind: write, surface: writes, handle: moveSecret,
			summary: "Move the latest value to another path without showing it.", limit: smallBody, request: of[moveBody](), response: of[pathVersion](),
			needs: []need{may("secrets/{body.source}", rbac.Delete), may("secrets/{body.source}", rbac.Read|rbac.Sudo), may("secrets/{body.destination}", rbac.Write)}},
		{name: "secrets.copy", method: http.MethodPost, pattern: "/secrets/copy", kind: write, surface: writes, handle: copySecret,
			summary: "Copy a value to another path without showing it.", limit: smallBody, request: of[copyBody](), response: of[pathVersion](),
			needs: []need{may("secrets/{body.source}", rbac.Read), may("secrets/{body.destination}", rbac.Write)}},
	}
}

func whoRoutes() []*route { return append(tokenRoutes(), policyRoutes()...) }

func tokenRoutes() []*route {
	const one = "tokens/{accessor}"
	return []*route{
		{name: "tokens.create", method: http.MethodPost, pattern: "/tokens", kind: write, surface: writes, handle: createToken,
			summary: "Make a token that may do no more than the caller.", needs: []need{may("tokens", rbac.Write), may("tokens{body.orphan}", rbac.Sudo)},
			limit: smallBody, request: of[tokenBody](), response: of[newToken]()},
		{name: "tokens.list", method: http.MethodGet, pattern: "/tokens", kind: read, surface: bulk, handle: listTokens,
			summary: "List the tokens of the tenant.", needs: []need{may("tokens", rbac.List)}, query: []query{qCursor, qLimit}, response: of[tokensAnswer]()},
		{name: "tokens.self", method: http.MethodGet, pattern: "/tokens/self", kind: read, surface: reads, handle: lookupSelf, self: true,
			summary: "Describe the caller's own token.", response: of[tokenAnswer]()},
		{name: "tokens.self.renew", method: http.MethodPost, pattern: "/tokens/self/renew", kind: write, surface: writes, handle: renewSelf, self: true,
			summary: "Renew the caller's own token.", limit: smallBody, request: of[renewBody](), response: of[tokenAnswer]()},
		{name: "tokens.self.revoke", method: http.MethodPost, pattern: "/tokens/self/revoke", kind: write, surface: operator, handle: revokeSelf, self: true,
			summary: "Revoke the caller's own token and all that it made.", limit: smallBody, request: of[nothing](), response: of[revokeAnswer]()},
		{name: "tokens.lookup", method: http.MethodGet, pattern: "/tokens/{accessor}", kind: read, surface: reads, handle: lookupToken,
			summary: "Describe a token.", needs: []need{may(one, rbac.Read)}, response: of[tokenAnswer]()},
		{name: "tokens.renew", method: http.MethodPost, pattern: "/tokens/{accessor}/renew", kind: write, surface: writes, handle: renewToken,
			summary: "Renew a token.", needs: []need{may(one, rbac.Write)}, limit: smallBody, request: of[renewBody](), response: of[tokenAnswer]()},
		{name: "tokens.revoke", method: http.MethodPost, pattern: "/tokens/{accessor}/revoke", kind: write, surface: operator, handle: revokeToken,
			summary: "Revoke a token and all that it made.", needs: []need{may(one, rbac.Delete)}, limit: smallBody, request: of[nothing](), response: of[revokeAnswer]()},
	}
}

func policyRoutes() []*route {
	const policy, tenant = "policies/{name}", "tenants/{name}"
	return []*route{
		{name: "policies.list", method: http.MethodGet, pattern: "/policies", kind: read, surface: bulk, handle: listPolicies,
			summary: "List the policies of the tenant.", needs: []need{may("policies", rbac.List)}, query: []query{qCursor, qLimit}, response: of[policiesAnswer]()},
		{name: "policies.test", method: http.MethodPost, pattern: "/policies/test", kind: read, surface: reads, handle: testPolicy,
			summary: "Say whether a policy allows something, and why. Changes nothing and needs no Idempotency-Key.",
			needs:   []need{may("policies/{body.policies}", rbac.Read)}, limit: smallBody, request: of[testBody](), response: of[testAnswer]()},
		{name: "policies.read", method: http.MethodGet, pattern: "/policies/{name}", kind: read, surface: reads, handle: readPolicy,
			summary: "Read a policy.", needs: []need{may(policy, rbac.Read)}, response: of[policyAnswer]()},
		{name: "policies.write", method: http.MethodPut, pattern: "/policies/{name}", kind: write, surface: writes, handle: writePolicy,
			summary: "Write a policy; without sudo its rules must lie within the caller's own.", needs: []need{may(policy, rbac.Write)},
			limit: smallBody, request: of[policyBody](), response: of[policyAnswer]()},
		{name: "policies.delete", method: http.MethodDelete, pattern: "/policies/{name}", kind: write, frees: true, surface: writes, handle: deletePolicy,
			summary: "Delete a policy; tokens that name it lose what it granted.", needs: []need{may(policy, rbac.Delete)}, response: of[named]()},
		{name: "tenants.list", method: http.MethodGet, pattern: "/tenants", kind: read, surface: bulk, handle: listTenants, global: true,
			summary: "List the tenants.", needs: []need{may("tenants", rbac.List)}, query: []query{qCursor, qLimit}, response: of[tenantsAnswer]()},
		{name: "tenants.create", method: http.MethodPost, pattern: "/tenants", kind: write, surface: writes, handle: createTenant, global: true,
			summary: "Create a tenant with a policy named admin.", needs: []need{may("tenants/{body.name}", rbac.Write)}, limit: smallBody,
			request: of[tenantBody](), response: of[tenantAnswer]()},
		{name: "tenants.read", method: http.MethodGet, pattern: "/tenants/{name}", kind: read, surface: reads, handle: readTenant, global: true,
			summary: "Describe a tenant.", needs: []need{may(tenant, rbac.Read)}, response: of[tenantAnswer]()},
		{name: "tenants.delete", method: http.MethodDelete, pattern: "/tenants/{name}", kind: write, frees: true, surface: writes, handle: deleteTenant, global: true,
			summary: "Delete a tenant; its keys are destroyed, and with them what they sealed.", needs: []need{may(tenant, rbac.Delete), may(tenant, rbac.Sudo)}, response: of[named]()},
	}
}

func clusterRoutes() []*route {
	return []*route{
		{name: "audit.events", method: http.MethodGet, pattern: "/audit/events", kind: read, surface: bulk, handle: listAudit,
			summary: "List what was changed, from the event log, and what was read and refused, from the journals of all nodes, in order of time; a tenant sees its own.", needs: []need{may("audit/events", rbac.Read)}, response: of[auditAnswer](),
			query: append(auditQuery(), qLimit, query{"order", "string", "asc, which is the default, or desc"})},
		{name: "audit.verify", method: http.MethodGet, pattern: "/audit/verify", kind: read, surface: bulk, handle: verifyAudit, long: true, global: true, roots: true,
			summary: "Verify the event log, of all tenants, and the journals of this node against their anchors in it; for the root tenant.", needs: []need{may("audit/verify", rbac.Read)}, response: of[verifyAnswer]()},
		{name: "audit.export", method: http.MethodGet, pattern: "/audit/export", kind: read, surface: bulk, handle: exportAudit, long: true,
			summary: "Stream the event log and the journals of all nodes as NDJSON that can be verified without a server.",
			needs:   []need{may("audit/export", rbac.Read)}, query: auditQuery()},
		{name: "audit.key", method: http.MethodGet, pattern: "/audit/key", kind: read, surface: reads, handle: readAuditKey,
			summary: "Show the public key that exports are signed with.", needs: []need{may("audit/key", rbac.Read)}, response: of[keyAnswer]()},
		{name: "sys.status", method: http.MethodGet, pattern: "/sys/status", kind: open, surface: public, handle: readStatus,
			summary: "Describe this node; with a token in more detail.", response: of[Status]()},
		{name: "sys.openapi", method: http.MethodGet, pattern: "/sys/openapi.json", kind: open, surface: public, handle: readDocument,
			summary: "This document."},
		{name: "sys.members", method: http.MethodGet, pattern: "/sys/members", kind: read, surface: operator, handle: listMembers, global: true,
			summary: "List the nodes of the cluster.", needs: []need{may("sys/members", rbac.List)}, response: of[membersAnswer]()},
		{name: "sys.autopilot", method: http.MethodGet, pattern: "/sys/autopilot", kind: read, surface: operator, handle: readAutopilot, global: true,
			summary: "Say how the nodes are, as the node that is asked has seen them, and how many may still fail.",
			needs:   []need{may("sys/members", rbac.List)}, response: of[autopilotAnswer]()},
		{name: "sys.members.remove", method: http.MethodDelete, pattern: "/sys/members/{id}", kind: write, surface: operator, handle: removeMember, global: true,
			summary: "Remove a node for ever.", needs: []need{may("sys/members/{id}", rbac.Delete), may("sys/members/{id}", rbac.Sudo)}, response: of[memberAnswer]()},
		{name: "sys.join-tokens.create", method: http.MethodPost, pattern: "/sys/join-tokens", kind: write, surface: operator, handle: createJoinToken, global: true,
			summary: "Make a token that admits one node once.", needs: []need{may("sys/join-tokens", rbac.Write), may("sys/join-tokens", rbac.Sudo)},
			limit: smallBody, request: of[joinBody](), response: of[joinAnswer]()},
		{name: "sys.transfer", method: http.MethodPost, pattern: "/sys/transfer", kind: act, surface: operator, handle: transferLeader, global: true,
			summary: "Hand leadership to another node.", needs: []need{may("sys/transfer", rbac.Write), may("sys/transfer", rbac.Sudo)},
			limit: smallBody, request: of[transferBody](), response: of[transferAnswer]()},
		{name: "sys.unseal", method: http.MethodPost, pattern: "/sys/unseal", kind: open, surface: public, handle: unsealNode,
			summary: "Give this node one share. It is never passed on to another node.", limit: smallBody, request: of[unsealBody](), response: of[UnsealProgress]()},
		{name: "sys.seal", method: http.MethodPost, pattern: "/sys/seal", kind: read, surface: operator, handle: sealNode, global: true,
			summary: "Wipe the keys of a node, until an operator unseals it.", needs: []need{may("sys/seal", rbac.Write), may("sys/seal", rbac.Sudo)},
			limit: smallBody, request: of[sealBody](), response: of[sealAnswer]()},
		{name: "sys.seals", method: http.MethodGet, pattern: "/sys/seals", kind: read, surface: operator, handle: listSeals, global: true,
			summary: "Ask every seal on every node.", needs: []need{may("sys/seals", rbac.Read)}, response: of[sealsAnswer]()},
		{name: "sys.seals.add", method: http.MethodPost, pattern: "/sys/seals/{seal}", kind: write, surface: operator, handle: addSeal, global: true,
			summary: "Have another seal wrap the root key.", needs: []need{may("sys/seals/{seal}", rbac.Write), may("sys/seals/{seal}", rbac.Sudo)},
			limit: smallBody, request: of[quorum](), response: of[sealRow]()},
		{name: "sys.seals.remove", method: http.MethodPost, pattern: "/sys/seals/{seal}/remove", kind: write, surface: operator, handle: removeSeal, global: true,
			summary: "End a seal: new root and tenant keys, everything wrapped anew.", needs: []need{may("sys/seals/{seal}", rbac.Delete), may("sys/seals/{seal}", rbac.Sudo)},
			limit: smallBody, request: of[quorum](), response: of[rotationAnswer]()},
		{name: "sys.shares.rekey", method: http.MethodPost, pattern: "/sys/shares/rekey", kind: write, surface: operator, handle: rekeyShares, global: true,
			summary: "Make new shares; the old ones open nothing more.", needs: []need{may("sys/shares", rbac.Write), may("sys/shares", rbac.Sudo)},
			limit: smallBody, request: of[rekeyBody](), response: of[sharesAnswer]()},
		{name: "sys.shares.verify", method: http.MethodPost, pattern: "/sys/shares/verify", kind: read, surface: operator, handle: verifyShares, global: true,
			summary: "Try shares without unsealing.", needs: []need{may("sys/shares", rbac.Read), may("sys/shares", rbac.Sudo)},
			limit: smallBody, request: of[quorum](), response: of[verifiedShares]()},
		{name: "sys.rotate", method: http.MethodGet, pattern: "/sys/rotate", kind: read, surface: operator, handle: listRotations, global: true,
			summary: "List the last rotation of each key and how far it is.", needs: []need{may("sys/rotate", rbac.Read)}, response: of[rotationsAnswer]()},
		{name: "sys.rotate.root", method: http.MethodPost, pattern: "/sys/rotate/root", kind: write, surface: operator, handle: rotateRoot, global: true,
			summary: "Make a new root key.", needs: []need{may("sys/rotate", rbac.Write), may("sys/rotate", rbac.Sudo)},
			limit: smallBody, request: of[rotateBody](), response: of[rotationAnswer]()},
		{name: "sys.rotate.tenant", method: http.MethodPost, pattern: "/sys/rotate/tenants/{name}", kind: write, surface: operator, handle: rotateTenant, global: true,
			summary: "Make a new key for a tenant.", needs: []need{may("sys/rotate", rbac.Write), may("sys/rotate", rbac.Sudo)},
			limit: smallBody, request: of[nothing](), response: of[rotationAnswer]()},
		{name: "sys.rotate.gossip", method: http.MethodPost, pattern: "/sys/rotate/gossip", kind: write, surface: operator, handle: rotateGossip, global: true,
			summary: "Make a new key for the gossip between nodes.", needs: []need{may("sys/rotate", rbac.Write), may("sys/rotate", rbac.Sudo)},
			limit: smallBody, request: of[nothing](), response: of[gossipAnswer]()},
		{name: "sys.digest", method: http.MethodGet, pattern: "/sys/digest", kind: read, surface: bulk, handle: readDigest, long: true, plain: true, global: true,
			summary: "Digest of the replicated state on this node.", needs: []need{may("sys/digest", rbac.Read)}, response: of[digestAnswer]()},
		{name: "sys.snapshot", method: http.MethodGet, pattern: "/sys/snapshot", kind: read, surface: bulk, handle: sendSnapshot, long: true, global: true, roots: true,
			summary: "Stream a backup of the whole state, encrypted; for the root tenant.", needs: []need{may("sys/snapshot", rbac.Read), may("sys/snapshot", rbac.Sudo)}},
	}
}
