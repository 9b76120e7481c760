package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// What is said of a certificate is asked of the state each time: an answer that anybody keeps is his to keep.
const ocspValidity = time.Hour

// Answers of an OCSP responder that need no signature (RFC 6960, section 4.2.1).
var (
	OCSPMalformed    = ocsp.MalformedRequestErrorResponse
	OCSPTryLater     = ocsp.TryLaterErrorResponse
	OCSPInternal     = ocsp.InternalErrorErrorResponse
	OCSPUnauthorized = ocsp.UnauthorizedErrorResponse
)

// published is an issuer of any tenant, as who asks for what it publishes sees it.
type published struct {
	tenant fsm.UID
	row    issuerRow
	cert   *x509.Certificate
}

// publisher finds an issuer by its UID; fault.NotFound when there is none with a certificate.
func publisher(r fsm.Reader, uid fsm.UID) (p published, err error) {
	where, found, err := homes.Get(r, fsm.K(uid))
	if err == nil && found {
		p.tenant = where.Tenant
		if p.row, _, err = issuers.Get(r, fsm.K(where.Tenant, where.Name)); err == nil {
			p.cert, err = p.row.certificate()
		}
	}
	if err == nil && p.cert == nil {
		err = fault.New(fault.NotFound, "there is no such issuer")
	}
	return p, err
}

// CACertificate returns the certificate of an issuer of any tenant, and those above it, in DER; fault.NotFound when there is none.
func CACertificate(r fsm.Reader, uid fsm.UID) ([][]byte, error) {
	p, err := publisher(r, uid)
	return p.row.Chain, err
}

// OCSP answers a request (DER) about a certificate of an issuer of any tenant. What cannot be answered is answered by an error of the protocol; fault.NotFound when
// there is no such issuer.
func (e *Engine) OCSP(v *fsm.View, uid fsm.UID, request []byte) ([]byte, error) {
	p, err := publisher(v, uid)
	if err != nil {
		return nil, err
	}
	q, err := ocsp.ParseRequest(request)
	if err != nil {
		return OCSPMalformed, nil
	}
	if !p.meant(q) {
		return OCSPUnauthorized, nil
	}
	now := e.time(v).Std()
	signer, err := p.row.responder(now)
	if err != nil || signer == nil {
		return OCSPTryLater, err
	}
	key, err := e.openKey(v, signerBinding(p.tenant, uid, p.row.Signers), p.row.Signer)
	if err != nil {
		return nil, err
	}
	answer, err := status(v, p, q.SerialNumber.Text(16))
	if err != nil {
		return nil, err
	}
	answer.SerialNumber, answer.IssuerHash, answer.Certificate = q.SerialNumber, q.HashAlgorithm, signer
	answer.ThisUpdate, answer.NextUpdate = now.Truncate(time.Second), now.Add(ocspValidity).Truncate(time.Second)
	return ocsp.CreateResponse(p.cert, signer, answer, key)
}

// meant reports whether a request is about certificates of this issuer.
func (p published) meant(q *ocsp.Request) bool {
	if !q.HashAlgorithm.Available() {
		return false
	}
	var public struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(p.cert.RawSubjectPublicKeyInfo, &public); err != nil {
		return false
	}
	return bytes.Equal(q.IssuerNameHash, digest(q.HashAlgorithm, p.cert.RawSubject)) && bytes.Equal(q.IssuerKeyHash, digest(q.HashAlgorithm, public.PublicKey.RightAlign()))
}

func digest(by crypto.Hash, b []byte) []byte {
	h := by.New()
	_, _ = h.Write(b) // a hash never fails
	return h.Sum(nil)
}

// status says what is known of a serial number: revoked, good, or nothing. A stored certificate that was tidied away has expired.
func status(r fsm.Reader, p published, serial string) (ocsp.Response, error) {
	end, found, err := revoked.Get(r, fsm.K(p.row.UID, serial))
	if err != nil || found {
		return ocsp.Response{Status: ocsp.Revoked, RevokedAt: end.At.Std(), RevocationReason: end.Reason}, err
	}
	row, found, err := certs.Get(r, fsm.K(p.tenant, serial))
	if err == nil && found && row.Issuer == p.row.UID {
		return ocsp.Response{Status: ocsp.Good}, nil
	}
	return ocsp.Response{Status: ocsp.Unknown}, err
}

// responder is the certificate of who signs OCSP answers; nil when there is none that is good now.
func (row issuerRow) responder(now time.Time) (*x509.Certificate, error) {
	if len(row.SignerDER) == 0 {
		return nil, nil
	}
	c, err := x509.ParseCertificate(row.SignerDER)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the OCSP signer of CA %s cannot be read", row.UID).Because(err)
	}
	if now.After(c.NotAfter) {
		return nil, nil
	}
	return c, nil
}

const (
	signerLife  = 30 * 24 * time.Hour
	signerRenew = 10 * 24 * time.Hour // before its end
)

var (
	oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5} // id-pkix-ocsp-nocheck (RFC 6960, section 4.2.2.2.1)
	null       = []byte{5, 0}
)

// addResponder makes a signer of OCSP answers for a CA that has a certificate.
func (e *Engine) addResponder(v *fsm.View, entry *fsm.Entry, name string, row issuerRow, key crypto.Signer) error {
	ca, err := row.certificate()
	if err != nil || ca == nil {
		return err
	}
	now := e.time(v).Std()
	end := now.Add(signerLife)
	if end.After(ca.NotAfter) {
		end = ca.NotAfter
	}
	own, err := generate(P256)
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: newSerial(), Subject: pkix.Name{CommonName: "OCSP " + row.UID.String()[:16]}, NotBefore: now.Add(-backdate).Truncate(time.Second),
		NotAfter: end.Truncate(time.Second), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: oidNoCheck, Value: null}}}
	der, err := signed(t, ca, own.Public(), key)
	if err != nil {
		return err
	}
	sealed, err := e.sealKey(v, signerBinding(entry.Tenant, row.UID, row.Signers+1), own)
	if err != nil {
		return err
	}
	entry.Add(ResponderMade{name, sealed, der})
	return nil
}

// errNoKey is a CA whose key cannot sign CRLs.
var errNoKey = errors.New("the CA's certificate does not let it sign CRLs")

// sign signs a CRL.
func (p published) sign(t *x509.RevocationList, key crypto.Signer) ([]byte, error) {
	if p.cert.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, errNoKey
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, p.cert, key)
	if err != nil {
		return nil, fmt.Errorf("sign a CRL: %w", err)
	}
	return der, nil
}
