package keyring

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	backupInfo       = "trstctl backup key v1"
	backupStreamInfo = "trstctl backup stream v1"
	backupHeaderInfo = "trstctl backup header v1"
)

// backupTables are what a seal alone needs to get the root keys: wraps, the bridges between versions, which versions are gone and vouch for the
// next one no more, and what stands of seals that people hold.
var backupTables = []func(fsm.Reader, *fsm.Excerpt) error{roots.Copy, bridges.Copy, retired.Copy, seals.Copy}

// BackupKeys is what a backup says of its key: it opens with any seal that the cluster had when it was taken, and with nothing else. Whoever
// has such a seal needs no other file.
type BackupKeys struct {
	Root    uint32      `cbor:"1,keyasint"` // version of the root KEK that wraps the backup's own key
	Salt    []byte      `cbor:"2,keyasint"` // 32 bytes: that root KEK is never used directly
	Wrapped []byte      `cbor:"3,keyasint"` // AES-256-GCM under a key derived for this salt, which is used once, so the nonce is zero
	State   fsm.Excerpt `cbor:"4,keyasint"` // the root keys as the state had them, wrapped by every seal
}

// BackupKey is the key of one backup.
type BackupKey struct{ key *key }

// String, GoString, Format, LogValue and MarshalJSON show nothing.
func (*BackupKey) String() string               { return "[redacted]" }
func (*BackupKey) GoString() string             { return "[redacted]" }
func (*BackupKey) Format(f fmt.State, _ rune)   { io.WriteString(f, "[redacted]") }
func (*BackupKey) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (*BackupKey) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Close zeroes the key.
func (b *BackupKey) Close() { clear(b.key[:]) }

// Stream is the cipher of the backup's content. Its user never gives it the same nonce twice.
func (b *BackupKey) Stream() (cipher.AEAD, error) {
	k, err := derive(b.key[:], nil, backupStreamInfo)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return gcm(k)
}

// MAC authenticates the backup's header.
func (b *BackupKey) MAC(header []byte) ([32]byte, error) {
	k, err := derive(b.key[:], nil, backupHeaderInfo)
	if err != nil {
		return [32]byte{}, err
	}
	defer clear(k)
	return mac(k, header), nil
}

// SealBackup makes the key of a new backup of r and what its header says of it. The caller closes the key.
func (k *Keyring) SealBackup(r fsm.Reader) (BackupKeys, *BackupKey, error) {
	out := BackupKeys{Salt: make([]byte, saltSize)}
	for _, copyTable := range backupTables {
		if err := copyTable(r, &out.State); err != nil {
			return out, nil, err
		}
	}
	rand.Read(out.Salt)
	newest, err := newestRoot(r) // of those that the backup holds: this node may have got a newer one since, or not yet
	if err != nil {
		return out, nil, err
	}
	out.Root = newest.Version
	root, err := k.root(r, out.Root)
	if err != nil {
		return out, nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if err := k.holds(fsm.KEKID{Version: out.Root}, root); err != nil {
		return out, nil, err
	}
	aead, err := backupWrapper(root, k.cluster, out)
	if err != nil {
		return out, nil, err
	}
	made := newKey()
	out.Wrapped = aead.Seal(nil, make([]byte, 12), made[:], nil)
	return out, &BackupKey{made}, nil
}

func backupWrapper(root *key, cluster fsm.UID, b BackupKeys) (cipher.AEAD, error) {
	info := append([]byte(backupInfo), cluster[:]...)
	k, err := derive(root[:], b.Salt, string(binary.BigEndian.AppendUint32(info, b.Root)))
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return gcm(k)
}

// OpenBackup gets the key of a backup with the root keys of an unsealed node.
func (k *Keyring) OpenBackup(b BackupKeys) (*BackupKey, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	root := k.roots[b.Root]
	switch {
	case len(k.roots) == 0:
		return nil, errSealed()
	case root == nil:
		return nil, fault.New(fault.Denied, "this node does not have root key %d, which the backup's key is wrapped with", b.Root)
	case len(b.Salt) != saltSize || len(b.Wrapped) != keySize+16:
		return nil, fault.New(fault.Corrupt, "the backup's own key has another form than it should")
	}
	aead, err := backupWrapper(root, k.cluster, b)
	if err != nil {
		return nil, err
	}
	opened, err := aead.Open(nil, make([]byte, 12), b.Wrapped, nil)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the backup's own key does not open: the header was changed")
	}
	defer clear(opened)
	return &BackupKey{(*key)(append([]byte(nil), opened...))}, nil
}

// OpenBackup gets the key of a backup with seals alone. fault.Denied names the seals that it can be opened with.
func OpenBackup(ctx context.Context, cluster fsm.UID, b BackupKeys, seals ...seal.Seal) (_ *BackupKey, err error) {
	part, err := b.State.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	k := New(cluster, seals...)
	defer k.Close()
	if err := k.Unseal(ctx, part); err != nil {
		return nil, b.misfit(err)
	}
	return k.OpenBackup(b)
}

func (b BackupKeys) misfit(err error) error {
	names, e := b.Seals()
	if e != nil {
		return errors.Join(err, e)
	}
	return fault.New(fault.Denied, "the configured seals do not open this backup; it opens with any of: %s, as they were when it was taken", strings.Join(names, ", ")).Because(err)
}

// Held returns the seal that people hold, as it was when the backup was taken, without its private half. fault.NotFound: there was none.
func (b BackupKeys) Held() (_ *seal.Shamir, err error) {
	part, err := b.State.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	return HeldSeal(part)
}

// Seals names the seals that the backup can be opened with.
func (b BackupKeys) Seals() (names []string, err error) {
	part, err := b.State.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	err = roots.Scan(part, fsm.Span{}, func(_ fsm.Key, row RootAdded) (bool, error) {
		for _, w := range row.Wraps {
			_, found, err := fsm.Load(part, w.Key)
			if err != nil {
				return false, err
			}
			if found && !slices.Contains(names, w.Seal) {
				names = append(names, w.Seal)
			}
		}
		return true, nil
	})
	return names, err
}
