package keyring

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Unseal gets the root KEKs that r holds from the seals, and from those that are given beside; any one that answers is enough. fault.Sealed
// says that there are none yet or that no seal answers now; fault.Corrupt that a seal's key does not fit, and the cluster has no other
// seal that might, or that a key was added by no one who had the one before.
func (k *Keyring) Unseal(ctx context.Context, r fsm.Reader, beside ...seal.Seal) error {
	o, err := k.Ask(ctx, r, beside...)
	if err != nil {
		return err
	}
	o.Take()
	return nil
}

// Opened are root KEKs that seals gave out and the keyring does not have yet. Take or Drop ends it.
type Opened struct {
	k      *Keyring
	roots  map[uint32]*key
	newest uint32
}

// Ask is Unseal without the last step: a seal may take seconds to answer, and the node may have been sealed meanwhile.
func (k *Keyring) Ask(ctx context.Context, r fsm.Reader, beside ...seal.Seal) (*Opened, error) {
	o := &Opened{k: k, roots: map[uint32]*key{}}
	var err error
	if o.newest, err = k.openRoots(ctx, r, o.roots, beside); err == nil {
		err = vouchedSeals(r, o.roots)
	}
	if err != nil {
		o.Drop()
		return nil, err
	}
	return o, nil
}

// Drop zeroes the keys.
func (o *Opened) Drop() {
	for _, root := range o.roots {
		clear(root[:])
	}
}

// Take unseals the keyring.
func (o *Opened) Take() {
	o.k.mu.Lock()
	defer o.k.mu.Unlock()
	o.take()
}

// renew takes the keys over if the keyring has not been sealed meanwhile.
func (o *Opened) renew() error {
	o.k.mu.Lock()
	defer o.k.mu.Unlock()
	if len(o.k.roots) == 0 {
		o.Drop()
		return errSealed()
	}
	o.take()
	return nil
}

func (o *Opened) take() {
	for version, known := range o.k.roots {
		switch found := o.roots[version]; {
		case found == nil: // retired a moment ago
			o.roots[version] = known
		case hmac.Equal(found[:], known[:]): // whoever is using it goes on with it
			clear(found[:])
			o.roots[version] = known
		default:
			clear(known[:])
		}
	}
	o.k.roots, o.k.newest = o.roots, max(o.newest, o.k.newest) // a root key may have been added since
}

// openRoots fills opened, also with what it had when it fails.
func (k *Keyring) openRoots(ctx context.Context, r fsm.Reader, opened map[uint32]*key, beside []seal.Seal) (newest uint32, err error) {
	all, err := allRoots(r)
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, fault.New(fault.Sealed, "the root key is not here yet")
	}
	for i, row := range all {
		before := opened[newest]
		root, err := k.bridged(r, row, before)
		if err == nil && root == nil {
			root, err = k.unwrap(ctx, r, row, beside)
		}
		if err != nil {
			return newest, err
		}
		opened[row.Version], newest = root, row.Version
		if err := k.vouched(r, row, root, before, i == 0); err != nil {
			return newest, err
		}
	}
	return newest, nil
}

// bridged opens a root key with the one before it; nil when there is no bridge.
func (k *Keyring) bridged(r fsm.Reader, row RootAdded, before *key) (*key, error) {
	s, found, err := bridges.Get(r, fsm.K(uint64(row.Version)))
	if err != nil || !found || before == nil {
		return nil, err
	}
	full, found, err := fsm.Load(r, s)
	if err != nil || !found {
		return nil, err
	}
	b, err := open(k.cluster, before, bridgeBinding(row.Version), full)
	if err != nil || len(b) != keySize {
		return nil, fault.New(fault.Corrupt, "the bridge to root key %d cannot be opened", row.Version).Because(err)
	}
	defer clear(b)
	return (*key)(append([]byte(nil), b...)), nil
}

func bridgeBinding(version uint32) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "keyring", Field: "bridge", Version: uint64(version)}
}

// unwrap passes over wraps that were destroyed: those of a seal that was removed.
func (k *Keyring) unwrap(ctx context.Context, r fsm.Reader, row RootAdded, beside []seal.Seal) (*key, error) {
	var misfits, silent []error
	for _, s := range append(append([]seal.Seal(nil), beside...), k.seals...) {
		wrapped, found, err := wrapOf(r, row, s.Name())
		if err != nil {
			return nil, err
		}
		if !found {
			silent = append(silent, fmt.Errorf("seal %s: the cluster has nothing of it", s.Name()))
			continue
		}
		root, err := k.unwrapWith(ctx, s, row.Version, wrapped)
		switch {
		case err == nil:
			return root, nil
		case errors.Is(err, seal.ErrWrongKey):
			misfits = append(misfits, named(s, err))
		default:
			silent = append(silent, named(s, err))
		}
	}
	return nil, unopened(r, row, misfits, silent)
}

// named says which seal an error is of, unless it does so itself.
func named(s seal.Seal, err error) error {
	if strings.Contains(err.Error(), s.Name()) {
		return err
	}
	return fmt.Errorf("seal %s: %w", s.Name(), err)
}

// unopened says why no seal opens a root key. A key that does not fit is final only where nothing else can ever open it.
func unopened(r fsm.Reader, row RootAdded, misfits, silent []error) error {
	people, err := heldByPeople(r)
	if err != nil {
		return err
	}
	cause := errors.Join(append(misfits, silent...)...)
	switch {
	case len(misfits) > 0 && len(silent) == 0 && !people:
		return fault.New(fault.Corrupt, "the seal's key is not the one that this cluster was sealed with: give the node the right key file").Because(cause)
	case people:
		return fault.New(fault.Sealed, "no seal of this node opens root key %d: give shares with `trstctl operator unseal`, or bring the seal back", row.Version).Because(cause)
	}
	return fault.New(fault.Sealed, "no seal of this node opens root key %d", row.Version).Because(cause)
}

