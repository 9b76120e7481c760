package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm/fault"
)

// sample is a request that succeeds on a bench after prepare, with what its needs' variables stand for.
type sample struct {
	url, body string
	names     map[string]string
	prepare   func(b *bench) // nil: nothing is needed
}

func has(paths ...string) func(*bench) {
	return func(b *bench) {
		for _, p := range paths {
			b.put("/secrets/store/"+p, b.root, `{"value":"one","labels":{"k":"v"},"content_type":"text/plain","expires_at":"2100-01-01T00:00:00Z"}`).is(200)
		}
	}
}

// anAccessor stands in a sample for that of a token made for it.
const anAccessor = "ACCESSOR"

var samples = map[string]sample{
	"secrets.get":                     {"/secrets/store/a/b", "", map[string]string{"path": "a/b"}, has("a/b")},
	"secrets.put":                     {"/secrets/store/a/b", `{"value":"x"}`, map[string]string{"path": "a/b"}, nil},
	"secrets.delete":                  {"/secrets/store/a/b", "", map[string]string{"path": "a/b"}, has("a/b")},
	"secrets.list":                    {"/secrets/list?prefix=a/", "", map[string]string{"prefix": "a/b"}, has("a/b", "a/c/d")},
	"secrets.versions":                {"/secrets/versions/a/b", "", map[string]string{"path": "a/b"}, has("a/b")},
	"secrets.rollback":                {"/secrets/rollback/a/b", `{"version":1}`, map[string]string{"path": "a/b"}, has("a/b", "a/b")},
	"secrets.undelete":                {"/secrets/undelete/a/b", "", map[string]string{"path": "a/b"}, func(b *bench) { has("a/b")(b); b.delete("/secrets/store/a/b", b.root).is(200) }},
	"secrets.purge":                   {"/secrets/purge/a/b", `{"version":1}`, map[string]string{"path": "a/b"}, has("a/b")},
	"secrets.import":                  {"/secrets/import", `{"secrets":[{"path":"i/1","value":"x"}]}`, map[string]string{"body.secrets": "i/1"}, nil},
	"secrets.move":                    {"/secrets/move", `{"source":"a/b","destination":"m/1"}`, map[string]string{"body.source": "a/b", "body.destination": "m/1"}, has("a/b")},
	"secrets.copy":                    {"/secrets/copy", `{"source":"a/b","destination":"m/1"}`, map[string]string{"body.source": "a/b", "body.destination": "m/1"}, has("a/b")},
	"transit.encrypt":                 {"/transit/encrypt/k", `{"plaintext":"aGk=","associated_data":"eA=="}`, k, key("k", "")},
	"transit.decrypt":                 {"/transit/decrypt/k", `{"items":[{"ciphertext":"trv:1:AAAA"},{"ciphertext":"no"}]}`, k, key("k", "")},
	"transit.rewrap":                  {"/transit/rewrap/k", `{"items":[{"ciphertext":"trv:1:AAAA"}]}`, k, key("k", "")},
	"transit.datakey":                 {"/transit/datakey/k", `{"bits":128}`, k, key("k", "")},
	"transit.datakey-plaintext":       {"/transit/datakey-plaintext/k", `{"items":[{"bits":128},{"bits":1},{}]}`, k, key("k", "")},
	"transit.sign":                    {"/transit/sign/k", `{"input":"aGk="}`, k, key("k", "ed25519")},
	"transit.verify":                  {"/transit/verify/k", `{"input":"aGk=","signature":"trv:1:AAAA"}`, k, key("k", "ed25519")},
	"transit.hmac":                    {"/transit/hmac/k", `{"input":"aGk=","hash":"sha2-512"}`, k, key("k", "")},
	"transit.hash":                    {"/transit/hash", `{"input":"aGk="}`, nil, nil},
	"transit.random":                  {"/transit/random", `{"items":[{"bytes":8},{"bytes":9999999}]}`, nil, nil},
	"transit.keys.list":               {"/transit/keys", "", nil, key("k", "")},
	"transit.keys.read":               {"/transit/keys/k", "", k, key("k", "ed25519")},
	"transit.keys.versions":           {"/transit/keys/k/versions", "", k, key("k", "ed25519")},
	"transit.keys.create":             {"/transit/keys/k", `{"algorithm":"aes256-gcm","derived":true,"convergent_encryption":true,"exportable":true,"auto_rotate_period":"720h"}`, k, nil},
	"transit.keys.delete":             {"/transit/keys/k", "", k, func(b *bench) { b.post("/transit/keys/k", b.root, `{"deletion_allowed":true}`).is(200) }},
	"transit.keys.rotate":             {"/transit/keys/k/rotate", "", k, key("k", "")},
	"transit.keys.configure":          {"/transit/keys/k/configure", `{"exportable":true}`, k, key("k", "")},
	"transit.keys.trim":               {"/transit/keys/k/trim", `{"min_available_version":2}`, k, trimmable},
	"transit.keys.import":             {"/transit/keys/k/import", `{"key":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}`, k, nil},
	"transit.wrapping-key":            {"/transit/wrapping-key", "", nil, nil},
	"transit.wrapping-key.rotate":     {"/transit/wrapping-key/rotate", "{}", nil, wrapping},
	"transit.export":                  {"/transit/export/k", "", k, func(b *bench) { b.post("/transit/keys/k", b.root, `{"exportable":true}`).is(200) }},
	"transit.export.wrapped":          {"/transit/export/k", `{"public_key":"` + strings.ReplaceAll(wrapTo, "\n", `\n`) + `"}`, k, func(b *bench) { b.post("/transit/keys/k", b.root, `{"exportable":true}`).is(200) }},
	"transit.backup":                  {"/transit/backup/k", "", k, func(b *bench) { wrapping(b); key("k", "")(b) }},
	"transit.restore":                 {"/transit/restore/k", aBackup, k, nil},
	"tokens.create":                   {"/tokens", `{"policies":[],"ttl":"5m","max_ttl":"10m","name":"ci","renewable":true,"orphan":true}`, map[string]string{"body.orphan": ""}, nil},
	"tokens.list":                     {"/tokens", "", nil, nil},
	"tokens.self":                     {"/tokens/self", "", nil, nil},
	"tokens.self.renew":               {"/tokens/self/renew", "", nil, nil},
	"tokens.self.revoke":              {"/tokens/self/revoke", "", nil, nil},
	"tokens.lookup":                   {"/tokens/" + anAccessor, "", map[string]string{"accessor": anAccessor}, nil},
	"tokens.renew":                    {"/tokens/" + anAccessor + "/renew", `{"ttl":"10m"}`, map[string]string{"accessor": anAccessor}, nil},
	"tokens.revoke":                   {"/tokens/" + anAccessor + "/revoke", `{}`, map[string]string{"accessor": anAccessor}, nil},
	"policies.list":                   {"/policies", "", nil, nil},
	"policies.test":                   {"/policies/test", `{"path":"secrets/a","capability":"read","policies":["some"]}`, map[string]string{"body.policies": "some"}, func(b *bench) { b.put("/policies/some", b.root, rules("x read")).is(200) }},
	"policies.read":                   {"/policies/some", "", map[string]string{"name": "some"}, func(b *bench) { b.put("/policies/some", b.root, rules("x read")).is(200) }},
	"policies.write":                  {"/policies/some", rules(), map[string]string{"name": "some"}, nil},
	"policies.delete":                 {"/policies/some", "", map[string]string{"name": "some"}, func(b *bench) { b.put("/policies/some", b.root, rules("x read")).is(200) }},
	"tenants.list":                    {"/tenants", "", nil, nil},
	"tenants.create":                  {"/tenants", `{"name":"acme"}`, map[string]string{"body.name": "acme"}, nil},
	"tenants.read":                    {"/tenants/acme", "", map[string]string{"name": "acme"}, func(b *bench) { b.tenant("acme") }},
	"tenants.delete":                  {"/tenants/acme", "", map[string]string{"name": "acme"}, func(b *bench) { b.tenant("acme") }},
	"kmip.ca.list":                    {"/kmip/ca", "", nil, kmipCAs},
	"kmip.ca.init":                    {"/kmip/ca", `{"algorithm":"ec-p256"}`, nil, nil},
	"kmip.ca.rotate":                  {"/kmip/ca/rotate", `{"algorithm":"ec-p256"}`, nil, kmipCAs},
	"kmip.ca.add":                     {"/kmip/ca/external/partner", partner.body(), map[string]string{"name": "partner"}, nil},
	"kmip.ca.remove":                  {"/kmip/ca/" + aCA, "", map[string]string{"uid": aCA}, nil},
	"kmip.server.roots":               {"/kmip/server/roots", "", nil, kmipServer},
	"kmip.server.rotate":              {"/kmip/server/rotate", `{"algorithm":"ec-p256","delay":"720h"}`, nil, kmipServer},
	"kmip.roles.list":                 {"/kmip/roles", "", nil, kmipRoleR},
	"kmip.roles.read":                 {"/kmip/roles/r", "", map[string]string{"name": "r"}, kmipRoleR},
	"kmip.roles.write":                {"/kmip/roles/r", `{"operations":["Create","Get","0x0b"],"groups":["@own","shared"],"max_objects":5,"credential_required":true}`, map[string]string{"name": "r"}, nil},
	"kmip.roles.delete":               {"/kmip/roles/r", "", map[string]string{"name": "r"}, kmipRoleR},
	"kmip.clients.list":               {"/kmip/clients", "", nil, kmipClientC},
	"kmip.clients.read":               {"/kmip/clients/c", "", map[string]string{"name": "c"}, kmipSubject},
	"kmip.clients.configure":          {"/kmip/clients/c", `{"role":"r","password":{"username":"u","password":"12345678"},"remove_device":true}`, map[string]string{"name": "c", "body.role": "r"}, func(b *bench) { kmipClientC(b); kmipRoleR(b) }},
	"kmip.clients.delete":             {"/kmip/clients/c", "", map[string]string{"name": "c"}, kmipClientC},
	"kmip.clients.revoke":             {"/kmip/clients/c/revoke", "", map[string]string{"name": "c"}, kmipClientC},
	"kmip.clients.bindings.revoke":    {"/kmip/clients/c/bindings/revoke", `{"number":1}`, map[string]string{"name": "c"}, kmipClientC},
	"kmip.clients.confirm":            {"/kmip/clients/c/confirm", "{}", map[string]string{"name": "c"}, kmipClientC},
	"kmip.confirm":                    {"/kmip/confirm", "{}", nil, kmipClientC},
	"kmip.clients.enrol":              {"/kmip/clients/c", `{"algorithm":"ec-p256","ttl":"24h","role":"r","password":{"username":"u","password":"12345678"},"device":{"serial_number":"s","password":"x"}}`, map[string]string{"name": "c", "body.role": "r"}, func(b *bench) { kmipCAs(b); kmipRoleR(b) }},
	"kmip.clients.renew":              {"/kmip/clients/c/renew", `{"algorithm":"ec-p256","overlap":"24h"}`, map[string]string{"name": "c"}, kmipClientC},
	"kmip.pending.list":               {"/kmip/pending", "", nil, nil},
	"kmip.pending.open":               {"/kmip/pending", `{"for":"5m"}`, nil, nil},
	"kmip.pending.close":              {"/kmip/pending", "", nil, nil},
	"kmip.objects.list":               {"/kmip/objects", "", nil, kmipObjectO},
	"kmip.objects.read":               {"/kmip/objects/o-1", "", map[string]string{"id": "o-1"}, kmipObjectO},
	"dynamic.connections.list":        {"/dynamic/connections", "", nil, connectionPG},
	"dynamic.connections.read":        {"/dynamic/connections/pg", "", pg, connectionPG},
	"dynamic.connections.write":       {"/dynamic/connections/pg", pgBody, pg, nil},
	"dynamic.connections.delete":      {"/dynamic/connections/pg", "", pg, connectionPG},
	"dynamic.connections.rotate-root": {"/dynamic/connections/pg/rotate-root", "{}", pg, connectionPG},
	"dynamic.connections.sweep":       {"/dynamic/connections/pg/sweep", `{"all":true}`, pg, connectionPG},
	"dynamic.roles.list":              {"/dynamic/connections/pg/roles", "", pg, rolePG},
	"dynamic.roles.read":              {"/dynamic/roles/pg/readonly", "", pgRole, rolePG},
	"dynamic.roles.write":             {"/dynamic/roles/pg/readonly", `{"grants":["SELECT"],"ttl":"1h","max_ttl":"24h","max_leases":5}`, pgRole, connectionPG},
	"dynamic.roles.delete":            {"/dynamic/roles/pg/readonly", "", pgRole, rolePG},
	"dynamic.creds":                   {"/dynamic/creds/pg/readonly", `{"ttl":"30m"}`, pgRole, rolePG},
	"pki.issuers.list":                {"/secrets/pki/issuers", "", nil, issuerWeb},
	"pki.issuers.read":                {"/secrets/pki/issuers/web", "", web, issuerWeb},
	"pki.issuers.create":              {"/secrets/pki/issuers/web", webBody, web, nil},
	"pki.issuers.import":              {"/secrets/pki/issuers/web/import", aRoot, web, nil},
	"pki.issuers.certify":             {"/secrets/pki/issuers/web/certify", ownCertificate, web, issuerWeb},
	"pki.issuers.cross-sign":          {"/secrets/pki/issuers/web/cross-sign", `{"by":"other"}`, web, func(b *bench) { issuerWeb(b); issuerOther(b) }},
	"pki.issuers.configure":           {"/secrets/pki/issuers/web/settings", `{"url":"","max_ttl":"720h","crl_validity":"24h","disabled":true,"use_cross_certificate":false}`, web, issuerWeb},
	"pki.issuers.confirm":             {"/secrets/pki/issuers/web/confirm", "{}", web, issuerWeb},
	"pki.issuers.default":             {"/secrets/pki/issuers/web/default", "{}", web, issuerWeb},
	"pki.issuers.sign-verbatim":       {"/secrets/pki/issuers/web/sign-verbatim", aRequest, web, issuerWeb},
	"pki.issuers.delete":              {"/secrets/pki/issuers/web?force=true", "", web, issuerWeb},
	"pki.roles.list":                  {"/secrets/pki/roles", "", nil, roleHosts},
	"pki.roles.read":                  {"/secrets/pki/roles/hosts", "", hosts, roleHosts},
	"pki.roles.write":                 {"/secrets/pki/roles/hosts", hostsBody, hosts, issuerWeb},
	"pki.roles.delete":                {"/secrets/pki/roles/hosts", "", hosts, roleHosts},
	"pki.issue":                       {"/secrets/pki/issue/hosts", `{"common_name":"a.example.com","dns_names":["b.example.com"],"ip_sans":["10.0.0.1"],"ttl":"1h"}`, hosts, roleHosts},
	"pki.sign":                        {"/secrets/pki/sign/hosts", aRequest, hosts, roleHosts},
	"pki.certificates.list":           {"/secrets/pki/certificates", "", nil, func(b *bench) { b.certificate(b.root) }},
	"pki.certificates.read":           {"/secrets/pki/certificates/" + aSerial, "", map[string]string{"name": aSerial}, nil},
	"pki.certificates.revoke":         {"/secrets/pki/certificates/" + aSerial + "/revoke", `{"reason":"superseded"}`, map[string]string{"name": aSerial}, nil},
	"pki.revoke":                      {"/secrets/pki/revoke", aCertificate, nil, nil},
	"pki.acme.read":                   {"/secrets/pki/acme/open", "", openRole, acmeOpen},
	"pki.acme.write":                  {"/secrets/pki/acme/open", `{"open":true}`, openRole, roleOpen},
	"pki.acme.delete":                 {"/secrets/pki/acme/open", "", openRole, acmeOpen},
	"pki.acme.keys.create":            {"/secrets/pki/acme/open/keys", `{"identity":"web"}`, openRole, acmeOpen},
	"leases.list":                     {"/leases?prefix=pg/", "", nil, leasePG},
	"leases.read":                     {"/leases/lookup/" + aLease, "", map[string]string{"path": aLease}, nil},
	"leases.renew":                    {"/leases/renew/" + aLease, `{"increment":"2h"}`, map[string]string{"path": aLease}, nil},
	"leases.revoke":                   {"/leases/revoke/" + aLease, "{}", map[string]string{"path": aLease}, nil},
	"leases.revoke-prefix":            {"/leases/revoke-prefix", `{"prefix":"pg/readonly/"}`, map[string]string{"body.prefix": "pg/readonly/*"}, leasePG},
	"leases.force":                    {"/leases/force/" + aLease, "{}", map[string]string{"path": aLease}, nil},
	"leases.forget":                   {"/leases/forget/" + aLease, "{}", map[string]string{"path": aLease}, nil},
	"outbox.list":                     {"/outbox?parked=true", "", nil, nil},
	"outbox.read":                     {"/outbox/" + aMessage, "", nil, nil},
	"outbox.requeue":                  {"/outbox/" + aMessage + "/requeue", "{}", nil, nil},
	"outbox.drop":                     {"/outbox/" + aMessage, "", nil, nil},
	"audit.events":                    {"/audit/events?order=desc&limit=5", "", nil, nil},
	"audit.verify":                    {"/audit/verify", "", nil, nil},
	"audit.key":                       {"/audit/key", "", nil, func(b *bench) { b.sign() }},
	"audit.export":                    {"/audit/export?after=1", "", nil, nil},
	"sys.status":                      {"/sys/status", "", nil, nil},
	"sys.openapi":                     {"/sys/openapi.json", "", nil, nil},
	"sys.members":                     {"/sys/members", "", nil, nil},
	"sys.rotate.gossip":               {"/sys/rotate/gossip", "{}", nil, nil},
	"sys.autopilot":                   {"/sys/autopilot", "", nil, nil},
	"sys.members.remove":              {"/sys/members/n2", "", map[string]string{"id": "n2"}, nil},
	"sys.join-tokens.create":          {"/sys/join-tokens", `{"node":"n3"}`, nil, nil},
	"sys.transfer":                    {"/sys/transfer", `{}`, nil, nil},
	"sys.unseal":                      {"/sys/unseal", `{"share":"good"}`, nil, nil},
	"sys.seal":                        {"/sys/seal", `{"node":"n2"}`, nil, nil},
	"sys.seals":                       {"/sys/seals", "", nil, nil},
	"sys.seals.add":                   {"/sys/seals/third", `{"quorum":["good","good"]}`, map[string]string{"seal": "third"}, nil},
	"sys.seals.remove":                {"/sys/seals/second/remove", `{"quorum":["good","good"]}`, map[string]string{"seal": "second"}, nil},
	"sys.shares.rekey":                {"/sys/shares/rekey", `{"shares":3,"threshold":2,"quorum":["good","good"]}`, nil, nil},
	"sys.shares.verify":               {"/sys/shares/verify", `{"quorum":["good","good"]}`, nil, nil},
	"sys.rotate":                      {"/sys/rotate", "", nil, func(b *bench) { b.post("/sys/rotate/root", b.root, `{}`).is(200) }},
	"sys.rotate.root":                 {"/sys/rotate/root", `{"tenants":true}`, nil, nil},
	"sys.rotate.tenant":               {"/sys/rotate/tenants/root", "", nil, nil},
	"sys.digest":                      {"/sys/digest", "", nil, nil},
	"sys.snapshot":                    {"/sys/snapshot", "", nil, nil},
}

