package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Life of certificates. A node renews its own at two thirds of theirs.
const (
	certificateLife = 72 * time.Hour
	caLife          = 20 * 365 * 24 * time.Hour
	backdate        = 10 * time.Minute // for clocks that differ
)

func newCA(cluster fsm.UID, now time.Time) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, fmt.Errorf("make CA key: %w", err)
	}
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "trstctl cluster " + cluster.String()}, NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	c, err := sign(t, t, &key.PublicKey, key)
	return key, c, err
}

func sign(t, parent *x509.Certificate, pub crypto.PublicKey, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	t.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, by)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// issuer signs certificates of one cluster.
type issuer struct {
	cluster fsm.UID
	ca      *x509.Certificate
	key     *ecdsa.PrivateKey
}

// node signs the certificate for the cluster port.
func (i issuer) node(id string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	t := leaf(id, now)
	t.URIs = []*url.URL{nodeURI(i.cluster, id)}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return sign(t, i.ca, pub, i.key)
}

// api signs the certificate for the API: names and addresses under which clients reach the node.
func (i issuer) api(id string, hosts []string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	t := leaf(id, now)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range append([]string{id, "localhost", "127.0.0.1", "::1"}, hosts...) {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if h != "" {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return sign(t, i.ca, pub, i.key)
}

func leaf(id string, now time.Time) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: id}, NotBefore: now.Add(-backdate), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
}

// nodeURI is the name in a node's certificate: trstctl://<cluster>/<node>.
func nodeURI(cluster fsm.UID, id string) *url.URL {
	return &url.URL{Scheme: "trstctl", Host: cluster.String(), Path: "/" + id}
}

// nodeOf reads the name in a certificate.
func nodeOf(c *x509.Certificate, cluster fsm.UID) (string, error) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "trstctl" {
		return "", fmt.Errorf("the certificate of %q is not a node's", c.Subject.CommonName)
	}
	if c.URIs[0].Host != cluster.String() {
		return "", fmt.Errorf("the certificate is of another cluster, %s", c.URIs[0].Host)
	}
	return strings.TrimPrefix(c.URIs[0].Path, "/"), nil
}

// chainAt checks that c is signed by ca and valid at a moment.
func chainAt(c, ca *x509.Certificate, at time.Time, usage x509.ExtKeyUsage) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}
