// Package keyring seals what the features store: root KEKs that seals unwrap, a KEK for each tenant under them, a DEK for each value.
//
// It promises:
//   - A DEK encrypts one plaintext; no key is ever used twice with the same nonce.
//   - A sealed value opens at the place that it was sealed for (cluster, epoch, tenant, feature, field, path, version) and nowhere else.
//   - All keys are replicated state, wrapped: a node unseals from its own disk with any one of its seals. A seal that does not fit
//     is named; nothing is made in its place.
//   - When a tenant's keys are destroyed, its values are unreadable at once, also where the keys were in memory.
//
// A crash between any two steps leaves no key that state does not hold.
package keyring

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keyring opens and makes sealed values. It is safe for concurrent use.
type Keyring struct {
	cluster fsm.UID
	seals   []seal.Seal

	mu      sync.RWMutex // guards the rest; the keys behind the pointers never change while it is held for reading, and may be zeroed before
	roots   map[uint32]*key
	newest  uint32               // of roots
	tenants map[fsm.KEKID]*key   // opened so far
	macs    map[[32]byte]*macKey // opened so far, by the digest of what they were opened from
	swept   fsm.Time             // when the tenants' keys were last compared with the state
	gone    map[fsm.KEKID]bool   // of tenants, those that the state did not have then
}

type macKey struct {
	tenant fsm.UID
	id     [32]byte // in macs
	key    key
}

// New returns a sealed keyring.
func New(cluster fsm.UID, seals ...seal.Seal) *Keyring {
	return &Keyring{cluster: cluster, seals: seals, roots: map[uint32]*key{}, tenants: map[fsm.KEKID]*key{}, macs: map[[32]byte]*macKey{}}
}

func errSealed() error { return fault.New(fault.Sealed, "this node is sealed") }

// Unsealed reports whether the node has the root keys.
func (k *Keyring) Unsealed() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.roots) > 0
}

// Close zeroes every key. The keyring is sealed afterwards.
func (k *Keyring) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.zero()
}

func (k *Keyring) zero() {
	for _, r := range k.roots {
		clear(r[:])
	}
	for _, t := range k.tenants {
		clear(t[:])
	}
	for _, m := range k.macs {
		clear(m.key[:])
	}
	clear(k.roots)
	clear(k.tenants)
	clear(k.macs)
	k.newest = 0
}

// Seal encrypts plaintext for one place, under the newest KEK of its tenant in r. The plaintext stays the caller's.
func (k *Keyring) Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error) {
	row, found, err := tenants.Get(r, fsm.K(b.Tenant))
	if err != nil {
		return fsm.Sealed{}, err
	}
	if !found {
		return fsm.Sealed{}, k.noKeys(b.Tenant)
	}
	id := fsm.KEKID{Scope: b.Tenant, Version: row.KEK}
	kek, err := k.kek(r, id)
	if err != nil {
		return fsm.Sealed{}, err
	}
	return k.sealUnder(fsm.Epoch(r), id, kek, b, plaintext)
}

func errNoKeys() error { return fault.New(fault.NotFound, "the tenant's keys were destroyed") }

// noKeys zeroes what is in memory of a tenant whose keys were destroyed, and says that they were.
func (k *Keyring) noKeys(tenant fsm.UID) error {
	k.forget(tenant)
	return errNoKeys()
}

func (k *Keyring) forget(tenant fsm.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, t := range k.tenants {
		if id.Scope == tenant {
			clear(t[:])
			delete(k.tenants, id)
		}
	}
	for id, m := range k.macs {
		if m.tenant == tenant {
			clear(m.key[:])
			delete(k.macs, id)
		}
	}
}

// holds fails when a key was zeroed since it was found. The caller holds the lock until it has used the key.
func (k *Keyring) holds(id fsm.KEKID, kek *key) error {
	switch {
	case len(k.roots) == 0:
		return errSealed()
	case !id.Scope.IsZero() && k.tenants[id] != kek:
		return errNoKeys()
	case id.Scope.IsZero() && k.roots[id.Version] != kek:
		return errSealed()
	}
	return nil
}

// sealUnder holds the lock so that nobody can zero the key in between.
func (k *Keyring) sealUnder(epoch uint32, id fsm.KEKID, kek *key, b fsm.Binding, plaintext []byte) (fsm.Sealed, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if err := k.holds(id, kek); err != nil {
		return fsm.Sealed{}, err
	}
	s, err := sealed(k.cluster, epoch, id, kek, b, plaintext)
	if err != nil {
		return s, err
	}
	return s.Bound(b)
}