// ready prepares a sample on b.
func (s sample) ready(b *bench) sample {
	if s.prepare != nil {
		s.prepare(b)
	}
	if s.body == aBackup {
		s.body = b.backup("k")
	}
	s = s.filled(b)
	if strings.Contains(s.url, aCA) {
		uid := b.oldCA()
		s.url, s.names = strings.ReplaceAll(s.url, aCA, uid), map[string]string{"uid": uid}
	}
	if strings.Contains(s.url, aLease) {
		id := b.lease(b.root)
		s.url, s.names = strings.ReplaceAll(s.url, aLease, id), map[string]string{"path": id}
	}
	if strings.HasPrefix(s.url, "/leases/forget/") {
		b.post(strings.Replace(s.url, "forget", "force", 1), b.root, "{}").is(200)
	}
	if strings.Contains(s.url, aMessage) {
		s.url = strings.ReplaceAll(s.url, aMessage, b.deadLetter())
	}
	if !strings.Contains(s.url, anAccessor) {
		return s
	}
	made := b.post("/tokens", b.root, `{"policies":[],"ttl":"1m"}`).is(200).reply()["accessor"].(string)
	s.url = strings.ReplaceAll(s.url, anAccessor, made)
	s.names = map[string]string{"accessor": made}
	return s
}

