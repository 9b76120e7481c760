package api

import (
	"net/http"
	"slices"

	"github.com/trstctl/trstctl/engines/rbac"
)

// kmipRoutes administer who may speak KMIP. The port that speaks it is another.
func kmipRoutes() []*route {
	return slices.Concat(kmipCARoutes(), kmipRoleRoutes(), kmipClientRoutes(), kmipEnrolRoutes(), kmipPendingRoutes(), kmipObjectRoutes())
}

func kmipCARoutes() []*route {
	const ca, server = "kmip/ca", "kmip/server"
	return []*route{
		{name: "kmip.ca.list", method: http.MethodGet, pattern: "/kmip/ca", kind: read, surface: reads, handle: listKMIPCAs,
			summary: "List the certificate authorities of the tenant's clients, 32 at most, by kind and generation.", needs: []need{may(ca, rbac.List)}, response: of[kmipCAsAnswer]()},
		{name: "kmip.ca.init", method: http.MethodPost, pattern: "/kmip/ca", kind: write, surface: writes, handle: initKMIPCA,
			summary: "Make the tenant's first client CA.", needs: []need{may(ca, rbac.Write)}, limit: smallBody, request: of[kmipCABody](), response: of[kmipCA]()},
		{name: "kmip.ca.rotate", method: http.MethodPost, pattern: "/kmip/ca/rotate", kind: write, surface: writes, handle: rotateKMIPCA,
			summary: "Make the next generation of the client CA; what the former ones issued is good until they are removed.", needs: []need{may(ca, rbac.Write)},
			limit: smallBody, request: of[kmipCABody](), response: of[kmipCA]()},
		{name: "kmip.ca.add", method: http.MethodPut, pattern: "/kmip/ca/external/{name}", kind: write, surface: writes, handle: addKMIPCA,
			summary: "Register an external CA, or its newer certificate, so that clients can be bound by its subjects.",
			needs:   []need{may("kmip/ca/external/{name}", rbac.Write)}, limit: smallBody, request: of[kmipExternalBody](), response: of[kmipCA]()},
		{name: "kmip.ca.remove", method: http.MethodDelete, pattern: "/kmip/ca/{uid}", kind: write, frees: true, surface: writes, handle: removeKMIPCA,
			summary: "End a CA: clients to which it issued, or for which it vouches, are refused from then on.", needs: []need{may("kmip/ca/{uid}", rbac.Delete)}, response: of[kmipCA]()},
		{name: "kmip.server.roots", method: http.MethodGet, pattern: "/kmip/server/roots", kind: read, surface: reads, handle: readKMIPRoots,
			summary: "Show the certificates that clients must trust to know the cluster's KMIP servers.", needs: []need{may(server, rbac.Read)}, response: of[kmipRootsAnswer]()},
		{name: "kmip.server.rotate", method: http.MethodPost, pattern: "/kmip/server/rotate", kind: write, surface: operator, handle: rotateKMIPServer, global: true, roots: true,
			summary: "Make the next generation of the CA of the cluster's KMIP servers; for the root tenant.", needs: []need{may(server, rbac.Write), may(server, rbac.Sudo)},
			limit: smallBody, request: of[kmipServerBody](), response: of[kmipCA]()},
	}
}

// kmipPendingRoutes need sudo: while a window is open, whoever has a certificate can take up room in every node's memory.
func kmipPendingRoutes() []*route {
	const pending, one = "kmip/pending", "/kmip/pending"
	return []*route{
		{name: "kmip.pending.list", method: http.MethodGet, pattern: one, kind: read, surface: operator, handle: listKMIPPending,
			summary: "Say which certificates that nobody knows have presented themselves while a window is open.", needs: []need{may(pending, rbac.List), may(pending, rbac.Sudo)},
			response: of[kmipPendingAnswer]()},
		{name: "kmip.pending.open", method: http.MethodPost, pattern: one, kind: act, surface: operator, handle: openKMIPWindow,
			summary: "Have every node remember, for some minutes, the certificates that nobody knows, so that one can be accepted (POST /kmip/clients/{name}).",
			needs:   []need{may(pending, rbac.Write), may(pending, rbac.Sudo)}, limit: smallBody, request: of[kmipWindowBody](), response: of[kmipWindow]()},
		{name: "kmip.pending.close", method: http.MethodDelete, pattern: one, kind: act, surface: operator, handle: closeKMIPWindow,
			summary: "Close the window before its time.", needs: []need{may(pending, rbac.Delete), may(pending, rbac.Sudo)}, response: of[kmipWindow]()},
	}
}

func kmipRoleRoutes() []*route {
	const role, one = "kmip/roles/{name}", "/kmip/roles/{name}"
	return []*route{
		{name: "kmip.roles.list", method: http.MethodGet, pattern: "/kmip/roles", kind: read, surface: bulk, handle: listKMIPRoles,
			summary: "List the roles of the tenant's KMIP clients.", needs: []need{may("kmip/roles", rbac.List)}, query: []query{qCursor, qLimit}, response: of[kmipRolesAnswer]()},
		{name: "kmip.roles.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readKMIPRole,
			summary: "Read a role.", needs: []need{may(role, rbac.Read)}, response: of[kmipRole]()},
		{name: "kmip.roles.write", method: http.MethodPut, pattern: one, kind: write, surface: writes, handle: writeKMIPRole,
			summary: "Make a role, or change it at once for all clients that have it.", needs: []need{may(role, rbac.Write)}, limit: smallBody,
			request: of[kmipRoleBody](), response: of[kmipRole]()},
		{name: "kmip.roles.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteKMIPRole,
			summary: "Delete a role that no client has.", needs: []need{may(role, rbac.Delete)}, response: of[kmipRole]()},
	}
}

