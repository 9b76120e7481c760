package api

import (
	"net/http"
	"slices"

	"github.com/trstctl/trstctl/engines/rbac"
)

// pkiRoutes run certification authorities. Whoever makes an issuer or writes a role decides who is believed to be whom, which takes sudo.
func pkiRoutes() []*route {
	return slices.Concat(issuerRoutes(), pkiRoleRoutes(), certificateRoutes(), acmeRoutes())
}

func issuerRoutes() []*route {
	const issuer, one = "pki/issuers/{name}", "/secrets/pki/issuers/{name}"
	sudo := []need{may(issuer, rbac.Write), may(issuer, rbac.Sudo)}
	return []*route{
		{name: "pki.issuers.list", method: http.MethodGet, pattern: "/secrets/pki/issuers", kind: read, surface: bulk, handle: listIssuers,
			summary: "List the issuers of the tenant, 200 at most.", needs: []need{may("pki/issuers", rbac.List)}, response: of[issuersAnswer]()},
		{name: "pki.issuers.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readIssuer,
			summary: "Describe an issuer, with its certificates.", needs: []need{may(issuer, rbac.Read)}, response: of[issuerAnswer]()},
		{name: "pki.issuers.create", method: http.MethodPost, pattern: one, kind: write, surface: writes, handle: makeIssuer,
			summary: "Make a CA with a key of its own: a root, an intermediate of another issuer, or one that is signed elsewhere by its request.", needs: sudo, limit: smallBody,
			request: of[issuerBody](), response: of[issuerAnswer]()},
		{name: "pki.issuers.import", method: http.MethodPost, pattern: one + "/import", kind: write, surface: writes, handle: importIssuer,
			summary: "Take a CA that was made elsewhere, with its key.", needs: sudo, limit: smallBody, request: of[importIssuerBody](), response: of[issuerAnswer]()},
		{name: "pki.issuers.certify", method: http.MethodPost, pattern: one + "/certify", kind: write, surface: writes, handle: certifyIssuer,
			summary: "Give a CA the certificate that was signed elsewhere for its request, or another for the same key.", needs: sudo, limit: smallBody,
			request: of[certifyBody](), response: of[issuerAnswer]()},
		{name: "pki.issuers.cross-sign", method: http.MethodPost, pattern: one + "/cross-sign", kind: write, surface: writes, handle: crossSignIssuer,
			summary: "Have another issuer sign this one's key and name: who trusts that alone accepts what this one issues.", needs: sudo, limit: smallBody,
			request: of[crossBody](), response: of[issuerAnswer]()},
		{name: "pki.issuers.configure", method: http.MethodPut, pattern: one + "/settings", kind: write, surface: writes, handle: configureIssuer,
			summary: "Change settings of an issuer. What is left out stays.", needs: sudo, limit: smallBody, request: of[settingsBody](), response: of[issuerAnswer]()},
		{name: "pki.issuers.confirm", method: http.MethodPost, pattern: one + "/confirm", kind: write, surface: operator, handle: confirmIssuer,
			summary: "Let an issuer go on after the cluster was restored.", needs: sudo, limit: smallBody, request: of[nothing](), response: of[issuerAnswer]()},
		{name: "pki.issuers.default", method: http.MethodPost, pattern: one + "/default", kind: write, surface: writes, handle: defaultIssuer,
			summary: "Have roles that name no issuer use this one.", needs: sudo, limit: smallBody, request: of[nothing](), response: of[issuerAnswer]()},
		{name: "pki.issuers.sign-verbatim", method: http.MethodPost, pattern: one + "/sign-verbatim", kind: write, surface: writes, handle: signVerbatim,
			summary: "Sign a request as it is, without a role: its subject, names and usages.", needs: sudo, limit: smallBody, request: of[verbatimBody](), response: of[certificate]()},
		{name: "pki.issuers.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteIssuer,
			summary: "Destroy the key of a CA: it publishes nothing any more.", needs: []need{may(issuer, rbac.Delete), may(issuer, rbac.Sudo)},
			query: []query{{"force", "boolean", "although certificates of it have not expired"}}, response: of[named]()},
	}
}

