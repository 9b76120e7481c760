package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// maxPEM bounds what is read of certificates, requests and keys, in bytes.
const maxPEM = 64 << 10

// blocks reads PEM: nothing but blocks of the types that are wanted, and text between them.
func blocks(field string, text []byte, wanted ...string) (out [][]byte, err error) {
	if len(text) > maxPEM {
		return nil, fault.Bad(field, "is above %d bytes", maxPEM)
	}
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if !contains(wanted, b.Type) {
			return nil, fault.Bad(field, "has a PEM block %q, where %v is expected", b.Type, wanted)
		}
		out = append(out, b.Bytes)
	}
	if len(out) == 0 {
		return nil, fault.Bad(field, "has no PEM block %v", wanted)
	}
	return out, nil
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// chainOf reads a CA's certificate and those above it, each signed by the next.
func chainOf(field string, text []byte) (chain [][]byte, first *x509.Certificate, err error) {
	if chain, err = blocks(field, text, "CERTIFICATE"); err != nil {
		return nil, nil, err
	}
	if len(chain) > maxChain {
		return nil, nil, fault.Bad(field, "has %d certificates, where %d are the most", len(chain), maxChain)
	}
	var below *x509.Certificate
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		switch {
		case err != nil:
			return nil, nil, fault.Bad(field, "certificate %d cannot be read: %v", i+1, err)
		case tooLarge(c.PublicKey):
			return nil, nil, fault.Bad(field, "certificate %d (%s) has an RSA key above %d bits", i+1, c.Subject, mostRSA)
		case !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0:
			return nil, nil, fault.Bad(field, "certificate %d (%s) is not a CA's: it has no basic constraint CA, or may not sign certificates", i+1, c.Subject)
		case below != nil && below.CheckSignatureFrom(c) != nil:
			return nil, nil, fault.Bad(field, "certificate %d (%s) has not signed the one before it: begin with the CA's own, then who signed it, and so on", i+1, c.Subject)
		}
		if below = c; first == nil {
			first = c
		}
	}
	return chain, first, nil
}

// mostRSA bounds the keys of CAs elsewhere: crypto/tls verifies no signature under a larger one.
const mostRSA = 8192

func tooLarge(public any) bool {
	k, ok := public.(*rsa.PublicKey)
	return ok && k.N.BitLen() > mostRSA
}

// usable refuses a CA's certificate that could not do what is promised of it here.
func usable(c *x509.Certificate, now fsm.Time) error {
	switch {
	case c.KeyUsage&x509.KeyUsageCRLSign == 0:
		return fault.Bad("certificate", "may not sign CRLs (its key usage has no cRLSign)")
	case len(c.SubjectKeyId) == 0:
		return fault.Bad("certificate", "has no subject key identifier, which RFC 5280 asks of a CA's")
	case now.Std().After(c.NotAfter) || now.Std().Before(c.NotBefore):
		return fault.Bad("certificate", "is good from %s to %s: not now", c.NotBefore.UTC().Format("2006-01-02"), c.NotAfter.UTC().Format("2006-01-02"))
	}
	return nil
}

// Import takes a CA that was made elsewhere: its certificate with those above it, and its key (PEM: PKCS#8, PKCS#1 or SEC 1). It overwrites nothing of the caller's.
func (e *Engine) Import(ctx context.Context, req fsm.Request, name string, chainPEM, keyPEM []byte, s Settings) (Issuer, fsm.Receipt, error) {
	chain, c, err := chainOf("certificate", chainPEM)
	if err == nil {
		err = ValidName("name", name)
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Issuer{}, fsm.Receipt{}, err
	}
	key, err := keyOf(keyPEM)
	if err != nil {
		return Issuer{}, fsm.Receipt{}, err
	}
	if !sameKey(key.Public(), c.PublicKey) {
		return Issuer{}, fsm.Receipt{}, fault.Bad("private_key", "is not the one of the first certificate")
	}
	kind, err := keyTypeOf("private_key", key.Public())
	if err != nil {
		return Issuer{}, fsm.Receipt{}, err
	}
	return e.addIssuer(ctx, req, name, func(v *fsm.View, _ *fsm.Entry, m *IssuerMade) (crypto.Signer, error) {
		m.KeyType, m.Chain, m.Settings, m.Imported = kind, chain, s, true
		return key, usable(c, e.time(v))
	})
}

func keyOf(text []byte) (crypto.Signer, error) {
	all, err := blocks("private_key", text, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS")
	if err != nil {
		return nil, err
	}
	for _, der := range all {
		defer clear(der)
	}
	for _, der := range all {
		for _, parse := range []func([]byte) (any, error){x509.ParsePKCS8PrivateKey, asAny(x509.ParsePKCS1PrivateKey), asAny(x509.ParseECPrivateKey)} {
			if k, err := parse(der); err == nil {
				if s, ok := k.(crypto.Signer); ok {
					return s, nil
				}
			}
		}
	}
	return nil, fault.Bad("private_key", "cannot be read: it is an unencrypted PKCS#8, PKCS#1 or SEC 1 key in PEM")
}

func asAny[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return f(b) }
}

// Certify gives a CA the certificate that was signed elsewhere for its request, or another one for the same key and name, with those above it.
func (e *Engine) Certify(ctx context.Context, req fsm.Request, name string, chainPEM []byte) (Issuer, fsm.Receipt, error) {
	chain, c, err := chainOf("certificate", chainPEM)
	if err != nil {
		return Issuer{}, fsm.Receipt{}, err
	}
	return e.changeIssuer(ctx, req, name, func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		waited := len(row.Chain) == 0
		public, subject, err := row.identity()
		switch {
		case err != nil:
			return err
		case !sameKey(public, c.PublicKey):
			return fault.Bad("certificate", "is for another key than the issuer's")
		case !bytes.Equal(subject, c.RawSubject):
			return fault.Bad("certificate", "has another subject (%s) than the issuer", c.Subject)
		}
		if err := usable(c, e.time(v)); err != nil {
			return err
		}
		row.Chain = chain
		entry.Add(IssuerCertified{name, chain})
		key, err := e.signer(v, entry.Tenant, *row)
		if err == nil {
			err = e.addResponder(v, entry, name, *row, key)
		}
		if err != nil || !waited {
			return err
		}
		return e.firstDefault(v, entry, name)
	})
}

// firstDefault makes an issuer the default one if there is none.
func (e *Engine) firstDefault(v *fsm.View, entry *fsm.Entry, name string) error {
	first, _, err := defaults.Get(v, fsm.K(entry.Tenant))
	if err != nil || first != "" {
		return err
	}
	entry.Add(DefaultSet{name})
	return guard(v, entry, defaultStream)
}

// identity is the key and name of a CA, by its certificate or request.
func (row issuerRow) identity() (crypto.PublicKey, []byte, error) {
	if c, err := row.certificate(); err != nil || c != nil {
		if err != nil {
			return nil, nil, err
		}
		return c.PublicKey, c.RawSubject, nil
	}
	r, err := x509.ParseCertificateRequest(row.Request)
	if err != nil {
		return nil, nil, fault.New(fault.Corrupt, "the request of CA %s cannot be read", row.UID).Because(err)
	}
	return r.PublicKey, r.RawSubject, nil
}
