package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Found makes the first root KEK, wrapped by every seal. The key is forgotten: Unseal gets it back from the seals once the event
// has been applied, which shows that they work.
func (k *Keyring) Found(ctx context.Context) ([]fsm.Event, error) {
	if len(k.seals) == 0 {
		return nil, errors.New("found the keyring: there is no seal")
	}
	root := newKey()
	defer clear(root[:])
	e := RootAdded{Version: 1}
	for _, s := range k.seals {
		w, err := k.wrap(ctx, s, e.Version, root)
		if err != nil {
			return nil, fmt.Errorf("wrap the root key with seal %s: %w", s.Name(), err)
		}
		e.Wraps = append(e.Wraps, w)
	}
	var err error
	e.Canary, err = sealed(k.cluster, fsm.KEKID{Version: e.Version}, root, canaryBinding(e.Version), []byte(canaryText))
	return []fsm.Event{e}, err
}

func (k *Keyring) wrap(ctx context.Context, s seal.Seal, version uint32, root *key) (Wrap, error) {
	owner := k.owner(s.Name(), version)
	plain := append(append(make([]byte, 0, keySize+len(owner)), root[:]...), owner[:]...)
	defer clear(plain)
	b, err := s.Wrap(ctx, plain, k.wrapContext(s.Name(), version))
	if err != nil {
		return Wrap{}, err
	}
	kept, err := fsm.NewSealed(append([]byte{fsm.WrapFormat}, b...))
	return Wrap{s.Name(), kept}, err
}

// NewTenant makes the first KEK of a tenant, sealed under the newest root KEK, and its MAC key. The events are of the tenant's own
// space.
func (k *Keyring) NewTenant(_ fsm.Reader, tenant fsm.UID) ([]fsm.Event, error) {
	if tenant.IsZero() {
		return nil, errors.New("make a tenant's keys: the zero tenant stands for the root key")
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.roots) == 0 {
		return nil, errSealed()
	}
	kek, mac := newKey(), newKey()
	defer clear(kek[:])
	defer clear(mac[:])
	id := fsm.KEKID{Scope: tenant, Version: 1}
	key, err := sealed(k.cluster, fsm.KEKID{Version: k.newest}, k.roots[k.newest], kekBinding(id), kek[:])
	if err != nil {
		return nil, fmt.Errorf("seal a tenant's key: %w", err)
	}
	m, err := sealed(k.cluster, id, kek, macBinding(tenant), mac[:])
	if err != nil {
		return nil, fmt.Errorf("seal a tenant's MAC key: %w", err)
	}
	return []fsm.Event{TenantKEKAdded{id.Version, key}, MACKeyMade{m}}, nil
}

// DropTenant ends a tenant's keys. The event is of the tenant's own space.
func (k *Keyring) DropTenant(fsm.Reader, fsm.UID) ([]fsm.Event, error) {
	return []fsm.Event{TenantKeysDestroyed{}}, nil
}

const answerInfo = "trstctl answer v1"

// SealAnswer seals an answer that holds a secret: under a key derived from the caller's idempotency key first, so that whoever has
// the keyring but not that key cannot read it, then as Seal does.
func (k *Keyring) SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error) {
	inner := make([]byte, saltSize, saltSize+len(plaintext)+16)
	rand.Read(inner)
	sub, err := derive([]byte(idempotencyKey), inner, answerInfo)
	if err != nil {
		return fsm.Sealed{}, err
	}
	defer clear(sub)
	aead, err := gcm(sub)
	if err != nil {
		return fsm.Sealed{}, err
	}
	return k.Seal(r, b, aead.Seal(inner, make([]byte, 12), plaintext, nil)) // the salt is fresh, so the key is used once
}

// OpenAnswer opens what SealAnswer made; another idempotency key is fault.Denied. The caller zeroes the result.
func (k *Keyring) OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error) {
	inner, err := k.Open(r, b, s)
	if err != nil {
		return nil, err
	}
	if len(inner) < saltSize+16 {
		return nil, fault.New(fault.Corrupt, "a stored answer is too short")
	}
	sub, err := derive([]byte(idempotencyKey), inner[:saltSize], answerInfo)
	if err != nil {
		return nil, err
	}
	defer clear(sub)
	aead, err := gcm(sub)
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, make([]byte, 12), inner[saltSize:], nil)
	if err != nil {
		return nil, fault.New(fault.Denied, "the stored answer belongs to another Idempotency-Key")
	}
	return out, nil
}
