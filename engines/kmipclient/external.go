package kmipclient

import (
	"bytes"
	"context"
	"crypto/x509"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// AddCA registers an external CA, in DER or PEM, under a name of the form of clients' names, so that clients can be bound by its subjects. A certificate with the
// same key and subject takes the place of the one that has the name: a CA that was renewed.
func (e *Engine) AddCA(ctx context.Context, req fsm.Request, name string, certificate []byte) (CA, fsm.Receipt, error) {
	if err := ValidName(name); err != nil {
		return CA{}, fsm.Receipt{}, err
	}
	c, err := parseCertificate(certificate)
	if err == nil {
		err = checkCA(c)
	}
	if err != nil {
		return CA{}, fsm.Receipt{}, err
	}
	return commit(ctx, e, req, func(t *turn) (CA, error) {
		all, err := CAs(t.v, t.entry.Tenant)
		if err != nil {
			return CA{}, err
		}
		uid, err := decideAddCA(all, name, c, t.now)
		if err != nil {
			return CA{}, err
		}
		return t.addCA(all, CAAdded{UID: uid, Kind: ExternalCA, Name: name, From: t.now}, c)
	})
}

// checkCA refuses what may not sign certificates (RFC 5280, 4.2.1.3 and 4.2.1.9).
func checkCA(c *x509.Certificate) error {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return fault.Bad("certificate", "is not that of a CA: its basic constraints do not say so")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return fault.Bad("certificate", "is of a CA that may not sign certificates")
	}
	return nil
}

// decideAddCA returns the UID of the CA whose newer certificate c is, or a new one.
func decideAddCA(all []CA, name string, c *x509.Certificate, now fsm.Time) (fsm.UID, error) {
	if past(expiry(c), now) {
		return fsm.UID{}, fault.Bad("certificate", "has expired")
	}
	uid := newUID()
	for _, ca := range all {
		same := ca.Kind == ExternalCA && ca.PublicKey == keyPrint(c)
		switch {
		case ca.Name != name && same:
			return fsm.UID{}, fault.New(fault.Conflict, "this CA is registered as %q", ca.Name)
		case ca.Name == name && (!same || !sameSubject(ca, c)):
			return fsm.UID{}, fault.New(fault.Conflict, "CA %q has another key or subject: register this one under a name of its own", name)
		case ca.Name == name:
			uid = ca.UID
		}
	}
	return uid, nil
}

func sameSubject(ca CA, c *x509.Certificate) bool {
	old, err := x509.ParseCertificate(ca.Certificate)
	return err == nil && bytes.Equal(old.RawSubject, c.RawSubject)
}
