package pki

import (
	"context"
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Role says what may be in a certificate. A name that none of its patterns matches is refused. In patterns "*" stands for some characters of one part of a name (a
// label, a path's segment), "**" for some of any, and ${identity} for the identity of the caller's token.
type Role struct {
	Name        string        `cbor:"1,keyasint"`
	Issuer      string        `cbor:"2,keyasint,omitempty"` // "": the default one
	Domains     []string      `cbor:"3,keyasint,omitempty"` // of hosts: "db.example", "*.example", "**.example"
	Wildcards   bool          `cbor:"4,keyasint,omitempty"` // names such as "*.example" may be in certificates, where a pattern matches them with any label in the star's place
	Networks    []string      `cbor:"5,keyasint,omitempty"` // of IP addresses: "10.0.0.0/8"
	URIs        []string      `cbor:"6,keyasint,omitempty"` // "spiffe://example/ns/*/sa/${identity}"
	Emails      []string      `cbor:"7,keyasint,omitempty"` // "*@example"
	CommonNames []string      `cbor:"8,keyasint,omitempty"` // that are no host's or person's name, such as users of a database: "${identity}"
	Subject     Subject       `cbor:"9,keyasint"`           // the rest of the subject; it has no common name
	KeyTypes    []KeyType     `cbor:"10,keyasint"`          // the first is the one that is made
	Usages      []Usage       `cbor:"11,keyasint"`
	TTL         time.Duration `cbor:"12,keyasint"`
	MaxTTL      time.Duration `cbor:"13,keyasint"`
	Unstored    bool          `cbor:"14,keyasint,omitempty"` // certificates are not kept: a day at most, no lease, no OCSP, revoked by presenting them
	Lease       bool          `cbor:"15,keyasint,omitempty"` // each has a lease, and is revoked when that ends early
	MaxLeases   uint64        `cbor:"16,keyasint,omitempty"` // 0: no bound of its own
}

// Usage is an extended key usage (RFC 5280, section 4.2.1.12).
type Usage string

// The usages.
const (
	Server Usage = "server"
	Client Usage = "client"
	Code   Usage = "code-signing"
	Email  Usage = "email"
	Stamp  Usage = "time-stamping"
)

var usages = map[Usage]x509.ExtKeyUsage{Server: x509.ExtKeyUsageServerAuth, Client: x509.ExtKeyUsageClientAuth, Code: x509.ExtKeyUsageCodeSigning, Email: x509.ExtKeyUsageEmailProtection,
	Stamp: x509.ExtKeyUsageTimeStamping}

// Bounds of roles.
const (
	defaultTTL = 30 * 24 * time.Hour
	defaultMax = 90 * 24 * time.Hour
)

// check checks a role and fills in what was left out.
func (r *Role) check() error {
	if err := ValidName("role", r.Name); err != nil {
		return err
	}
	if r.Issuer != "" {
		if err := ValidName("issuer", r.Issuer); err != nil {
			return err
		}
	}
	for _, f := range []func() error{r.checkNames, r.checkUses, r.checkLife, r.Subject.check} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Role) checkNames() error {
	if len(r.Domains)+len(r.Networks)+len(r.URIs)+len(r.Emails)+len(r.CommonNames) == 0 {
		return fault.Bad("domains", "are missing, as are networks, uris, emails and common_names: the role would allow no name at all")
	}
	for _, p := range []struct {
		field string
		all   []string
	}{{"domains", r.Domains}, {"uris", r.URIs}, {"emails", r.Emails}, {"common_names", r.CommonNames}} {
		if err := checkPatterns(p.field, p.all); err != nil {
			return err
		}
	}
	if len(r.Networks) > maxNames {
		return fault.Bad("networks", "are %d at most", maxNames)
	}
	for i, n := range r.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return fault.Bad("networks", "%q is not a network, such as 10.0.0.0/8 or 10.1.2.3/32", cut(n))
		}
		r.Networks[i] = p.Masked().String()
	}
	if r.Subject.CommonName != "" {
		return fault.Bad("subject", "has no common name: that is asked for with each certificate")
	}
	return nil
}

