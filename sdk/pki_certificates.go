package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// PKIRole says what may be in a certificate.
type PKIRole struct {
	Name               string   `json:"name"`
	Issuer             string   `json:"issuer,omitempty"` // "": the default one
	Domains            []string `json:"domains,omitempty"`
	AllowWildcards     bool     `json:"allow_wildcards"`
	Networks           []string `json:"networks,omitempty"`
	URIs               []string `json:"uris,omitempty"`
	Emails             []string `json:"emails,omitempty"`
	CommonNames        []string `json:"common_names,omitempty"`
	Organization       string   `json:"organization,omitempty"`
	OrganizationalUnit string   `json:"organizational_unit,omitempty"`
	Country            string   `json:"country,omitempty"`
	Province           string   `json:"province,omitempty"`
	Locality           string   `json:"locality,omitempty"`
	KeyTypes           []string `json:"key_types"`
	Usages             []string `json:"usages"`
	TTL                string   `json:"ttl"`
	MaxTTL             string   `json:"max_ttl"`
	Unstored           bool     `json:"unstored"`
	Lease              bool     `json:"lease"`
	MaxLeases          uint64   `json:"max_leases,omitempty"`
}

// PKIRoleSpec is a role as it is to be. In patterns * stands for some characters of one label, segment or part, ** for some of any, ${identity} for the caller's identity.
type PKIRoleSpec struct {
	Issuer             string        `json:"issuer,omitempty"`
	Domains            []string      `json:"domains,omitempty"` // of hosts
	AllowWildcards     bool          `json:"allow_wildcards,omitempty"`
	Networks           []string      `json:"networks,omitempty"` // of IP addresses, such as 10.0.0.0/8
	URIs               []string      `json:"uris,omitempty"`
	Emails             []string      `json:"emails,omitempty"`
	CommonNames        []string      `json:"common_names,omitempty"` // that are neither a host nor an address
	Organization       string        `json:"organization,omitempty"`
	OrganizationalUnit string        `json:"organizational_unit,omitempty"`
	Country            string        `json:"country,omitempty"`
	Province           string        `json:"province,omitempty"`
	Locality           string        `json:"locality,omitempty"`
	KeyTypes           []string      `json:"key_types,omitempty"` // nothing: ec-p256
	Usages             []string      `json:"usages,omitempty"`    // nothing: server and client
	TTL                time.Duration `json:"-"`                   // 0: 720h
	MaxTTL             time.Duration `json:"-"`                   // 0: 2160h
	Unstored           bool          `json:"unstored,omitempty"`  // certificates are not kept: 24h at most
	Lease              bool          `json:"lease,omitempty"`
	MaxLeases          uint64        `json:"max_leases,omitempty"`
}

// WritePKIRole makes or changes a role. It takes sudo.
func (c *Client) WritePKIRole(ctx context.Context, name string, s PKIRoleSpec) (out PKIRole, err error) {
	body := struct {
		PKIRoleSpec
		TTL    string `json:"ttl,omitempty"`
		MaxTTL string `json:"max_ttl,omitempty"`
	}{s, span(s.TTL), span(s.MaxTTL)}
	err = c.onPKI(ctx, request{method: http.MethodPut, body: body, kind: mutates}, "roles", name, "", &out)
	return out, err
}

// PKIRole describes a role.
func (c *Client) PKIRole(ctx context.Context, name string) (out PKIRole, err error) {
	err = c.onPKI(ctx, request{method: http.MethodGet}, "roles", name, "", &out)
	return out, err
}

// PKIRoles lists the roles that the token may see.
func (c *Client) PKIRoles(ctx context.Context, s Slice) (p Page[PKIRole], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: pki + "/roles", query: url.Values(s.params())}, &p)
	return p, err
}

// DeletePKIRole deletes a role. Its certificates stay as they are.
func (c *Client) DeletePKIRole(ctx context.Context, name string) error {
	return c.onPKI(ctx, request{method: http.MethodDelete, kind: mutates}, "roles", name, "", nil)
}

// CertificateSpec is a certificate that is wanted.
type CertificateSpec struct {
	CommonName string        `json:"common_name,omitempty"` // "": the first name
	DNSNames   []string      `json:"dns_names,omitempty"`
	IPs        []string      `json:"ip_sans,omitempty"`
	URIs       []string      `json:"uri_sans,omitempty"`
	Emails     []string      `json:"email_sans,omitempty"`
	TTL        time.Duration `json:"-"`                  // 0: the role's
	KeyType    string        `json:"key_type,omitempty"` // "": the role's first
}

