package kmipclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Algorithm is that of a key which is made here.
type Algorithm string

// The algorithms. Old appliances know RSA alone.
const (
	RSA2048 Algorithm = "rsa-2048"
	RSA3072 Algorithm = "rsa-3072"
	P256    Algorithm = "ec-p256"
)

// Bounds of certificates.
const (
	DefaultLifetime = 365 * 24 * time.Hour
	MaxLifetime     = 10 * 365 * 24 * time.Hour
	caLife          = 10 * 365 * 24 * time.Hour
	backdate        = 10 * time.Minute // for clocks that differ
	leastRSA        = 2048
	mostRSA         = 8192 // crypto/tls verifies no signature under a larger one
	commonName      = 64   // characters of a common name (RFC 5280, appendix A.1, ub-common-name)
)

// ParseAlgorithm returns the algorithm of that name; an empty one stands for otherwise.
func ParseAlgorithm(name string, otherwise Algorithm) (Algorithm, error) {
	switch a := Algorithm(name); a {
	case "":
		return otherwise, nil
	case RSA2048, RSA3072, P256:
		return a, nil
	}
	return "", fault.Bad("algorithm", "is %s, %s or %s", RSA2048, RSA3072, P256)
}

func generate(a Algorithm) (key crypto.Signer, err error) {
	switch a {
	case RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fault.Bad("algorithm", "is %s, %s or %s", RSA2048, RSA3072, P256)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// checkKey refuses keys that are too weak to be known by: RSA below 2048 bits, and what is none of RSA, ECDSA over P-256, P-384 or P-521, and Ed25519.
func checkKey(field string, public any) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < leastRSA || n > mostRSA {
			return fault.Bad(field, "an RSA key has %d to %d bits, not %d", leastRSA, mostRSA, n)
		}
		if k.E < 3 || k.E%2 == 0 {
			return fault.Bad(field, "an RSA key has an odd exponent of 3 at least")
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return fault.Bad(field, "the key is none of RSA, ECDSA over P-256, P-384 or P-521, and Ed25519")
}

// issuer signs certificates.
type issuer struct {
	uid         fsm.UID
	certificate *x509.Certificate
	key         crypto.Signer
}

// newCA makes a CA that signs its own certificate and, by its path length, leaves only.
func newCA(uid fsm.UID, name string, a Algorithm, now time.Time) (issuer, error) {
	key, err := generate(a)
	if err != nil {
		return issuer{}, err
	}
	t := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	c, err := issuer{uid, t, key}.sign(t, key.Public())
	return issuer{uid, c, key}, err
}

func (i issuer) sign(t *x509.Certificate, public any) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	t.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, t, i.certificate, public, i.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// leaf is a certificate that ends with its issuer's at the latest.
func (i issuer) leaf(name string, now time.Time, life time.Duration, use x509.ExtKeyUsage) *x509.Certificate {
	end := now.Add(life)
	if end.After(i.certificate.NotAfter) {
		end = i.certificate.NotAfter
	}
	return &x509.Certificate{Subject: pkix.Name{CommonName: name[:min(len(name), commonName)]}, NotBefore: now.Add(-backdate), NotAfter: end,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}}
}

// client signs the certificate of a client. The names in it are for people: nobody is recognised by them.
func (i issuer) client(tenant fsm.UID, name string, public any, now time.Time, life time.Duration) (*x509.Certificate, error) {
	t := i.leaf(name, now, life, x509.ExtKeyUsageClientAuth)
	t.URIs = []*url.URL{{Scheme: "trstctl", Host: tenant.String(), Path: "/kmip/" + name}}
	encipher(t, public)
	return i.sign(t, public)
}

// encipher lets an RSA key be used by suites of TLS 1.2 that encrypt the secret to it, which old devices look for.
func encipher(t *x509.Certificate, public any) {
	if _, yes := public.(*rsa.PublicKey); yes {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
}

func printOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.Raw) }

func keyPrint(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// keyPEM is a private key as PKCS#8 in PEM, the caller's to zero.
func keyPEM(key crypto.Signer) (Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