func heldByPeople(r fsm.Reader) (yes bool, err error) {
	err = seals.Scan(r, fsm.Span{}, func(_ fsm.Key, s SealRecorded) (bool, error) {
		yes = len(s.Public) > 0
		return !yes, nil
	})
	return yes, err
}

// wrapOf returns what a seal made of a root key, without the byte of its form.
func wrapOf(r fsm.Reader, row RootAdded, name string) (wrapped []byte, found bool, err error) {
	for _, w := range row.Wraps {
		if w.Seal != name {
			continue
		}
		kept, found, err := fsm.Load(r, w.Key)
		switch {
		case err != nil:
			return nil, false, err
		case !found: // destroyed
			continue
		case !kept.IsWrap():
			return nil, false, fault.New(fault.Corrupt, "what seal %s wrapped for root key %d is something else", name, row.Version)
		}
		return kept.Bytes()[1:], true, nil
	}
	return nil, false, nil
}

// unwrapWith checks, behind the key, whose it is: two clusters that share a seal cannot swap what it wrapped.
func (k *Keyring) unwrapWith(ctx context.Context, s seal.Seal, version uint32, wrapped []byte) (*key, error) {
	b, err := s.Unwrap(ctx, wrapped, k.wrapContext(s.Name(), version))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	owner := k.owner(s.Name(), version)
	if len(b) != keySize+sha256.Size || !hmac.Equal(b[keySize:], owner[:]) {
		return nil, fmt.Errorf("what seal %s wrapped belongs to another cluster: %w", s.Name(), seal.ErrWrongKey)
	}
	return (*key)(append([]byte(nil), b[:keySize]...)), nil
}

func (k *Keyring) wrapContext(name string, version uint32) []byte {
	o := k.owner(name, version)
	return append([]byte("trstctl root kek v1"), o[:]...)
}

// owner is SHA-256(cluster, seal, version), each behind its length.
func (k *Keyring) owner(name string, version uint32) [32]byte {
	var b []byte
	for _, p := range [][]byte{k.cluster[:], []byte(name), binary.BigEndian.AppendUint32(nil, version)} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return sha256.Sum256(b)
}

const canaryText = "trstctl canary"

func canaryBinding(version uint32) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "keyring", Field: "canary", Version: uint64(version)}
}

// vouched checks the canary, and the MAC of the version before. The oldest version that is left has nobody who could vouch for it: it is
// the first, or the one after a version that was retired.
func (k *Keyring) vouched(r fsm.Reader, row RootAdded, root, before *key, oldest bool) error {
	full, found, err := fsm.Load(r, row.Canary)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.Corrupt, "root key %d has no canary", row.Version)
	}
	text, err := open(k.cluster, root, canaryBinding(row.Version), full)
	if err != nil || string(text) != canaryText {
		return fault.New(fault.Corrupt, "root key %d does not open its canary", row.Version).Because(err)
	}
	if row.Version == 1 {
		return nil
	}
	if oldest {
		_, found, err := retired.Get(r, fsm.K(uint64(row.Version-1)))
		if err == nil && !found {
			err = fault.New(fault.Corrupt, "root key %d is there without the key before it", row.Version)
		}
		return err
	}
	if want := voucher(before, root, row); before == nil || !hmac.Equal(want[:], row.MAC) {
		return fault.New(fault.Corrupt, "root key %d was added by no one who had the key before it", row.Version)
	}
	return nil
}

// voucher is the MAC of a version under the one before: over its number, its canary, and the key itself. The canary alone would
// not do, since its digest leaves the wrap out: its DEK can be wrapped under any key.
func voucher(before, root *key, row RootAdded) [32]byte {
	if before == nil {
		return [32]byte{}
	}
	digest, err := fsm.Encode(row.Canary)
	if err != nil { // a digest is always encoded
		return [32]byte{}
	}
	return mac(before[:], []byte("trstctl root kek voucher v1"), binary.BigEndian.AppendUint32(nil, row.Version), digest, commitment(root))
}

// commitment stands for one root key and tells nothing of it.
func commitment(root *key) []byte {
	h := hmac.New(sha256.New, root[:])
	h.Write([]byte("trstctl root kek commitment v1"))
	return h.Sum(nil)
}

// vouchedSeals checks that every seal with a public key was recorded by someone who had a root key.
func vouchedSeals(r fsm.Reader, opened map[uint32]*key) error {
	return seals.Scan(r, fsm.Span{}, func(_ fsm.Key, s SealRecorded) (bool, error) {
		root := opened[s.Root]
		if len(s.Public) == 0 {
			return true, nil
		}
		if root == nil || !hmac.Equal(sealMAC(root, s), s.MAC[:]) {
			return false, fault.New(fault.Corrupt, "the public key of seal %q was recorded by no one who had the root key", s.Name)
		}
		return true, nil
	})
}

func sealMAC(root *key, s SealRecorded) []byte {
	m := mac(root[:], []byte("trstctl seal recorded v1"), []byte(s.Name), []byte(s.Kind), s.Public,
		binary.BigEndian.AppendUint32(nil, s.Shares), binary.BigEndian.AppendUint32(nil, s.Threshold), binary.BigEndian.AppendUint32(nil, s.Root))
	return m[:]
}
