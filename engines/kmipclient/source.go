package kmipclient

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Bounds of what is read.
const (
	maxEncoded = 32 << 10 // bytes of a certificate or request, in DER or PEM
	maxSubject = 2 << 10  // bytes of a raw subject
	leastLife  = time.Minute
)

// Source is by what a client is to be known. Its makers have checked its form.
type Source struct {
	kind      Kind
	algorithm Algorithm
	lifetime  time.Duration
	public    any               // of a request
	given     *x509.Certificate // from elsewhere
	sum       Fingerprint
	ca        string
	subject   []byte
}

// MakeKey has a key made here, RSA2048 if a is empty, and a certificate issued for it; the key is in the answer and nowhere else. A lifetime of 0 stands for
// DefaultLifetime, the most is MaxLifetime.
func MakeKey(a Algorithm, lifetime time.Duration) (Source, error) {
	a, err := ParseAlgorithm(string(a), RSA2048)
	if err == nil {
		lifetime, err = checkLifetime(lifetime)
	}
	return Source{kind: Made, algorithm: a, lifetime: lifetime}, err
}

// ForRequest has a certificate issued for a request (PKCS#10, RFC 2986) in DER or PEM, of 32 KiB at most. Its signature shows that the sender has the key; the names
// in it are ignored. A lifetime is as for MakeKey.
func ForRequest(request []byte, lifetime time.Duration) (Source, error) {
	der, err := decode("csr", request, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if err != nil {
		return Source{}, err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Source{}, fault.Bad("csr", "is no certificate request (PKCS#10)").Because(err)
	}
	if err := checkKey("csr", csr.PublicKey); err != nil {
		return Source{}, err
	}
	if err := csr.CheckSignature(); err != nil {
		return Source{}, fault.Bad("csr", "its signature does not verify, or is of an algorithm that is broken").Because(err)
	}
	lifetime, err = checkLifetime(lifetime)
	return Source{kind: Requested, public: csr.PublicKey, lifetime: lifetime}, err
}

// ByCertificate is a certificate from elsewhere, whoever signed it, in DER or PEM, of 32 KiB at most: it is known by its fingerprint, and its key is kept from being
// bound by others.
func ByCertificate(certificate []byte) (Source, error) {
	c, err := parseCertificate(certificate)
	return Source{kind: Certificate, given: c}, err
}

// ByFingerprint is a certificate from elsewhere of which only the SHA-256 is known.
func ByFingerprint(sum Fingerprint) (Source, error) { return bySum(Print, sum) }

// ByPublicKey is every valid certificate for a key, by the SHA-256 of its SubjectPublicKeyInfo.
func ByPublicKey(sum Fingerprint) (Source, error) { return bySum(PublicKey, sum) }

func bySum(kind Kind, sum Fingerprint) (Source, error) {
	if sum == (Fingerprint{}) {
		return Source{}, fault.Bad("fingerprint", "is all zeros")
	}
	return Source{kind: kind, sum: sum}, nil
}

// BySubject is every valid certificate with a subject, a DER RDNSequence of 2 KiB at most compared byte by byte, that the external CA of that name has signed itself.
func BySubject(ca string, subject []byte) (Source, error) {
	var names pkix.RDNSequence
	rest, err := asn1.Unmarshal(subject, &names)
	switch {
	case len(subject) > maxSubject || err != nil || len(rest) > 0:
		return Source{}, fault.Bad("subject", "is no distinguished name (RDNSequence in DER) of %d bytes at most", maxSubject).Because(err)
	case len(names) == 0:
		return Source{}, fault.Bad("subject", "is empty: it would be that of every certificate without one")
	}
	return Source{kind: Subject, ca: ca, subject: bytes.Clone(subject)}, nil
}

func parseCertificate(b []byte) (*x509.Certificate, error) {
	der, err := decode("certificate", b, "CERTIFICATE", "TRUSTED CERTIFICATE")
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.Bad("certificate", "is no certificate (X.509)").Because(err)
	}
	return c, checkKey("certificate", c.PublicKey)
}

// decode takes DER out of the one block of PEM that b is, or b itself for it.
func decode(field string, b []byte, types ...string) ([]byte, error) {
	if len(b) > maxEncoded {
		return nil, fault.Bad(field, "is %d bytes at most", maxEncoded)
	}
	block, rest := pem.Decode(b)
	switch {
	case block == nil:
		return b, nil
	case !slices.Contains(types, block.Type):
		return nil, fault.Bad(field, "is a block of PEM of type %s", types[0])
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fault.Bad(field, "is one block of PEM, with nothing behind it")
	}
	return block.Bytes, nil
}

func checkLifetime(d time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return DefaultLifetime, nil
	case d < leastLife || d > MaxLifetime:
		return 0, fault.Bad("ttl", "a certificate lives for %s to ten years", leastLife)
	}
	return d, nil
}

// bind fills in what the source says of itself; a certificate from elsewhere must be good by now.
func (s Source) bind(b *Bound, now fsm.Time) error {
	b.Kind = s.kind
	switch s.kind {
	case Print:
		b.Print = s.sum
	case PublicKey:
		b.PublicKey = s.sum
	case Certificate:
		if s.given == nil {
			return errNotPresented()
		}
		if past(expiry(s.given), now) {
			return fault.Bad("certificate", "has expired")
		}
		b.describe(s.given)
	}
	return nil
}

func (b *Bound) describe(c *x509.Certificate) {
	b.Certificate, b.Print, b.PublicKey = c.Raw, sha256.Sum256(c.Raw), keyPrint(c)
	b.Expires = expiry(c)
}

// expiry is when a certificate expires; 0: not before the year 2262, where fsm.Time ends, as those that say the year 9999 for never.
func expiry(c *x509.Certificate) fsm.Time {
	if c.NotAfter.Year() > 2261 {
		return 0
	}
	return max(fsm.Time(c.NotAfter.Unix()), 1) * fsm.Time(time.Second)
}
