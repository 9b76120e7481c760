// Package seal wraps root keys with what an operator controls: a key file, a hardware security module, shares that people hold. Each is
// a Seal, and a cluster may have several at once.
//
// A seal sees only the root KEK, at init, at rotation and at the start of a node. Nothing is ever created silently: a missing
// key is a refusal that says how to make one.
package seal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The kinds of seals.
const (
	KindFile   = "file"
	KindShamir = "shamir"
	KindPKCS11 = "pkcs11"
)

// ErrWrongKey says that the seal's key is not the one that made the wrapped bytes, or that these were changed.
var ErrWrongKey = errors.New("the key does not fit")

// Seal wraps and unwraps small secrets. The associated data is authenticated and must be the same on both sides. Unwrap fails with
// ErrWrongKey when the wrapped bytes were not made by this seal's key, with any other error when the seal cannot answer now.
type Seal interface {
	Name() string // the seal's id, as stored beside what it wrapped; never changed
	Kind() string
	Wrap(ctx context.Context, plaintext, aad []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error)
	Close() // zeroes its keys, ends its processes
}

// ValidID refuses what cannot name a seal: 1 to 32 of a-z, 0-9 and '-', not beginning with '-'.
func ValidID(id string) error {
	ok := len(id) > 0 && len(id) <= 32 && id[0] != '-'
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%q is no name of a seal: 1 to 32 of a-z, 0-9 and '-', not beginning with '-'", id)
	}
	return nil
}

// NoCoreDumps keeps the process's memory out of core files and from other processes of its user.
func NoCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limit core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process undumpable: %w", err)
	}
	return nil
}
