package kmipclient

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// ServerNames are the certificate that a node wants for its KMIP port.
type ServerNames struct {
	Names     []string // DNS names; the first is also the common name, for clients that look there
	Addresses []net.IP
	Algorithm Algorithm     // of the key that is made for it; empty stands for RSA2048
	Lifetime  time.Duration // a minute to ten years, and no longer than its CA; 0 stands for DefaultLifetime
}

// ServerCertificate issues a certificate to this node from the cluster's server CA, for a key that is made here and stays in memory. It writes nothing, so any
// node does it that has keys, without a quorum. fault.NotDone: there is no server CA yet, see EnsureServerCA. The chain has the CA's own certificate behind the node's.
func ServerCertificate(r fsm.Reader, keys Opener, want ServerNames, now fsm.Time) (tls.Certificate, error) {
	a, err := ParseAlgorithm(string(want.Algorithm), RSA2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	life, err := checkLifetime(want.Lifetime)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := want.Check(); err != nil {
		return tls.Certificate{}, err
	}
	i, err := openIssuer(r, keys, fsm.RootTenant, ServerCA, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := generate(a)
	if err != nil {
		return tls.Certificate{}, err
	}
	c, err := i.server(want, key.Public(), now.Std(), life)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue a KMIP server's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{c.Raw, i.certificate.Raw}, PrivateKey: key, Leaf: c}, nil
}

// Check refuses names that no certificate can have.
func (w ServerNames) Check() error {
	if len(w.Names)+len(w.Addresses) == 0 {
		return fault.Bad("names", "a server's certificate has a name or an address")
	}
	for _, n := range w.Names {
		if n == "" || len(n) > maxDNSName || strings.ContainsFunc(n, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return fault.Bad("names", "%.64q is no DNS name", n)
		}
	}
	return nil
}

const maxDNSName = 253 // characters (RFC 1035, 2.3.4)

// common is the common name, where it has room for one.
func (w ServerNames) common() string {
	name := ""
	if len(w.Names) > 0 {
		name = w.Names[0]
	} else {
		name = w.Addresses[0].String()
	}
	if len(name) > commonName {
		return ""
	}
	return name
}

func (i issuer) server(want ServerNames, public any, now time.Time, life time.Duration) (*x509.Certificate, error) {
	t := i.leaf(want.common(), now, life, x509.ExtKeyUsageServerAuth)
	t.DNSNames, t.IPAddresses = want.Names, want.Addresses
	encipher(t, public)
	return i.sign(t, public)
}

// Roots returns the certificates of all generations of the cluster's server CA, in PEM, newest last: what clients must trust. Empty: there is none yet.
func Roots(r fsm.Reader) ([]byte, error) {
	all, err := CAs(r, fsm.RootTenant)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, ca := range generations(all, ServerCA) {
		out = append(out, certificatePEM(ca.Certificate)...)
	}
	return out, nil
}

// ServerIssuer is the generation of the cluster's server CA that issues now; 0: there is none.
func ServerIssuer(r fsm.Reader, now fsm.Time) (uint64, error) {
	all, err := CAs(r, fsm.RootTenant)
	if err != nil {
		return 0, err
	}
	ca, _ := issuing(all, ServerCA, now)
	return ca.Generation, nil
}
