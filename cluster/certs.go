package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keys is what the cluster needs of the keyring: its own secrets sealed, and the proof that a node has unsealed.
type Keys interface {
	Sealer
	Unsealed() bool
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
	Prove(nonce, context []byte) ([32]byte, error)
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
}

// caKeyBinding binds the CA's private key.
var caKeyBinding = fsm.Binding{Tenant: fsm.RootTenant, Feature: "cluster", Field: "ca-key", Path: "ca", Version: 1}

// certificates holds the node's two certificates and renews them.
type certificates struct {
	id   *Identity
	node atomic.Pointer[tls.Certificate]
	api  atomic.Pointer[tls.Certificate]
}

// keep writes new certificates, then calls after.
func (id *Identity) keep(node, api []byte, after func() error) error {
	if err := writeFile(id.path("api.pem"), certificatePEM(api)); err != nil {
		return err
	}
	if err := writeFile(id.path("node.pem"), certificatePEM(node)); err != nil {
		return err
	}
	if after == nil {
		return nil
	}
	return after()
}

func loadCertificates(id *Identity) (*certificates, error) {
	c := &certificates{id: id}
	for name, to := range map[string]*atomic.Pointer[tls.Certificate]{"node.pem": &c.node, "api.pem": &c.api} {
		leaf, err := readCertificate(id.path(name))
		if err != nil {
			return nil, err
		}
		if spki(leaf.PublicKey) != id.publicKey() {
			return nil, fault.New(fault.Corrupt, "%s is not for the node's key", id.path(name))
		}
		to.Store(&tls.Certificate{Certificate: [][]byte{leaf.Raw, id.ca.Raw}, PrivateKey: id.key, Leaf: leaf})
	}
	return c, nil
}

func (c *certificates) forNode(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.node.Load(), nil
}

// Certificate returns the node's API certificate, for a TLS server.
func (n *Node) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return n.certs.api.Load(), nil
}

// issuer returns the cluster CA with its key. fault.Sealed when this node has no keys.
func (n *Node) issuer() (issuer, error) {
	if !n.keys.Unsealed() {
		return issuer{}, fault.New(fault.Sealed, "this node is sealed and cannot sign certificates")
	}
	v, err := n.store.View()
	if err != nil {
		return issuer{}, err
	}
	defer v.Close()
	row, found, err := genesis(v)
	if err == nil && !found {
		err = errors.New("this node has not caught up with the cluster's beginning yet")
	}
	if err != nil {
		return issuer{}, err
	}
	key, err := caKeyOf(v, n.keys, row)
	return issuer{n.id.Cluster, n.id.ca, key}, err
}

// caKeyOf opens the CA's key from the state.
func caKeyOf(r fsm.Reader, keys Keys, row foundedRow) (*ecdsa.PrivateKey, error) {
	der, err := keys.Open(r, caKeyBinding, row.Founded.CAKey)
	if err != nil {
		return nil, fmt.Errorf("open the CA key: %w", err)
	}
	defer clear(der)
	k, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := k.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fault.New(fault.Corrupt, "the cluster's CA key cannot be read").Because(err)
	}
	return key, nil
}

// renewCertificates keeps both certificates young: at two thirds of their life, or when the API's names have changed. It needs
// no quorum, only that this node has unsealed. It looks every second: the clock of a machine that was suspended goes on by days at once.
func (n *Node) renewCertificates(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := n.cfg.renewEvery()
		if n.certs.due(chaos.Now(), n.self) {
			if err := n.renew(); err != nil {
				n.log.Warn("certificates not renewed, will retry", "err", err)
				wait = 2 * time.Second
			}
		}
		pause(ctx, wait)
	}
	return nil
}

func (c *certificates) due(now time.Time, self Self) bool {
	for _, p := range []*tls.Certificate{c.node.Load(), c.api.Load()} {
		life := p.Leaf.NotAfter.Sub(p.Leaf.NotBefore)
		if now.Before(p.Leaf.NotBefore) || now.After(p.Leaf.NotBefore.Add(life*2/3)) {
			return true
		}
	}
	for _, h := range hostOf(self.API) {
		if c.api.Load().Leaf.VerifyHostname(h) != nil {
			return true
		}
	}
	return false
}

func (n *Node) renew() error {
	ca, err := n.issuer()
	if err != nil {
		return err
	}
	now, pub := chaos.Now(), &n.id.key.PublicKey
	node, err := ca.node(n.id.Node, pub, now)
	if err != nil {
		return err
	}
	api, err := ca.api(n.id.Node, hostOf(n.self.API), pub, now)
	if err != nil {
		return err
	}
	if err := n.id.keep(node.Raw, api.Raw, nil); err != nil {
		return err
	}
	fresh, err := loadCertificates(n.id)
	if err != nil {
		return err
	}
	old := n.certs.node.Swap(fresh.node.Load())
	n.certs.api.Store(fresh.api.Load())
	n.peers.renewed()
	n.bulk.renewed()
	if outOfTime(old.Leaf.NotBefore, old.Leaf.NotAfter) { // what was connected with it is good for little
		n.port.links.cut(func(_, proto string) bool { return proto == protoRPC })
	}
	n.log.Info("certificates renewed", "until", node.NotAfter)
	return nil
}

func newUID() fsm.UID {
	var u fsm.UID
	rand.Read(u[:]) // never fails: crypto/rand ends the process instead
	return u
}
