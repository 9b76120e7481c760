package api

import (
	"net/http"

	"github.com/trstctl/trstctl/engines/rbac"
)

// usesBody bounds a batch of uses of a key, in bytes.
const usesBody = 8 << 20

// using is a route that uses a key. Each use is a resource of its own, so that a policy can let one encrypt who may not decrypt.
func using(name, summary string, body, answer any, handle func(*call) (any, error)) *route {
	return &route{name: "transit." + name, method: http.MethodPost, pattern: "/transit/" + name + "/{name}", kind: read, present: true, surface: uses, handle: handle,
		summary: summary + " One item, or a batch of up to 1,000 in items, which are answered in order, each with what came of it or with its error.",
		needs:   []need{may("transit/"+name+"/{name}", rbac.Write)}, limit: usesBody, request: typeOf(body), response: typeOf(answer)}
}

func transitRoutes() []*route { return append(transitUses(), transitKeyRoutes()...) }

func transitUses() []*route {
	free := func(name, summary string, body, answer any, handle func(*call) (any, error)) *route {
		r := using(name, summary, body, answer, handle)
		r.pattern, r.needs, r.plain = "/transit/"+name, []need{may("transit/"+name, rbac.Write)}, true
		return r
	}
	return []*route{
		using("encrypt", "Encrypt under a key.", encryptBody{}, encryptAnswer{}, encrypt),
		using("decrypt", "Decrypt what the key has encrypted, or a data key that it has encapsulated.", decryptBody{}, decryptAnswer{}, decrypt),
		using("rewrap", "Encrypt anew under the latest version of the key, without showing the plaintext.", rewrapBody{}, encryptAnswer{}, rewrap),
		using("datakey", "Make a data key and show it encrypted alone.", dataKeyBody{}, encryptAnswer{}, dataKey),
		using("datakey-plaintext", "Make a data key and show it in clear and encrypted.", dataKeyBody{}, dataKeyAnswer{}, plainDataKey),
		using("sign", "Sign with a key.", signBody{}, signAnswer{}, sign),
		using("verify", "Say whether a signature or an HMAC is the key's.", verifyBody{}, useVerifyAnswer{}, verify),
		using("hmac", "Make an HMAC under a key.", macBody{}, macAnswer{}, makeMAC),
		free("hash", "Hash.", hashBody{}, hashAnswer{}, hash),
		free("random", "Draw random bytes.", randomBody{}, randomAnswer{}, random),
	}
}

func transitKeyRoutes() []*route {
	const key, one = "transit/keys/{name}", "/transit/keys/{name}"
	mutation := func(name, method, pattern, summary string, caps rbac.Capability, handle func(*call) (any, error)) *route {
		return &route{name: "transit.keys." + name, method: method, pattern: pattern, kind: write, surface: writes, handle: handle, summary: summary,
			needs: []need{may(key, caps)}, response: of[keyVersion]()}
	}
	with := func(r *route, limit int64, body any, needs ...need) *route {
		r.limit, r.request, r.needs = limit, typeOf(body), append(r.needs, needs...)
		return r
	}
	freeing := func(r *route) *route { r.frees = true; return r }
	return []*route{
		{name: "transit.keys.list", method: http.MethodGet, pattern: "/transit/keys", kind: read, surface: bulk, handle: listKeys,
			summary: "List the keys of the tenant.", needs: []need{may("transit/keys", rbac.List)}, query: []query{qCursor, qLimit}, response: of[keysAnswer]()},
		{name: "transit.keys.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readKey,
			summary: "Describe a key, with its latest public key.", needs: []need{may(key, rbac.Read)}, response: of[keyInfo]()},
		{name: "transit.keys.versions", method: http.MethodGet, pattern: one + "/versions", kind: read, surface: reads, handle: listKeyVersions,
			summary: "List the versions of a key, newest first, with their public keys.", needs: []need{may(key, rbac.Read)}, query: []query{qCursor, qLimit}, response: of[keyVersionsAnswer]()},
		with(mutation("create", http.MethodPost, one, "Make a key.", rbac.Write, createKey), smallBody, keyBody{}),
		freeing(mutation("delete", http.MethodDelete, one, "Destroy a key that may be, with all its versions.", rbac.Delete, deleteKey)),
		with(mutation("rotate", http.MethodPost, one+"/rotate", "Give a key its next version.", rbac.Write, rotateKey), smallBody, nothing{}),
		with(mutation("configure", http.MethodPost, one+"/configure", "Change settings of a key; to make it exportable needs sudo.", rbac.Write, configureKey), smallBody, configureBody{},
			need{resource: key, caps: rbac.Sudo, when: "exportable"}),
		freeing(with(mutation("trim", http.MethodPost, one+"/trim", "Destroy the versions below one, which nothing may use any more.", rbac.Delete, trimKey), smallBody, trimBody{})),
		with(mutation("import", http.MethodPost, one+"/import", "Make a key of material from elsewhere, wrapped to the wrapping key; in clear it needs sudo.", rbac.Write, importKey), smallBody,
			importKeyBody{}, need{resource: key, caps: rbac.Sudo, when: "key"}),
		{name: "transit.wrapping-key", method: http.MethodPost, pattern: "/transit/wrapping-key", kind: write, surface: writes, handle: ensureWrapping, limit: smallBody,
			summary: "Show the public key to which imports are wrapped, and make it if there is none.", needs: []need{may("transit/wrapping-key", rbac.Read)},
			request: of[nothing](), response: of[wrappingAnswer]()},
		{name: "transit.wrapping-key.rotate", method: http.MethodPost, pattern: "/transit/wrapping-key/rotate", kind: write, surface: writes, handle: rotateWrapping, limit: smallBody,
			summary: "Make a new wrapping key; what was wrapped to former ones is taken still.", needs: []need{may("transit/wrapping-key", rbac.Write)},
			request: of[nothing](), response: of[wrappingAnswer]()},
		{name: "transit.export", method: http.MethodGet, pattern: "/transit/export/{name}", kind: read, present: true, surface: uses, handle: exportKey,
			summary: "Show the private material of an exportable key.", needs: []need{may("transit/export/{name}", rbac.Read)}, response: of[materialAnswer](),
			query: []query{{"version", "integer", "0 or nothing: the latest"}, {"format", "string", "raw, pkcs8 or pem; nothing: raw of a symmetric key, pem of another"}}},
		{name: "transit.export.wrapped", method: http.MethodPost, pattern: "/transit/export/{name}", kind: read, present: true, surface: uses, handle: exportWrapped, limit: smallBody,
			summary: "Give an exportable key with all its versions to the wrapping key of another tenant or cluster, which restores it.",
			needs:   []need{may("transit/export/{name}", rbac.Read)}, request: of[exportBody](), response: of[backupAnswer]()},
		{name: "transit.backup", method: http.MethodGet, pattern: "/transit/backup/{name}", kind: read, present: true, surface: uses, handle: backupKey,
			summary: "Show a key with all its versions, encrypted to the wrapping key of its tenant.", needs: []need{may("transit/backup/{name}", rbac.Read)}, response: of[backupAnswer]()},
		{name: "transit.restore", method: http.MethodPost, pattern: "/transit/restore/{name}", kind: write, surface: bulk, handle: restoreKey, limit: usesBody,
			summary: "Bring a key back from a backup.", needs: []need{may("transit/restore/{name}", rbac.Write)}, request: of[restoreBody](), response: of[keyVersion]()},
	}
}
