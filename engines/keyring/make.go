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

// People says how many shares a seal has that people hold, and how many of them open it. The zero value stands for none.
type People struct{ Shares, Threshold int }

// SharesName is the name of the seal that people hold; a cluster has one at most.
const SharesName = "shares"

// Found makes the first root KEK, wrapped by every seal and for the holders of shares, if there are to be any. The key is forgotten: Unseal gets
// it back from the seals once the event has been applied, which shows that they work; where people hold the only seal, their
// shares do. The caller zeroes the shares.
func (k *Keyring) Found(ctx context.Context, v *fsm.View, people People) (events []fsm.Event, shares []seal.Share, err error) {
	if people.Shares > 0 {
		if err := tooOld(v); err != nil {
			return nil, nil, err
		}
	}
	all := k.seals
	if people.Shares > 0 {
		var held *seal.Shamir
		if held, shares, err = seal.NewShares(SharesName, people.Shares, people.Threshold); err != nil {
			return nil, nil, err
		}
		all = append(append([]seal.Seal(nil), all...), held)
	}
	if len(all) == 0 {
		return nil, nil, fault.New(fault.Invalid, "the cluster would have no seal: name one in the configuration (seals), or ask for shares (--shares 5 --threshold 3)")
	}
	root := newKey()
	defer clear(root[:])
	e := RootAdded{Version: 1}
	for _, s := range all {
		w, err := k.wrap(ctx, s, e.Version, root)
		if err != nil {
			return nil, nil, fmt.Errorf("wrap the root key with seal %s: %w", s.Name(), err)
		}
		e.Wraps = append(e.Wraps, w)
		if v.Version() >= since {
			events = append(events, record(root, e.Version, s, people))
		}
	}
	e.Canary, err = sealed(k.cluster, fsm.Epoch(v), fsm.KEKID{Version: e.Version}, root, canaryBinding(e.Version), []byte(canaryText))
	return append([]fsm.Event{e}, events...), shares, err
}

// record is what the state keeps of a seal, vouched for by a root key.
func record(root *key, version uint32, s seal.Seal, people People) SealRecorded {
	out := SealRecorded{Name: s.Name(), Kind: s.Kind(), Root: version}
	if held, ok := s.(*seal.Shamir); ok {
		out.Public, out.Shares, out.Threshold = held.Public(), uint32(people.Shares), uint32(people.Threshold)
	}
	out.MAC = [32]byte(sealMAC(root, out))
	return out
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
func (k *Keyring) NewTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error) {
	if tenant.IsZero() {
		return nil, errors.New("make a tenant's keys: the zero tenant stands for the root key")
	}
	kek, mac := newKey(), newKey()
	defer clear(kek[:])
	defer clear(mac[:])
	id := fsm.KEKID{Scope: tenant, Version: 1}
	key, _, err := k.sealTenantKEK(r, id, kek)
	if err != nil {
		return nil, err
	}
	m, err := sealed(k.cluster, fsm.Epoch(r), id, kek, macBinding(tenant), mac[:])
	if err == nil {
		m, err = m.Bound(macBinding(tenant))
	}
	if err != nil {
		return nil, fmt.Errorf("seal a tenant's MAC key: %w", err)
	}
	return []fsm.Event{TenantKEKAdded{id.Version, key}, MACKeyMade{m}}, nil
}

// sealTenantKEK seals a tenant's KEK under the newest root KEK and says which that is.
func (k *Keyring) sealTenantKEK(r fsm.Reader, id fsm.KEKID, kek *key) (fsm.Sealed, uint32, error) {
	newest, err := newestRoot(r)
	if err != nil {
		return fsm.Sealed{}, 0, err
	}
	under := fsm.KEKID{Version: newest.Version}
	root, err := k.root(r, under.Version)
	if err != nil {
		return fsm.Sealed{}, 0, err
	}
	s, err := k.sealUnder(fsm.Epoch(r), under, root, kekBinding(id), kek[:])
	if err != nil {
		return s, 0, fmt.Errorf("seal a tenant's key: %w", err)
	}
	return s, under.Version, nil
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
