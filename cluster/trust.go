package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// The protocols of the one cluster port, chosen by ALPN.
const (
	protoRaft = "trstctl-raft/1"
	protoRPC  = "trstctl-rpc/1"
	protoJoin = "trstctl-join/1"
)

// trust decides which certificates speak for which node.
type trust struct {
	id    *Identity
	store *fsm.Store
	now   func() time.Time
	cert  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// peer returns the node that certs speak for: signed by this cluster's CA, for this cluster, not removed, and with the
// pinned key if one is pinned. The times of a certificate do not count between members whose key is pinned, so that a
// cluster that was switched off for a month comes back, and a node whose clock was wrong for a while.
func (t *trust) peer(certs []*x509.Certificate) (string, error) {
	if len(certs) == 0 {
		return "", errors.New("the peer shows no certificate")
	}
	c := certs[0]
	id, err := nodeOf(c, t.id.Cluster)
	if err != nil {
		return "", err
	}
	pinned, err := t.pinned(id, spki(c.PublicKey))
	var gone *removedError
	if err != nil && !errors.As(err, &gone) {
		return "", err
	}
	at := t.now()
	if pinned || gone != nil { // who was removed is told so, whatever the time is
		at = within(at, c)
	}
	if err := chainAt(c, t.id.ca, at, x509.ExtKeyUsageClientAuth); err != nil {
		return "", fmt.Errorf("the certificate of %s: %w", id, err)
	}
	return id, err
}

// within returns the moment of a certificate's life that is nearest to at.
func within(at time.Time, c *x509.Certificate) time.Time {
	switch {
	case at.Before(c.NotBefore):
		return c.NotBefore
	case at.After(c.NotAfter):
		return c.NotAfter
	}
	return at
}

func (t *trust) pinned(id string, key [32]byte) (bool, error) {
	v, err := t.store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	gone, err := wasRemoved(v, id)
	if err != nil {
		return false, err
	}
	if gone {
		return false, &removedError{id}
	}
	m, found, err := member(v, id)
	if err != nil || !found {
		return false, err
	}
	if m.PublicKey != key {
		return false, fmt.Errorf("node %s has another key than the one it joined with", id)
	}
	return true, nil
}

// removed reports whether an id was removed, as far as this node knows.
func (t *trust) removed(id string) (bool, error) {
	v, err := t.store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	return wasRemoved(v, id)
}

// server is the TLS configuration of the cluster port: everyone but a joiner shows a certificate.
func (t *trust) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: t.accepted(), GetCertificate: t.cert,
		ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			switch baseOf(cs.NegotiatedProtocol) {
			case protoJoin:
				return nil
			case protoEpoch:
				_, err := t.compatriot(cs.PeerCertificates)
				return err
			case protoRaft, protoRPC:
				id, err := t.peer(cs.PeerCertificates)
				if err == nil && id == t.id.Node {
					err = fmt.Errorf("another node runs under this node's id %s", id)
				}
				var removed *removedError
				if baseOf(cs.NegotiatedProtocol) == protoRPC && errors.As(err, &removed) {
					return nil // to be told so: dispatch looks again
				}
				return err
			}
			return errors.New("no protocol was agreed")
		},
	}
}

// client is the TLS configuration for a connection to whoever answers; want is the node it must be, empty for any.
func (t *trust) client(proto string, want string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: t.offered(proto), ServerName: "trstctl",
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.cert(nil) },
		InsecureSkipVerify:   true, // the name is a URI, which crypto/tls does not compare: VerifyConnection does all of it
		VerifyConnection: func(cs tls.ConnectionState) error {
			known := t.peer
			if cs.NegotiatedProtocol == protoEpoch { // each of the two may have given the other's key up
				known = t.compatriot
			}
			id, err := known(cs.PeerCertificates)
			if err == nil && want != "" && id != want {
				err = &otherNodeError{id}
			}
			if err == nil && cs.NegotiatedProtocol != protoEpoch && baseOf(cs.NegotiatedProtocol) != proto {
				err = fmt.Errorf("node %s does not speak %s", id, proto)
			}
			return err
		},
	}
}

// removedError says that a certificate speaks for a node that was removed.
type removedError struct{ id string }

func (e *removedError) Error() string { return "node " + e.id + " was removed from this cluster" }

// otherNodeError says that an address belongs to another node than the one looked for.
type otherNodeError struct{ id string }

func (e *otherNodeError) Error() string { return "the address is that of node " + e.id }