// Open decrypts a value from the place that it was sealed for. fault.NotFound says that it or its tenant's keys were destroyed. The
// caller zeroes the result.
func (k *Keyring) Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error) {
	full, found, err := fsm.Load(r, s)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.New(fault.NotFound, "the value was destroyed")
	}
	kek, err := k.kek(r, full.KEK())
	if err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if err := k.holds(full.KEK(), kek); err != nil {
		return nil, err
	}
	out, err := open(k.cluster, kek, b, full)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "a sealed value cannot be opened").Because(err)
	}
	return out, nil
}

// kek finds a key: a root in memory; a tenant's in memory too, but only while r still has it.
func (k *Keyring) kek(r fsm.Reader, id fsm.KEKID) (*key, error) {
	if id.Scope.IsZero() {
		return k.root(r, id.Version)
	}
	row, found, err := keks.Get(r, kekKey(id.Scope, id.Version))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, k.noKeys(id.Scope)
	}
	k.mu.RLock()
	known, sealed := k.tenants[id], len(k.roots) == 0
	k.mu.RUnlock()
	if known != nil || sealed {
		if sealed {
			return nil, errSealed()
		}
		return known, nil
	}
	b, err := k.Open(r, kekBinding(id), row)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", id, err)
	}
	return k.remember(id, b)
}

// root finds a root KEK in memory, or crosses the bridge to one that was added since this node unsealed.
func (k *Keyring) root(r fsm.Reader, version uint32) (*key, error) {
	k.mu.RLock()
	found, newest := k.roots[version], k.newest
	k.mu.RUnlock()
	switch {
	case newest == 0:
		return nil, errSealed()
	case found != nil:
		return found, nil
	case version < newest:
		return nil, fault.New(fault.Corrupt, "root key %d is not among those that were unsealed", version)
	}
	return k.cross(r, version)
}

func (k *Keyring) cross(r fsm.Reader, version uint32) (*key, error) {
	before, err := k.root(r, version-1)
	if err != nil {
		return nil, err
	}
	row, found, err := roots.Get(r, fsm.K(uint64(version)))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, k.uncrossed(r, version)
	}
	k.mu.RLock()
	alive := k.roots[version-1] == before
	var root *key
	if alive {
		root, err = k.bridged(r, row, before)
	}
	if err == nil && root != nil {
		err = k.vouched(r, row, root, before, false)
	}
	k.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, notYet(version)
	}
	return k.adopt(version, root)
}

func notYet(version uint32) error {
	return fault.New(fault.Sealed, "this node has not got root key %d yet", version)
}

// uncrossed says why there is no way over a root key that is not there: a node that was away for more than one rotation finds it retired.
func (k *Keyring) uncrossed(r fsm.Reader, version uint32) error {
	_, was, err := retired.Get(r, fsm.K(uint64(version)))
	switch {
	case err != nil:
		return err
	case was:
		return notYet(version)
	}
	return fault.New(fault.Corrupt, "root key %d is not there", version)
}

// adopt takes over a root KEK.
func (k *Keyring) adopt(version uint32, root *key) (*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.roots) == 0 {
		clear(root[:])
		return nil, errSealed()
	}
	if known := k.roots[version]; known != nil {
		clear(root[:])
		return known, nil
	}
	k.roots[version], k.newest = root, max(k.newest, version)
	return root, nil
}

// Refresh takes over root KEKs that were added since and zeroes those that were retired a while ago: readers of an older view may still
// need one that was retired just now. fault.Sealed: the newest one is out of reach; the keyring is sealed when those that it has are all gone.
func (k *Keyring) Refresh(ctx context.Context, r fsm.Reader, now fsm.Time) error {
	newest, err := newestRoot(r)
	if err != nil || !k.Unsealed() {
		return err
	}
	if _, err := k.root(r, newest.Version); fault.Is(err, fault.Sealed) && k.Unsealed() {
		o, err := k.Ask(ctx, r) // the bridge was gone before this node looked: a seal has the key
		if err != nil {
			return errors.Join(err, k.closeUseless(r))
		}
		if err := o.renew(); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return errors.Join(k.dropRetired(r, now), k.dropTenants(r, now))
}

// closeUseless seals the keyring when r has none of its root keys any more.
func (k *Keyring) closeUseless(r fsm.Reader) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for version := range k.roots {
		_, found, err := roots.Get(r, fsm.K(uint64(version)))
		if err != nil || found {
			return err
		}
	}
	k.zero()
	return nil
}