func TestEveryRouteAnswersAsItsDocumentSays(t *testing.T) {
	b := newBench(t)
	var doc struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	require.NoError(t, json.Unmarshal(b.get("/sys/openapi.json", "").is(200).body, &doc))
	for _, r := range b.api.routes {
		t.Run(r.name, func(t *testing.T) {
			s, known := samples[r.name]
			require.True(t, known, "the route has no sample")
			b := newBench(t)
			s = s.ready(b)
			token := b.root
			if r.self && r.kind == write {
				token = b.token("x read")
			}
			got := b.do(r.method, s.url, token, s.body).is(200)
			op := doc.Paths[base+r.pattern][strings.ToLower(r.method)]
			require.NotNil(t, op)
			require.Equal(t, r.name, op["operationId"])
			c := checker{t, doc.Components.Schemas}
			for kind, content := range op["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any) {
				require.Equal(t, kind, got.header.Get("Content-Type"))
				for line := range strings.Lines(string(got.body)) {
					if r.name == "sys.openapi" || r.name == "sys.snapshot" {
						continue
					}
					var v any
					require.NoError(t, json.Unmarshal([]byte(line), &v), line)
					c.check(r.name, content.(map[string]any)["schema"].(map[string]any), v)
				}
			}
			var body any
			if s.body != "" {
				require.NoError(t, json.Unmarshal([]byte(s.body), &body))
				content := op["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"]
				c.check("request", content.(map[string]any)["schema"].(map[string]any), body)
			}
			if r.kind != open && r.name != "audit.export" {
				require.Regexp(t, `^1\.[1-9]\d*$`, got.header.Get(indexHeader))
			}
			refused := b.do(r.method, s.url, "", s.body)
			if r.kind != open {
				var v any
				require.NoError(t, json.Unmarshal(refused.refused(fault.Unauthenticated, "").body, &v))
				c.check("refusal", map[string]any{"$ref": "#/components/schemas/problem"}, v)
			}
		})
	}
	require.Len(t, samples, len(b.api.routes))
}