func (r *Role) checkUses() error {
	if len(r.KeyTypes) == 0 {
		r.KeyTypes = []KeyType{P256}
	}
	if len(r.KeyTypes) > len(keyTypes) {
		return fault.Bad("key_types", "has some twice")
	}
	for _, t := range r.KeyTypes {
		if err := t.valid("key_types"); err != nil {
			return err
		}
	}
	if len(r.Usages) == 0 {
		r.Usages = []Usage{Server, Client}
	}
	slices.Sort(r.Usages)
	r.Usages = slices.Compact(r.Usages)
	for _, u := range r.Usages {
		if _, known := usages[u]; !known {
			return fault.Bad("usages", "are of %s, %s, %s, %s and %s", Server, Client, Code, Email, Stamp)
		}
	}
	return nil
}

func (r *Role) checkLife() error {
	most, least := defaultMax, leastTTL
	if r.Unstored {
		most = mostUnkept
	}
	if r.MaxTTL == 0 {
		r.MaxTTL = max(most, r.TTL)
	}
	if r.TTL == 0 {
		r.TTL = min(defaultTTL, r.MaxTTL)
	}
	switch {
	case r.TTL < least || r.TTL > mostTTL:
		return fault.Bad("ttl", "is %s to 50 years", least)
	case r.MaxTTL < r.TTL || r.MaxTTL > mostTTL:
		return fault.Bad("max_ttl", "is the ttl to 50 years")
	case r.Unstored && r.MaxTTL > mostUnkept:
		return fault.Bad("max_ttl", "is %s at most where certificates are not stored: they are not in OCSP answers", mostUnkept)
	case r.Unstored && r.Lease:
		return fault.Bad("lease", "is not for certificates that are not stored")
	case !r.Lease && r.MaxLeases > 0:
		return fault.Bad("max_leases", "is for certificates with leases")
	}
	return nil
}

// WriteRole makes or changes a role. Certificates that are out stay as they are.
func (e *Engine) WriteRole(ctx context.Context, req fsm.Request, r Role) (out Role, rc fsm.Receipt, err error) {
	if err := r.check(); err != nil {
		return out, rc, err
	}
	rc, err = e.commit(ctx, req, []string{roleStream(r.Name)}, func(v *fsm.View, entry *fsm.Entry) error {
		if r.Issuer != "" {
			if _, err := findIssuer(v, entry.Tenant, r.Issuer); err != nil {
				return err
			}
		}
		if err := roleRoom(v, entry.Tenant, r.Name); err != nil {
			return err
		}
		entry.Add(RoleWritten{r})
		var err error
		entry.Reply.Public, err = fsm.Encode(r)
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

func roleRoom(v *fsm.View, tenant fsm.UID, name string) error {
	n := 0
	err := roles.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, r Role) (bool, error) {
		if r.Name != name {
			n++
		}
		return n < maxRoles, nil
	})
	if err == nil && n >= maxRoles {
		err = fault.New(fault.Limit, "the tenant has %d roles of its PKI, the most it may", maxRoles)
	}
	return err
}

// DeleteRole deletes a role. Its certificates stay as they are.
func (e *Engine) DeleteRole(ctx context.Context, req fsm.Request, name string) (fsm.Receipt, error) {
	return e.commit(ctx, req, []string{roleStream(name)}, func(v *fsm.View, entry *fsm.Entry) error {
		_, err := GetRole(v, entry.Tenant, name)
		entry.Add(RoleDeleted{name})
		return err
	})
}

// GetRole returns a role; fault.NotFound when there is none.
func GetRole(r fsm.Reader, tenant fsm.UID, name string) (Role, error) {
	role, found, err := roles.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no role %q", name)
	}
	return role, err
}

