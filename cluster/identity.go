package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Identity is what makes a data directory this node of that cluster. It is made once, by init or by a join, and never
// changes; the private key in it is the one key that stands in clear on disk (0600).
//
//	<dir>/node.json      cluster, node
//	<dir>/tls/node.key   PKCS #8, PEM
//	<dir>/tls/ca.pem     the cluster CA's certificate
//	<dir>/tls/node.pem   certificate for the cluster port: renews itself
//	<dir>/tls/api.pem    certificate for the API, same key: renews itself
type Identity struct {
	Cluster fsm.UID
	Node    string

	epoch uint32 // of the cluster when the node joined, which it has no state of at first
	dir   string
	key   *ecdsa.PrivateKey
	ca    *x509.Certificate
}

type identityFile struct {
	Cluster fsm.UID `json:"cluster"`
	Node    string  `json:"node"`
	Epoch   uint32  `json:"epoch,omitempty"` // that it joined in; absent for the first
}

var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// ValidNode checks a node id: a lower-case DNS name of at most 63 characters.
func ValidNode(id string) error {
	if !nodeName.MatchString(id) {
		return fault.Bad("node", "node id %q is not a lower-case name of letters, digits, '.' and '-' of at most 63 characters", id)
	}
	return nil
}

// CAKeyID is SHA-256 of the CA's public key (SubjectPublicKeyInfo): what a join token pins.
type CAKeyID [32]byte

// LoadIdentity reads the identity in dir. The error is fs.ErrNotExist when there is none yet.
func LoadIdentity(dir string) (*Identity, error) {
	b, err := os.ReadFile(filepath.Join(dir, "node.json"))
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	var f identityFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fault.New(fault.Corrupt, "%s/node.json cannot be read", dir).Because(err)
	}
	id := &Identity{Cluster: f.Cluster, Node: f.Node, epoch: f.Epoch, dir: dir}
	if id.key, err = readKey(id.path("node.key")); err != nil {
		return nil, err
	}
	id.ca, err = readCertificate(id.path("ca.pem"))
	return id, err
}

// newIdentity writes keys and certificates first and node.json last: without that file the directory has no identity.
func newIdentity(dir string, cluster fsm.UID, node string, key *ecdsa.PrivateKey, ca *x509.Certificate) (*Identity, error) {
	id := &Identity{Cluster: cluster, Node: node, dir: dir, key: key, ca: ca}
	if err := durable.MakeDir(filepath.Join(dir, "tls")); err != nil {
		return nil, fmt.Errorf("create identity: %w", err)
	}
	if err := writeFile(id.path("ca.pem"), certificatePEM(ca.Raw)); err != nil {
		return nil, err
	}
	return id, writeKey(id.path("node.key"), key)
}

// seal makes the directory this node's, durably.
func (id *Identity) commit() error {
	b, err := json.Marshal(identityFile{id.Cluster, id.Node, id.epoch})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(id.dir, "node.json"), append(b, '\n'))
}

func (id *Identity) path(name string) string { return filepath.Join(id.dir, "tls", name) }

// CA returns the cluster CA's certificate as PEM.
func (id *Identity) CA() []byte { return certificatePEM(id.ca.Raw) }

func (id *Identity) publicKey() [32]byte { return spki(&id.key.PublicKey) }

func spki(pub any) [32]byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil { // the key was made or parsed by crypto/x509
		return [32]byte{}
	}
	return sha256.Sum256(der)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func readKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if key, ok := k.(*ecdsa.PrivateKey); ok && err == nil {
		return key, nil
	}
	return nil, fault.New(fault.Corrupt, "%s does not hold an ECDSA key", path).Because(err)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode node key: %w", err)
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "%s does not hold a certificate", path).Because(err)
	}
	return c, nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fault.New(fault.Corrupt, "%s does not hold a %s", path, kind)
	}
	return block.Bytes, nil
}

// writeFile replaces path durably, mode 0600.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
