package api

import (
	"time"

	"github.com/trstctl/trstctl/engines/pki"
)

type pkiRoleBody struct {
	Issuer       string   `json:"issuer" doc:"nothing: the default one"`
	Domains      []string `json:"domains" doc:"patterns of hosts: db.example, *.example (one label), **.example (any number); ${identity} stands for the caller's identity in all patterns"`
	Wildcards    bool     `json:"allow_wildcards" doc:"names such as *.example, where any host in their place would be allowed"`
	Networks     []string `json:"networks" doc:"of IP addresses: 10.0.0.0/8"`
	URIs         []string `json:"uris" doc:"patterns: spiffe://example/ns/*/sa/${identity}"`
	Emails       []string `json:"emails" doc:"patterns: *@example"`
	CommonNames  []string `json:"common_names" doc:"patterns of common names that are neither a host nor an address: ${identity}"`
	Organization string   `json:"organization" doc:"of every subject, as is what follows"`
	Unit         string   `json:"organizational_unit"`
	Country      string   `json:"country"`
	Province     string   `json:"province"`
	Locality     string   `json:"locality"`
	KeyTypes     []string `json:"key_types" doc:"that may be certified; the first is made unless asked otherwise. Default ec-p256"`
	Usages       []string `json:"usages" doc:"server, client, code-signing, email, time-stamping; default server and client"`
	TTL          span     `json:"ttl" doc:"a minute at least, default 720h"`
	MaxTTL       span     `json:"max_ttl" doc:"default 2160h"`
	Unstored     bool     `json:"unstored" doc:"certificates are not kept: 24h at most, no lease, no OCSP, revoked by presenting them"`
	Lease        bool     `json:"lease" doc:"each has a lease, and is revoked when that ends before it does"`
	MaxLeases    uint64   `json:"max_leases" doc:"at a time; nothing: as many as the tenant may"`
}

func (b *pkiRoleBody) engine(name string) pki.Role {
	r := pki.Role{Name: name, Issuer: b.Issuer, Domains: b.Domains, Wildcards: b.Wildcards, Networks: b.Networks, URIs: b.URIs, Emails: b.Emails, CommonNames: b.CommonNames,
		Subject: pki.Subject{Organization: b.Organization, Unit: b.Unit, Country: b.Country, Province: b.Province, Locality: b.Locality},
		TTL:     time.Duration(b.TTL), MaxTTL: time.Duration(b.MaxTTL), Unstored: b.Unstored, Lease: b.Lease, MaxLeases: b.MaxLeases}
	for _, k := range b.KeyTypes {
		r.KeyTypes = append(r.KeyTypes, pki.KeyType(k))
	}
	for _, u := range b.Usages {
		r.Usages = append(r.Usages, pki.Usage(u))
	}
	return r
}

type pkiRole struct {
	Name         string   `json:"name"`
	Issuer       string   `json:"issuer,omitempty" doc:"left out: the default one"`
	Domains      []string `json:"domains,omitempty"`
	Wildcards    bool     `json:"allow_wildcards"`
	Networks     []string `json:"networks,omitempty"`
	URIs         []string `json:"uris,omitempty"`
	Emails       []string `json:"emails,omitempty"`
	CommonNames  []string `json:"common_names,omitempty"`
	Organization string   `json:"organization,omitempty"`
	Unit         string   `json:"organizational_unit,omitempty"`
	Country      string   `json:"country,omitempty"`
	Province     string   `json:"province,omitempty"`
	Locality     string   `json:"locality,omitempty"`
	KeyTypes     []string `json:"key_types"`
	Usages       []string `json:"usages"`
	TTL          string   `json:"ttl"`
	MaxTTL       string   `json:"max_ttl"`
	Unstored     bool     `json:"unstored"`
	Lease        bool     `json:"lease"`
	MaxLeases    uint64   `json:"max_leases,omitempty"`
}

func pkiRoleOf(r pki.Role) pkiRole {
	s := r.Subject
	return pkiRole{Name: r.Name, Issuer: r.Issuer, Domains: r.Domains, Wildcards: r.Wildcards, Networks: r.Networks, URIs: r.URIs, Emails: r.Emails, CommonNames: r.CommonNames,
		Organization: s.Organization, Unit: s.Unit, Country: s.Country, Province: s.Province, Locality: s.Locality, KeyTypes: texts(r.KeyTypes), Usages: texts(r.Usages),
		TTL: r.TTL.String(), MaxTTL: r.MaxTTL.String(), Unstored: r.Unstored, Lease: r.Lease, MaxLeases: r.MaxLeases}
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = string(t)
	}
	return out
}

func readPKIRole(c *call) (any, error) {
	r, err := pki.GetRole(c.view, c.tenant, c.path)
	return pkiRoleOf(r), err
}

func writePKIRole(c *call) (any, error) {
	r, _, err := c.api.opt.PKI.WriteRole(c.ctx, c.req, c.body.(*pkiRoleBody).engine(c.path))
	return pkiRoleOf(r), err
}

func deletePKIRole(c *call) (any, error) {
	_, err := c.api.opt.PKI.DeleteRole(c.ctx, c.req, c.path)
	return named{c.path}, err
}

type pkiRolesAnswer struct {
	Items []pkiRole `json:"items"`
	Next  string    `json:"next_cursor"`
}

func listPKIRoles(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]pki.Role, string, error) {
		return pki.Roles(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(r pki.Role) string { return r.Name },
		func(name string) bool { return c.session.Forbids("pki/roles/" + name) })
	out := pkiRolesAnswer{Items: make([]pkiRole, len(found)), Next: next}
	for i, r := range found {
		out.Items[i] = pkiRoleOf(r)
	}
	return out, err
}
