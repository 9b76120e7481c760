package pki

import (
	"bytes"
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// reasons are those of RFC 5280, section 5.3.1, that somebody may give here.
var reasons = map[string]int{"unspecified": 0, "keyCompromise": 1, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5, "privilegeWithdrawn": 9}

// reasonOf returns the number of a reason; "" stands for "unspecified".
func reasonOf(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	n, known := reasons[name]
	if !known {
		return 0, fault.Bad("reason", "is one of %s", strings.Join(slices.Sorted(maps.Keys(reasons)), ", "))
	}
	return n, nil
}

// ReasonName names the reason of that number.
func ReasonName(n int) string {
	for name, number := range reasons {
		if number == n {
			return name
		}
	}
	return "unspecified"
}

// Serial reads a serial number as tools show it, digits of either case with colons or without, and returns it as it is kept.
func Serial(s string) (string, error) {
	out := strings.TrimLeft(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0")
	if out == "" || len(out) > 40 || strings.Trim(out, "0123456789abcdef") != "" {
		return "", fault.Bad("serial", "is 1 to 40 hexadecimal digits")
	}
	return out, nil
}

// Revoke ends a stored certificate before its time, by its serial number. It is no error that it was revoked before. fault.Conflict when it has expired.
func (e *Engine) Revoke(ctx context.Context, req fsm.Request, serial, reason string) (out Kept, rc fsm.Receipt, err error) {
	number, err := reasonOf(reason)
	if err == nil {
		serial, err = Serial(serial)
	}
	if err != nil {
		return out, rc, err
	}
	rc, err = e.commit(ctx, req, []string{certStream(serial)}, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := findCert(v, entry.Tenant, serial)
		if err == nil && row.NotAfter <= e.time(v) {
			err = fault.New(fault.Conflict, "certificate %s has expired", serial)
		}
		if err == nil {
			err = e.revoke(v, entry, Revoked{serial, row.Issuer, number, row.NotAfter}, row.Lease)
		}
		if err != nil {
			return err
		}
		kept, err := row.kept(v, entry.Tenant, serial)
		if err == nil && kept.Revoked == 0 {
			kept.Revoked, kept.Reason = e.time(v), number
		}
		if err == nil {
			entry.Reply.Public, err = fsm.Encode(kept)
		}
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

// revoke adds a revocation, unless there is one, and closes the lease: nobody is owed its end any more.
func (e *Engine) revoke(v *fsm.View, entry *fsm.Entry, ev Revoked, lease string) error {
	_, found, err := revoked.Get(v, fsm.K(ev.Issuer, ev.Serial))
	if err != nil || found {
		return err
	}
	entry.Add(ev)
	if lease == "" {
		return nil
	}
	return e.Leases.Close(v, entry, lease)
}

// RevokePresented ends a certificate that somebody shows, PEM: also one that was not stored. fault.NotFound when none of the tenant's issuers has signed it.
func (e *Engine) RevokePresented(ctx context.Context, req fsm.Request, text []byte, reason string) (serial string, rc fsm.Receipt, err error) {
	number, err := reasonOf(reason)
	if err != nil {
		return "", rc, err
	}
	all, err := blocks("certificate", text, "CERTIFICATE")
	if err != nil {
		return "", rc, err
	}
	c, err := x509.ParseCertificate(all[0])
	if err != nil {
		return "", rc, fault.Bad("certificate", "cannot be read: %v", err)
	}
	serial = serialOf(c)
	rc, err = e.commit(ctx, req, []string{certStream(serial)}, func(v *fsm.View, entry *fsm.Entry) error {
		issuer, err := signerOf(v, entry.Tenant, c)
		if err == nil && expiryOf(c) <= e.time(v) {
			err = fault.New(fault.Conflict, "certificate %s has expired", serial)
		}
		if err != nil {
			return err
		}
		row, _, err := certs.Get(v, fsm.K(entry.Tenant, serial))
		if err != nil {
			return err
		}
		return e.revoke(v, entry, Revoked{serial, issuer, number, expiryOf(c)}, row.Lease)
	})
	return serial, rc, err
}

// signerOf finds the issuer of a tenant that has signed a certificate.
func signerOf(r fsm.Reader, tenant fsm.UID, c *x509.Certificate) (out fsm.UID, err error) {
	found := false
	err = issuers.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, row issuerRow) (bool, error) {
		ca, err := row.certificate()
		if err != nil || ca == nil || !bytes.Equal(ca.RawSubject, c.RawIssuer) || c.CheckSignatureFrom(ca) != nil {
			return true, err
		}
		out, found = row.UID, true
		return false, nil
	})
	if err == nil && !found {
		err = fault.New(fault.NotFound, "no issuer here has signed this certificate")
	}
	return out, err
}

// EndLease revokes the certificate of a lease that ended before it expired. It is no error that it is gone.
func (e *Engine) EndLease(ctx context.Context, tenant fsm.UID, serial string) error {
	req := fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:pki"}}
	_, err := e.commit(ctx, req, []string{certStream(serial)}, func(v *fsm.View, entry *fsm.Entry) error {
		row, found, err := certs.Get(v, fsm.K(tenant, serial))
		if err != nil || !found || row.NotAfter <= e.time(v) {
			return err
		}
		return e.revoke(v, entry, Revoked{serial, row.Issuer, reasons["cessationOfOperation"], row.NotAfter}, "")
	})
	return err
}