const retiredFor = time.Minute

func (k *Keyring) dropRetired(r fsm.Reader, now fsm.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for version, root := range k.roots {
		at, gone, err := retired.Get(r, fsm.K(uint64(version)))
		if err != nil {
			return err
		}
		if gone && version < k.newest && now.Sub(at) > retiredFor {
			clear(root[:])
			delete(k.roots, version)
		}
	}
	return nil
}

// dropTenants zeroes, once a minute, the tenants' keys that the state had no more a minute before, and all of tenants that are gone.
func (k *Keyring) dropTenants(r fsm.Reader, now fsm.Time) error {
	k.mu.RLock()
	due, known := now.Sub(k.swept) > retiredFor, slices.Collect(maps.Keys(k.tenants))
	k.mu.RUnlock()
	if !due {
		return nil
	}
	gone := map[fsm.KEKID]bool{}
	for _, id := range known {
		_, found, err := keks.Get(r, kekKey(id.Scope, id.Version))
		if err != nil {
			return err
		}
		if found {
			continue
		}
		gone[id] = true
		if _, found, err = tenants.Get(r, fsm.K(id.Scope)); err != nil {
			return err
		}
		if !found {
			k.forget(id.Scope)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range gone {
		if t := k.tenants[id]; t != nil && k.gone[id] {
			clear(t[:])
			delete(k.tenants, id)
		}
	}
	k.swept, k.gone = now, gone
	return nil
}

// remember takes over the bytes of a tenant's KEK.
func (k *Keyring) remember(id fsm.KEKID, b []byte) (*key, error) {
	defer clear(b)
	if len(b) != keySize {
		return nil, fault.New(fault.Corrupt, "key %s has %d bytes", id, len(b))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.roots) == 0 {
		return nil, errSealed()
	}
	if k.tenants[id] == nil {
		k.tenants[id] = (*key)(append([]byte(nil), b...))
	}
	return k.tenants[id], nil
}

func kekBinding(id fsm.KEKID) fsm.Binding {
	return fsm.Binding{Tenant: id.Scope, Feature: "keyring", Field: "kek", Version: uint64(id.Version)}
}

func macBinding(tenant fsm.UID) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "keyring", Field: "mac-key", Version: 1}
}

// MAC returns HMAC-SHA-256 under the tenant's MAC key over purpose and parts, each behind its length.
func (k *Keyring) MAC(r fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error) {
	row, found, err := tenants.Get(r, fsm.K(tenant))
	if err == nil && !found {
		err = k.noKeys(tenant)
	}
	if err != nil {
		return [32]byte{}, err
	}
	m, err := k.macKey(r, tenant, row.MAC)
	if err != nil {
		return [32]byte{}, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case len(k.roots) == 0:
		return [32]byte{}, errSealed()
	case k.macs[m.id] != m: // zeroed since it was found
		return [32]byte{}, errNoKeys()
	}
	return mac(m.key[:], append([][]byte{[]byte(purpose)}, parts...)...), nil
}

func (k *Keyring) macKey(r fsm.Reader, tenant fsm.UID, s fsm.Sealed) (*macKey, error) {
	name, err := fsm.Encode(s) // the digest: the key changes with what it was sealed in
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(name)
	k.mu.RLock()
	known := k.macs[id]
	k.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	b, err := k.Open(r, macBinding(tenant), s)
	if err != nil {
		return nil, fmt.Errorf("open the MAC key of a tenant: %w", err)
	}
	defer clear(b)
	if len(b) != keySize {
		return nil, fault.New(fault.Corrupt, "the MAC key of a tenant has %d bytes", len(b))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.roots) == 0 {
		return nil, errSealed()
	}
	if k.macs[id] == nil {
		k.macs[id] = &macKey{tenant, id, key(b)}
	}
	return k.macs[id], nil
}

func mac(key []byte, parts ...[]byte) [32]byte {
	h := hmac.New(sha256.New, key)
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// Prove shows to another node that this one has unsealed: HMAC under a key derived from the newest root KEK.
func (k *Keyring) Prove(nonce, context []byte) ([32]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.roots) == 0 {
		return [32]byte{}, errSealed()
	}
	sub, err := derive(k.roots[k.newest][:], nil, "trstctl unsealed proof v1")
	if err != nil {
		return [32]byte{}, err
	}
	defer clear(sub)
	return mac(sub, k.cluster[:], context, nonce), nil
}