func kmipClientRoutes() []*route {
	const client, one = "kmip/clients/{name}", "/kmip/clients/{name}"
	return []*route{
		{name: "kmip.clients.list", method: http.MethodGet, pattern: "/kmip/clients", kind: read, surface: bulk, handle: listKMIPClients,
			summary: "List the KMIP clients of the tenant.", needs: []need{may("kmip/clients", rbac.List)}, query: []query{qCursor, qLimit}, response: of[kmipClientsAnswer]()},
		{name: "kmip.clients.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readKMIPClient,
			summary: "Describe a client, with all that it is known by.", needs: []need{may(client, rbac.Read)}, response: of[kmipClientAnswer]()},
		{name: "kmip.clients.configure", method: http.MethodPatch, pattern: one, kind: write, surface: writes, handle: configureKMIPClient,
			summary: "Change a client's role and credentials, at once; what is left out stays as it is. Whoever gives a role must be allowed to read it.",
			needs:   []need{may(client, rbac.Write), may("kmip/roles/{body.role}", rbac.Read)}, limit: smallBody, request: of[kmipConfigureBody](), response: of[kmipNamed]()},
		{name: "kmip.clients.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteKMIPClient,
			summary: "Delete a client and free its name; what it was known by is never bound to another.", needs: []need{may(client, rbac.Delete)}, response: of[kmipNamed]()},
		{name: "kmip.clients.revoke", method: http.MethodPost, pattern: one + "/revoke", kind: write, surface: operator, handle: revokeKMIPClient,
			summary: "End a client for ever, with all that it is known by.", needs: []need{may(client, rbac.Delete)}, limit: smallBody, request: of[nothing](), response: of[kmipNamed]()},
		{name: "kmip.clients.bindings.revoke", method: http.MethodPost, pattern: one + "/bindings/revoke", kind: write, surface: operator, handle: revokeKMIPBinding,
			summary: "End one of the things that a client is known by, for ever.", needs: []need{may(client, rbac.Delete)}, limit: smallBody,
			request: of[kmipBindingBody](), response: of[kmipNamed]()},
		{name: "kmip.clients.confirm", method: http.MethodPost, pattern: one + "/confirm", kind: write, surface: writes, handle: confirmKMIPClient,
			summary: "Let in a client of before a restore of the cluster. It revives none that was revoked.", needs: []need{may(client, rbac.Write)}, limit: smallBody,
			request: of[nothing](), response: of[kmipNamed]()},
		{name: "kmip.confirm", method: http.MethodPost, pattern: "/kmip/confirm", kind: write, surface: writes, handle: confirmKMIPClients,
			summary: "Let in all clients of before a restore of the cluster: what was revoked after the backup may be among them.", needs: []need{may("kmip/confirm", rbac.Write)},
			limit: smallBody, request: of[nothing](), response: of[nothing]()},
	}
}

func kmipEnrolRoutes() []*route {
	const client, one = "kmip/clients/{name}", "/kmip/clients/{name}"
	return []*route{
		{name: "kmip.clients.enrol", method: http.MethodPost, pattern: one, kind: write, surface: writes, handle: enrolKMIPClient,
			summary: "Make a client; a private key that is made for it is shown this once. Whoever gives a role must be allowed to read it.",
			needs:   []need{may(client, rbac.Write), may("kmip/roles/{body.role}", rbac.Read)}, limit: smallBody, request: of[kmipEnrolBody](), response: of[kmipIssued]()},
		{name: "kmip.clients.renew", method: http.MethodPost, pattern: one + "/renew", kind: write, surface: writes, handle: renewKMIPClient,
			summary: "Have a client known by something else as well; a private key that is made for it is shown this once.", needs: []need{may(client, rbac.Write)},
			limit: smallBody, request: of[kmipRenewBody](), response: of[kmipIssued]()},
	}
}

// kmipObjectRoutes show what clients keep, and never its material.
func kmipObjectRoutes() []*route {
	return []*route{
		{name: "kmip.objects.list", method: http.MethodGet, pattern: "/kmip/objects", kind: read, surface: bulk, handle: listKMIPObjects,
			summary: "List the managed objects of the tenant, without their material.", needs: []need{may("kmip/objects", rbac.List)}, query: []query{qCursor, qLimit},
			response: of[kmipObjectsAnswer]()},
		{name: "kmip.objects.read", method: http.MethodGet, pattern: "/kmip/objects/{id}", kind: read, surface: reads, handle: readKMIPObject,
			summary: "Describe a managed object, without its material.", needs: []need{may("kmip/objects/{id}", rbac.Read)}, response: of[kmipObject]()},
	}
}