// checker holds values against the part of JSON Schema that the document uses.
type checker struct {
	t       *testing.T
	schemas map[string]any
}

func (c checker) check(at string, schema map[string]any, v any) {
	if ref, found := schema["$ref"].(string); found {
		s, known := c.schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
		require.True(c.t, known, "%s: %s", at, ref)
		c.check(at, s, v)
		return
	}
	if either, found := schema["oneOf"].([]any); found {
		if v != nil {
			c.check(at, either[0].(map[string]any), v)
		}
		return
	}
	switch schema["type"] {
	case "object":
		c.object(at, schema, v)
	case "array":
		list, ok := v.([]any)
		require.True(c.t, ok, "%s is %T", at, v)
		for i, e := range list {
			c.check(fmt.Sprintf("%s[%d]", at, i), schema["items"].(map[string]any), e)
		}
	case "string":
		s, ok := v.(string)
		require.True(c.t, ok, "%s is %T", at, v)
		if p, found := schema["pattern"].(string); found {
			require.Regexp(c.t, regexp.MustCompile(p), s)
		}
	case "integer":
		n, ok := v.(float64)
		require.True(c.t, ok && n == float64(int64(n)), "%s is %v", at, v)
	case "boolean":
		require.IsType(c.t, true, v, at)
	default:
		require.Empty(c.t, schema, at)
	}
}