// Roles returns up to limit roles of a tenant beyond after, in the order of their names, and where to go on; "" at the end.
func Roles(r fsm.Reader, tenant fsm.UID, after string, limit int) (page []Role, next string, err error) {
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = roles.Scan(r, span, func(_ fsm.Key, role Role) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Name
			return false, nil
		}
		page = append(page, role)
		return true, nil
	})
	return page, next, err
}

// allow holds what is asked for against the role, and returns it as it stands in the certificate.
func (r Role) allow(n names, identity string) (names, error) {
	var out names
	if n.count() > maxNames {
		return out, fault.Bad("names", "are %d at most", maxNames)
	}
	for _, d := range n.dns {
		name, err := r.host(d, identity)
		if err != nil {
			return out, err
		}
		out.dns = append(out.dns, name)
	}
	for _, a := range n.ips {
		if !slices.ContainsFunc(r.Networks, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }) {
			return out, r.refuses("ip_sans", a.String())
		}
		out.ips = append(out.ips, a)
	}
	for _, s := range n.uris {
		u, err := uriName("uri_sans", s)
		if err == nil && !fits(r.URIs, u, identity, "/") {
			err = r.refuses("uri_sans", u)
		}
		if err != nil {
			return out, err
		}
		out.uris = append(out.uris, u)
	}
	for _, s := range n.emails {
		a, err := r.address(s, identity)
		if err != nil {
			return out, err
		}
		out.emails = append(out.emails, a)
	}
	return r.title(out, n.common, identity)
}

func (r Role) refuses(field, name string) error {
	return fault.New(fault.Denied, "role %q allows no %q (%s)", r.Name, cut(name), field)
}

// host allows a host's name. A wildcard is allowed where any host in its place would be.
func (r Role) host(s, identity string) (string, error) {
	name, wild, err := hostName("dns_names", s)
	switch {
	case err != nil:
		return "", err
	case wild && !r.Wildcards:
		return "", fault.New(fault.Denied, "role %q allows no wildcards such as %q", r.Name, cut(name))
	case !slices.ContainsFunc(r.Domains, func(p string) bool { return matchesHost(p, name, identity) }):
		return "", r.refuses("dns_names", name)
	}
	return name, nil
}

// matchesHost has a star of the name matched by a star of the pattern alone.
func matchesHost(pattern, name, identity string) bool {
	rest, wild := strings.CutPrefix(name, "*.")
	if !wild {
		return matches(pattern, name, identity, ".")
	}
	if deep, ok := strings.CutPrefix(pattern, "**."); ok {
		return matches(deep, rest, identity, ".") || matches(pattern, rest, identity, ".")
	}
	parent, ok := strings.CutPrefix(pattern, "*.")
	return ok && matches(parent, rest, identity, ".")
}

func (r Role) address(s, identity string) (string, error) {
	a, err := emailName("email_sans", s)
	if err == nil && !fits(r.Emails, a, identity, "@") {
		err = r.refuses("email_sans", a)
	}
	return a, err
}

// title decides about the common name: a host's or an address among the names, or one that the role allows. Without one it is the first host or address.
func (r Role) title(out names, common, identity string) (names, error) {
	if common == "" {
		return out.titled(), nil
	}
	if err := printable("common_name", common, 64); err != nil {
		return out, err
	}
	out.common = common
	if fits(r.CommonNames, common, identity, "/") {
		return out, nil
	}
	if host, err := r.host(common, identity); err == nil {
		if out.common = host; !slices.Contains(out.dns, host) {
			out.dns = append(out.dns, host)
		}
		return out, nil
	} else if address, err := r.address(common, identity); err == nil {
		if out.common = address; !slices.Contains(out.emails, address) {
			out.emails = append(out.emails, address)
		}
		return out, nil
	}
	if a, err := netip.ParseAddr(common); err == nil && slices.Contains(out.ips, a) || slices.Contains(out.uris, common) {
		return out, nil
	}
	return out, r.refuses("common_name", common)
}

func (n names) titled() names {
	for _, s := range append(slices.Clone(n.dns), n.emails...) {
		if len(s) <= 64 {
			n.common = s
			return n
		}
	}
	return n
}
