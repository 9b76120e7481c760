package cluster

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"syscall"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Founding is a cluster that is being made: its CA exists in memory only until the state holds it, sealed.
type Founding struct {
	ID    *Identity
	caKey []byte // PKCS #8
	self  Self
}

// Sealer seals the cluster's own secrets; engines/keyring's Keyring is one.
type Sealer interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
}

// Found makes dir the first node of a new cluster. The caller opens it with bootstrap and commits Events.
func Found(dir, node string, self Self) (*Founding, error) {
	if err := ValidNode(node); err != nil {
		return nil, err
	}
	now, cluster := chaos.Now(), newUID()
	caKey, ca, err := newCA(cluster, now)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(caKey)
	if err != nil {
		return nil, fmt.Errorf("encode CA key: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	id, err := newIdentity(dir, cluster, node, key, ca)
	if err != nil {
		return nil, err
	}
	by := issuer{cluster, ca, caKey}
	c, err := by.node(node, &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	api, err := by.api(node, hostOf(self.API), &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	return &Founding{ID: id, caKey: der, self: self}, id.keep(c.Raw, api.Raw, id.commit)
}

// First returns the event that goes before all others: a new cluster begins at the version of its founder's binary.
func (f *Founding) First() fsm.Event { return VersionRaised{Version: Version} }

// Events returns the cluster's own part of its first entries and forgets the CA's key.
func (f *Founding) Events(r fsm.Reader, keys Sealer) ([]fsm.Event, error) {
	defer clear(f.caKey)
	caKey, err := keys.Seal(r, caKeyBinding, f.caKey)
	if err != nil {
		return nil, fmt.Errorf("seal the CA key: %w", err)
	}
	gossip := make([]byte, 32)
	defer clear(gossip)
	rand.Read(gossip)
	gossipKey, err := keys.Seal(r, gossipBinding(1), gossip)
	if err != nil {
		return nil, fmt.Errorf("seal the gossip key: %w", err)
	}
	return []fsm.Event{
		Founded{Cluster: f.ID.Cluster, CA: f.ID.ca.Raw, CAKey: caKey, GossipKey: gossipKey},
		Announced{Member: f.self.member(f.ID.Node, f.ID.publicKey())},
	}, nil
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.New(fault.Conflict, "another process runs on this data directory (%s is locked)", path)
	}
	return f, nil
}
