package kmipclient

import (
	"crypto/x509"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// KeyPrint is the SHA-256 of a certificate's SubjectPublicKeyInfo.
func KeyPrint(c *x509.Certificate) Fingerprint { return keyPrint(c) }

// NotAfter is until when a certificate is valid; 0: not before the year 2262, where fsm.Time ends.
func NotAfter(c *x509.Certificate) fsm.Time { return expiry(c) }

// Unknown reports whether a certificate that presents itself could be bound to a client and is not: it is valid now, its key is not weak, and no tenant has ever
// bound it, its key, or its subject under the CA that has signed it.
func Unknown(r fsm.Reader, c *x509.Certificate, now fsm.Time) (bool, error) {
	if !presentable(c, now) {
		return false, nil
	}
	all, err := standings(r, c, now)
	return err == nil && len(all) == 0, err
}

// ByPresented is ByCertificate for one that presented itself to a node, in DER. Without one the request is refused with fault.NotFound, unless it is a repetition.
func ByPresented(certificate []byte) (Source, error) {
	if certificate == nil {
		return Source{kind: Certificate}, nil
	}
	return ByCertificate(certificate)
}

func errNotPresented() error {
	return fault.New(fault.NotFound, "no unknown certificate with this key has presented itself: open a window (trstctl kmip pending open), have the device connect, and compare the SHA-256 of its public key")
}
