package pki

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// ringSize is how many keys of CAs a node holds open: beyond that it begins anew.
const ringSize = 256

// ring holds the keys of CAs that this node has opened. It knows nothing of what is allowed: who asks has found the issuer in the state.
type ring struct {
	mu    sync.Mutex // guards the rest
	open  map[fsm.Binding]crypto.Signer
	wiped int // how often all was
}

// Forget drops the keys that are open: the node is being sealed.
func (e *Engine) Forget() {
	e.ring.mu.Lock()
	defer e.ring.mu.Unlock()
	e.ring.open = nil // not overwritten: somebody may be signing
	e.ring.wiped++
}

func (r *ring) at(b fsm.Binding) (crypto.Signer, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[b], r.wiped
}

// put keeps a key, unless all was wiped since it was opened.
func (r *ring) put(b fsm.Binding, k crypto.Signer, wiped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if wiped != r.wiped {
		return
	}
	if r.open == nil || len(r.open) >= ringSize {
		r.open = map[fsm.Binding]crypto.Signer{}
	}
	r.open[b] = k
}

// signer opens the key of a CA.
func (e *Engine) signer(r fsm.Reader, tenant fsm.UID, row issuerRow) (crypto.Signer, error) {
	return e.openKey(r, keyBinding(tenant, row.UID), row.Key)
}

func (e *Engine) openKey(r fsm.Reader, b fsm.Binding, s fsm.Sealed) (crypto.Signer, error) {
	k, wiped := e.ring.at(b)
	if k != nil {
		return k, nil
	}
	der, err := e.Keys.Open(r, b, s)
	if err != nil {
		return nil, fmt.Errorf("open a CA's key: %w", err)
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	k, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		return nil, fault.New(fault.Corrupt, "the key of CA %s cannot be read", b.Path).Because(err)
	}
	e.ring.put(b, k, wiped)
	return k, nil
}

// sealKey seals a key for the state.
func (e *Engine) sealKey(r fsm.Reader, b fsm.Binding, key crypto.Signer) (fsm.Sealed, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fsm.Sealed{}, fmt.Errorf("encode a CA's key: %w", err)
	}
	defer clear(der)
	return e.Keys.Seal(r, b, der)
}
