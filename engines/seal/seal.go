// Package seal wraps root keys with what an operator controls: a key file here, an HSM or shares later, each a Seal.
//
// A seal sees only the root KEK, at init, at rotation and at the start of a node. Nothing is ever created silently: a missing
// key is a refusal that says how to make one.
package seal

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Seal wraps and unwraps small secrets. The associated data is authenticated and must be the same on both sides. Unwrap fails with
// ErrWrongKey when the wrapped bytes were not made by this seal's key, with any other error when the seal cannot answer now.
type Seal interface {
	Name() string // as stored beside what it wrapped; never changed
	Wrap(ctx context.Context, plaintext, aad []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error)
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
