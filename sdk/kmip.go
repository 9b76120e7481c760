package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// KMIPCA is a certificate authority of KMIP's; nothing in it is secret.
type KMIPCA struct {
	UID         string    `json:"uid"`
	Kind        string    `json:"kind"`                   // client: issues to the tenant's clients; external: vouches for their subjects; server: issues to the cluster's nodes
	Name        string    `json:"name,omitempty"`         // of an external one
	Generation  uint64    `json:"generation,omitempty"`   // of the others, from 1
	Algorithm   string    `json:"algorithm,omitempty"`    // of a key that the cluster keeps
	Certificate string    `json:"certificate"`            // PEM
	PublicKey   string    `json:"public_key_fingerprint"` // SHA-256 of its SubjectPublicKeyInfo
	IssuesFrom  time.Time `json:"issues_from"`            // when it begins to issue, or to vouch
	ExpiresAt   time.Time `json:"expires_at,omitzero"`    // zero: not before the year 2262
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
}

type algorithmWire struct {
	Algorithm string `json:"algorithm,omitempty"`
}

// InitKMIPCA makes the tenant's first client CA, with a key of rsa-3072 ("" is that), rsa-2048 or ec-p256. Conflict if it has one.
func (c *Client) InitKMIPCA(ctx context.Context, algorithm string) (ca KMIPCA, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/kmip/ca", body: algorithmWire{algorithm}, kind: mutates}, &ca)
	return ca, err
}

// RotateKMIPCA makes the next generation of the tenant's client CA, which issues from now on. What the former ones issued is good until they are removed.
func (c *Client) RotateKMIPCA(ctx context.Context, algorithm string) (ca KMIPCA, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/kmip/ca/rotate", body: algorithmWire{algorithm}, kind: mutates}, &ca)
	return ca, err
}

// AddKMIPCA registers an external CA by its certificate in PEM, so that clients can be bound by its subjects. A newer certificate with the same key and subject takes
// the place of the one that has the name.
func (c *Client) AddKMIPCA(ctx context.Context, name, certificate string) (ca KMIPCA, err error) {
	target, err := joinName(api+"/kmip/ca/external", "name", name)
	if err != nil {
		return ca, err
	}
	err = c.do(ctx, request{method: http.MethodPut, path: target, body: map[string]string{"certificate": certificate}, kind: mutates}, &ca)
	return ca, err
}

// RemoveKMIPCA ends a CA: clients to which it issued, or for which it vouches, are refused from then on. Conflict for one that issues now, or will.
func (c *Client) RemoveKMIPCA(ctx context.Context, uid string) (ca KMIPCA, err error) {
	target, err := joinName(api+"/kmip/ca", "uid", uid)
	if err != nil {
		return ca, err
	}
	err = c.do(ctx, request{method: http.MethodDelete, path: target, kind: mutates}, &ca)
	return ca, err
}

// KMIPCAs returns the tenant's CAs that the token may see, 32 at most.
func (c *Client) KMIPCAs(ctx context.Context) ([]KMIPCA, error) {
	var p Page[KMIPCA]
	err := c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/ca"}, &p)
	return p.Items, err
}

// KMIPRoots returns the certificates, in PEM, that clients must trust to know the cluster's KMIP servers. NotFound while there is none.
func (c *Client) KMIPRoots(ctx context.Context) (string, error) {
	var out struct {
		Certificates string `json:"certificates"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/server/roots"}, &out)
	return out.Certificates, err
}

// RotateKMIPServerCA makes the next generation of the CA of the cluster's KMIP servers. KMIPRoots has it at once; nodes take certificates from it only after delay, in
// whole seconds and 365 days at most, by when clients must have learnt it. For tokens of the root tenant.
func (c *Client) RotateKMIPServerCA(ctx context.Context, algorithm string, delay time.Duration) (ca KMIPCA, err error) {
	body := struct {
		algorithmWire
		Delay string `json:"delay"`
	}{algorithmWire{algorithm}, delay.String()}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/kmip/server/rotate", body: body, kind: mutates}, &ca)
	return ca, err
}

// KMIPRole says what its clients may do.
type KMIPRole struct {
	All        bool     `json:"all_operations,omitempty"`           // also those that come later; instead of Operations
	Operations []string `json:"operations,omitempty"`               // as KMIP names them without spaces, such as CreateKeyPair, or their numbers, such as 0x0a
	Groups     []string `json:"groups,omitempty"`                   // object groups that the client sees: @own, which none stands for, is the one with its name; * is the whole tenant
	Objects    uint64   `json:"max_objects,omitempty"`              // that each client may have; 0: no bound
	Credential bool     `json:"credential_required,omitempty"`      // a username and password are asked for beside the certificate
	PKCS1      bool     `json:"rsa_pkcs1_v15_decryption,omitempty"` // may decrypt with this padding, which tells an attacker about plaintexts
	SmallRSA   bool     `json:"rsa_1024,omitempty"`                 // may have RSA keys of 1024 bits made, for devices that know no others
}

// NamedKMIPRole is a role as it is.
type NamedKMIPRole struct {
	Name string `json:"name"`
	KMIPRole
}

// SetKMIPRole makes a role, or changes it at once for all clients that have it. The role called default is built in: Conflict.
func (c *Client) SetKMIPRole(ctx context.Context, name string, r KMIPRole) (NamedKMIPRole, error) {
	return c.onRole(ctx, request{method: http.MethodPut, body: r, kind: mutates}, name)
}

// KMIPRole returns a role.
func (c *Client) KMIPRole(ctx context.Context, name string) (NamedKMIPRole, error) {
	return c.onRole(ctx, request{method: http.MethodGet}, name)
}

// DeleteKMIPRole ends a role. Conflict if a client has it.
func (c *Client) DeleteKMIPRole(ctx context.Context, name string) (NamedKMIPRole, error) {
	return c.onRole(ctx, request{method: http.MethodDelete, kind: mutates}, name)
}

func (c *Client) onRole(ctx context.Context, r request, name string) (out NamedKMIPRole, err error) {
	if r.path, err = joinName(api+"/kmip/roles", "name", name); err != nil {
		return out, err
	}
	err = c.do(ctx, r, &out)
	return out, err
}

// KMIPRoles lists the tenant's roles that the token may see.
func (c *Client) KMIPRoles(ctx context.Context, s Slice) (p Page[NamedKMIPRole], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/roles", query: url.Values(s.params())}, &p)
	return p, err
}