// Certificate is what was issued.
type Certificate struct {
	PrivateKey    Secret    `json:"private_key,omitempty"` // PEM, PKCS#8; nil where a request was signed. The caller's to clear
	SerialNumber  string    `json:"serial_number"`
	Certificate   string    `json:"certificate"`     // PEM
	Chain         string    `json:"chain,omitempty"` // PEM: what a server sends behind it
	CACertificate string    `json:"ca_certificate"`  // PEM: the root, or the last CA that is known
	Issuer        string    `json:"issuer"`
	Role          string    `json:"role,omitempty"`
	KeyType       string    `json:"key_type"`
	ExpiresAt     time.Time `json:"expires_at"`
	LeaseID       string    `json:"lease_id,omitempty"`
}

// IssueCertificate makes a key and a certificate for it by a role.
func (c *Client) IssueCertificate(ctx context.Context, role string, s CertificateSpec) (out Certificate, err error) {
	body := struct {
		CertificateSpec
		TTL string `json:"ttl,omitempty"`
	}{s, span(s.TTL)}
	err = c.onPKI(ctx, request{method: http.MethodPost, body: body, kind: mutates}, "issue", role, "", &out)
	return out, err
}

// csrBody is a request to be signed.
type csrBody struct {
	CSR string `json:"csr"`
	TTL string `json:"ttl,omitempty"`
	CA  bool   `json:"ca,omitempty"`
}

// SignCertificate signs a request, PEM, by a role.
func (c *Client) SignCertificate(ctx context.Context, role, csr string, ttl time.Duration) (out Certificate, err error) {
	err = c.onPKI(ctx, request{method: http.MethodPost, body: csrBody{CSR: csr, TTL: span(ttl)}, kind: mutates}, "sign", role, "", &out)
	return out, err
}

// SignVerbatim signs a request, PEM, as it is, without a role. It takes sudo. ca makes it a CA's, below which no other may stand.
func (c *Client) SignVerbatim(ctx context.Context, issuer, csr string, ttl time.Duration, ca bool) (out Certificate, err error) {
	err = c.onPKI(ctx, request{method: http.MethodPost, body: csrBody{csr, span(ttl), ca}, kind: mutates}, "issuers", issuer, "/sign-verbatim", &out)
	return out, err
}

// KeptCertificate is a certificate that is stored.
type KeptCertificate struct {
	SerialNumber     string    `json:"serial_number"`
	Certificate      string    `json:"certificate"`      // PEM
	Issuer           string    `json:"issuer,omitempty"` // "": it was deleted
	Role             string    `json:"role,omitempty"`
	Subject          string    `json:"subject"`
	Names            []string  `json:"names,omitempty"`
	State            string    `json:"state"` // good, revoked or expired
	IssuedAt         time.Time `json:"issued_at"`
	ExpiresAt        time.Time `json:"expires_at"`
	Holder           string    `json:"holder,omitempty"` // accessor of a token
	IssuedTo         string    `json:"issued_to"`
	LeaseID          string    `json:"lease_id,omitempty"`
	RevokedAt        time.Time `json:"revoked_at,omitzero"`
	RevocationReason string    `json:"revocation_reason,omitempty"`
}

// Certificates lists the certificates that are stored.
func (c *Client) Certificates(ctx context.Context, s Slice) (p Page[KeptCertificate], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: pki + "/certificates", query: url.Values(s.params())}, &p)
	return p, err
}

// Certificate describes a certificate by its serial number.
func (c *Client) Certificate(ctx context.Context, serial string) (out KeptCertificate, err error) {
	err = c.onPKI(ctx, request{method: http.MethodGet}, "certificates", serial, "", &out)
	return out, err
}

// RevokeCertificate revokes a certificate by its serial number. "" is no particular reason.
func (c *Client) RevokeCertificate(ctx context.Context, serial, reason string) (out KeptCertificate, err error) {
	err = c.onPKI(ctx, request{method: http.MethodPost, body: reasonBody{Reason: reason}, kind: mutates}, "certificates", serial, "/revoke", &out)
	return out, err
}

type reasonBody struct {
	Certificate string `json:"certificate,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// RevokePresented revokes a certificate, PEM, by presenting it: also one that is not stored. It returns its serial number.
func (c *Client) RevokePresented(ctx context.Context, certificate, reason string) (string, error) {
	var out struct {
		Serial string `json:"serial_number"`
	}
	err := c.do(ctx, request{method: http.MethodPost, path: pki + "/revoke", body: reasonBody{certificate, reason}, kind: mutates}, &out)
	return out.Serial, err
}