func (c checker) object(at string, schema map[string]any, v any) {
	m, ok := v.(map[string]any)
	require.True(c.t, ok, "%s is %T", at, v)
	if required, found := schema["required"].([]any); found {
		for _, name := range required {
			require.Contains(c.t, m, name, at)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, e := range m {
		if p, found := properties[name].(map[string]any); found {
			c.check(at+"."+name, p, e)
			continue
		}
		more, open := schema["additionalProperties"].(map[string]any)
		require.True(c.t, open, "%s.%s is not in the document", at, name)
		c.check(at+"."+name, more, e)
	}
}

// grant returns rules for all needs of a row but the one at skip.
func grant(r *route, s sample, skip int) []string {
	out := []string{"nothing read"}
	for i, n := range r.needOf {
		if i == skip {
			continue
		}
		for _, one := range eachCapability {
			if n.caps&one != 0 {
				out = append(out, n.prefix+s.names[n.variable]+" "+one.String())
				break
			}
		}
	}
	return out
}

func TestEachNeedOfEachRouteIsAsked(t *testing.T) {
	for _, r := range table() {
		if len(r.needs) == 0 {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			b := newBench(t)
			s := samples[r.name].ready(b)
			for i := range r.needOf {
				before := b.digest()
				token := b.token(grant(r, s, i)...)
				after := b.digest()
				require.NotEqual(t, before, after)
				b.do(r.method, s.url, token, s.body).refused(fault.Denied, "")
				require.Equal(t, after, b.digest(), "a refusal changes nothing")
			}
			b.do(r.method, s.url, b.token(append(grant(r, s, 0), "* deny")...), s.body).refused(fault.Denied, "")
			b.do(r.method, s.url, b.token(grant(r, s, -1)...), s.body).is(200)
		})
	}
}

func TestAnAlternativeNeedIsEnough(t *testing.T) {
	b := newBench(t)
	has("a", "b")(b)
	b.post("/secrets/move", b.token("secrets/a delete,read", "secrets/m write"), `{"source":"a","destination":"m"}`).is(200)
	b.post("/secrets/move", b.token("secrets/b delete,sudo", "secrets/m write"), `{"source":"b","destination":"m"}`).is(200)
}

func (b *bench) digest() [32]byte {
	v, err := b.store.View()
	require.NoError(b.t, err)
	defer v.Close()
	_, head := v.Head()
	return head
}

func TestTheTableIsInOrder(t *testing.T) {
	var names []string
	for _, r := range table() {
		require.NotContains(t, names, r.name)
		names = append(names, r.name)
		require.NotEmpty(t, r.summary, r.name)
		require.Equal(t, r.request != nil, r.limit > 0, r.name)
		require.NotNil(t, r.handle, r.name)
		if r.kind == write || r.kind == act {
			require.NotEqual(t, http.MethodGet, r.method, r.name)
		}
		if r.request != nil && slices.ContainsFunc(r.needOf, func(n needOf) bool { return n.body && n.when == "" }) {
			require.Implements(t, (*namer)(nil), newOf(r.request), r.name)
		}
		if slices.ContainsFunc(r.needOf, func(n needOf) bool { return n.when != "" }) {
			require.Implements(t, (*conditional)(nil), newOf(r.request), r.name)
		}
		for _, n := range r.needOf {
			require.NotZero(t, n.caps, r.name)
			require.Zero(t, n.caps&rbac.Deny, r.name)
		}
		if len(r.needs) == 0 {
			require.True(t, r.self || r.holder || r.kind == open, "%s needs nothing", r.name)
		}
	}
}

func newOf(t reflect.Type) any { return reflect.New(t).Interface() }