func pkiRoleRoutes() []*route {
	const role, one = "pki/roles/{name}", "/secrets/pki/roles/{name}"
	return []*route{
		{name: "pki.roles.list", method: http.MethodGet, pattern: "/secrets/pki/roles", kind: read, surface: bulk, handle: listPKIRoles,
			summary: "List the roles by which certificates are issued.", needs: []need{may("pki/roles", rbac.List)}, query: []query{qCursor, qLimit}, response: of[pkiRolesAnswer]()},
		{name: "pki.roles.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readPKIRole,
			summary: "Describe a role.", needs: []need{may(role, rbac.Read)}, response: of[pkiRole]()},
		{name: "pki.roles.write", method: http.MethodPut, pattern: one, kind: write, surface: writes, handle: writePKIRole,
			summary: "Make or change a role. Certificates that are out stay as they are.", needs: []need{may(role, rbac.Write), may(role, rbac.Sudo)}, limit: smallBody,
			request: of[pkiRoleBody](), response: of[pkiRole]()},
		{name: "pki.roles.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deletePKIRole,
			summary: "Delete a role. Its certificates stay as they are.", needs: []need{may(role, rbac.Delete), may(role, rbac.Sudo)}, response: of[named]()},
	}
}

func certificateRoutes() []*route {
	const cert, one = "pki/certificates/{name}", "/secrets/pki/certificates/{name}"
	return []*route{
		{name: "pki.issue", method: http.MethodPost, pattern: "/secrets/pki/issue/{name}", kind: write, surface: writes, handle: issueCertificate,
			summary: "Make a key and a certificate for it by a role. The key is in this answer alone.", needs: []need{may("pki/issue/{name}", rbac.Write)}, limit: smallBody,
			request: of[orderedBody](), response: of[certificateAnswer]()},
		{name: "pki.sign", method: http.MethodPost, pattern: "/secrets/pki/sign/{name}", kind: write, surface: writes, handle: signRequest,
			summary: "Sign a request by a role: what the role does not say is refused, or left out.", needs: []need{may("pki/sign/{name}", rbac.Write)}, limit: smallBody,
			request: of[csrBody](), response: of[certificate]()},
		{name: "pki.certificates.list", method: http.MethodGet, pattern: "/secrets/pki/certificates", kind: read, surface: bulk, handle: listCertificates,
			summary: "List the certificates that are stored, in the order of their serial numbers. Expired ones stay for three days.", needs: []need{may("pki/certificates", rbac.List)},
			query: []query{qCursor, qLimit}, response: of[certificatesAnswer]()},
		{name: "pki.certificates.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readCertificate,
			summary: "Describe a certificate, by its serial number.", needs: []need{may(cert, rbac.Read)}, response: of[keptCertificate]()},
		{name: "pki.certificates.revoke", method: http.MethodPost, pattern: one + "/revoke", kind: write, surface: operator, handle: revokeCertificate,
			summary: "Revoke a certificate, by its serial number. From then on no node answers that it is good.", needs: []need{may(cert, rbac.Delete)}, limit: smallBody,
			request: of[revokeCertificateBody](), response: of[keptCertificate]()},
		{name: "pki.revoke", method: http.MethodPost, pattern: "/secrets/pki/revoke", kind: write, surface: operator, handle: revokePresented,
			summary: "Revoke a certificate by presenting it: also one that is not stored.", needs: []need{may("pki/revoke", rbac.Write)}, limit: smallBody,
			request: of[presentedBody](), response: of[revokedSerial]()},
	}
}

// acmeRoutes say which roles clients of ACME find. Their own requests are below /acme/, and are signed by their own keys.
func acmeRoutes() []*route {
	const directory, key, one = "pki/acme/{name}", "pki/acme-keys/{name}", "/secrets/pki/acme/{name}"
	return []*route{
		{name: "pki.acme.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readACME,
			summary: "Describe the ACME directory of a role.", needs: []need{may(directory, rbac.Read)}, response: of[acmeAnswer]()},
		{name: "pki.acme.write", method: http.MethodPut, pattern: one, kind: write, surface: writes, handle: writeACME,
			summary: "Give a role an ACME directory.", needs: []need{may(directory, rbac.Write), may(directory, rbac.Sudo)}, limit: smallBody, request: of[acmeBody](), response: of[acmeAnswer]()},
		{name: "pki.acme.delete", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: writes, handle: deleteACME,
			summary: "End the ACME directory of a role with its accounts. Certificates stay as they are.", needs: []need{may(directory, rbac.Delete), may(directory, rbac.Sudo)}, response: of[named]()},
		{name: "pki.acme.keys.create", method: http.MethodPost, pattern: one + "/keys", kind: write, surface: writes, handle: makeACMEKey,
			summary: "Make a key that opens one ACME account within a week. It is in this answer alone.",
			needs:   []need{may(key, rbac.Write), {resource: key, caps: rbac.Sudo, when: "identity"}}, limit: smallBody, request: of[acmeKeyBody](), response: of[acmeKeyAnswer]()},
	}
}
