package api

import (
	"net/http"
	"slices"

	"github.com/trstctl/trstctl/engines/rbac"
)

// dynamicRoutes make accounts at databases and services. Who writes a role acts as the target's administrator, which takes sudo.
func dynamicRoutes() []*route {
	return slices.Concat(connectionRoutes(), dynamicRoleRoutes(), outboxRoutes(), leaseRoutes())
}

func connectionRoutes() []*route {
	const connection, one = "dynamic/connections/{name}", "/dynamic/connections/{name}"
	return []*route{
		{name: "dynamic.connections.list", method: http.MethodGet, pattern: "/dynamic/connections", kind: read, surface: bulk, handle: listConnections,
			summary: "List the connections to databases and services.", needs: []need{may("dynamic/connections", rbac.List)}, query: []query{qCursor, qLimit}, response: of[connectionsAnswer]()},
		{name: "dynamic.connections.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readConnection,
			summary: "Describe a connection, without its password.", needs: []need{may(connection, rbac.Read)}, response: of[connectionAnswer]()},
		{name: "dynamic.connections.write", method: http.MethodPut, pattern: one, kind: write, surface: writes, handle: writeConnection,
			summary: "Make or change a connection, once the target has let it in and can make accounts.", needs: []need{may(connection, rbac.Write), may(connection, rbac.Sudo)}, limit: smallBody,
			request: of[connectionBody](), response: of[connectionAnswer]()},
		{name: "dynamic.connections.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteConnection,
			summary: "Delete a connection that has no leases, with its roles.", needs: []need{may(connection, rbac.Delete), may(connection, rbac.Sudo)}, response: of[deletedConnection]()},
		{name: "dynamic.connections.rotate-root", method: http.MethodPost, pattern: one + "/rotate-root", kind: write, surface: operator, handle: rotateConnection,
			summary: "Give the connection's own account a password that the cluster alone knows.", needs: []need{may(connection, rbac.Write), may(connection, rbac.Sudo)}, limit: smallBody,
			request: of[nothing](), response: of[connectionAnswer]()},
		{name: "dynamic.connections.sweep", method: http.MethodPost, pattern: one + "/sweep", kind: act, surface: operator, long: true, handle: sweepConnection,
			summary: "Compare the accounts at the target whose names are ours with the leases; end those that nobody got, and if told so all others without a lease.",
			needs:   []need{may(connection, rbac.Write), may(connection, rbac.Sudo)}, limit: smallBody, request: of[sweepBody](), response: of[sweepAnswer]()},
		{name: "dynamic.roles.list", method: http.MethodGet, pattern: one + "/roles", kind: read, surface: bulk, handle: listDynamicRoles,
			summary: "List the roles of a connection.", needs: []need{may(connection, rbac.List)}, query: []query{qCursor, qLimit}, response: of[dynamicRolesAnswer]()},
	}
}

func dynamicRoleRoutes() []*route {
	const role, one = "dynamic/roles/{path}", "/dynamic/roles/{path}"
	return []*route{
		{name: "dynamic.roles.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readDynamicRole,
			summary: "Describe a role, CONNECTION/ROLE.", needs: []need{may(role, rbac.Read)}, response: of[dynamicRole]()},
		{name: "dynamic.roles.write", method: http.MethodPut, pattern: one, kind: write, surface: writes, handle: writeDynamicRole,
			summary: "Make or change a role, CONNECTION/ROLE. Its leases go on as they were made.", needs: []need{may(role, rbac.Write), may(role, rbac.Sudo)}, limit: smallBody,
			request: of[dynamicRoleBody](), response: of[dynamicRole]()},
		{name: "dynamic.roles.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteDynamicRole,
			summary: "Delete a role. Its leases go on until they end.", needs: []need{may(role, rbac.Delete), may(role, rbac.Sudo)}, response: of[deletedRole]()},
		{name: "dynamic.creds", method: http.MethodPost, pattern: "/dynamic/creds/{path}", kind: write, surface: writes, handle: issueCredential,
			summary: "Make an account by a role, CONNECTION/ROLE, and give it out with a lease that the token holds.", needs: []need{may("dynamic/creds/{path}", rbac.Write)}, limit: smallBody,
			request: of[orderBody](), response: of[credentialAnswer]()},
	}
}
