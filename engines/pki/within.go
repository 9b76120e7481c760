package pki

import (
	"crypto/x509"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Permits holds names of hosts against a role: fault.Denied or fault.Invalid for one that its certificates may not have, and for a role whose certificates need a token.
func (e *Engine) Permits(r fsm.Reader, tenant fsm.UID, role, identity string, hosts []string) error {
	found, err := GetRole(r, tenant, role)
	if err == nil && found.Lease {
		err = fault.New(fault.Conflict, "certificates of role %q have leases, which tokens hold: only they may ask for one", role)
	}
	if err != nil {
		return err
	}
	_, err = found.allow(names{dns: hosts}, identity)
	return err
}

// SignWithin adds to an entry what records a certificate for a request, DER, by a role: the certificate is out when the entry has committed. holder stands where a
// token's accessor does otherwise.
func (e *Engine) SignWithin(v *fsm.View, entry *fsm.Entry, role, holder, identity string, request []byte) (Certificate, error) {
	csr, err := parsedRequest(request)
	if err != nil {
		return Certificate{}, err
	}
	a := &attempt{Engine: e, csr: csr, order: Order{Role: role, Holder: Holder{Tenant: entry.Tenant, Accessor: holder, Identity: identity}}}
	return a.decide(v, entry)
}

// RevokeWithin adds the revocation of a certificate to an entry, by its serial number, unless it is revoked. fault.NotFound when it is not stored.
func (e *Engine) RevokeWithin(v *fsm.View, entry *fsm.Entry, serial string, reason int) error {
	row, err := findCert(v, entry.Tenant, serial)
	switch {
	case err != nil:
		return err
	case ReasonName(reason) == "unspecified" && reason != 0:
		return fault.Bad("reason", "is none that may be given")
	case row.NotAfter <= e.time(v):
		return fault.New(fault.Conflict, "certificate %s has expired", serial)
	}
	if err := guard(v, entry, certStream(serial)); err != nil {
		return err
	}
	return e.revoke(v, entry, Revoked{serial, row.Issuer, reason, row.NotAfter}, row.Lease)
}

// SerialOf returns a certificate's serial number as it is kept.
func SerialOf(c *x509.Certificate) string { return serialOf(c) }
