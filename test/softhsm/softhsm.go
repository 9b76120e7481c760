// Package softhsm gives tests a token of their own.
package softhsm

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/test/parts"
)

// Module is where Debian's softhsm2 puts the library.
const Module = "/usr/lib/softhsm/libsofthsm2.so"

// New makes a token in a directory of the test's, with softhsm2.conf and PIN file beside it. executable is a trstctl. The key is not on it yet.
func New(t testing.TB, executable, label string) seal.SoftHSM {
	t.Helper()
	parts.Need(t, Module, "softhsm2")
	s, err := seal.MakeSoftHSM(t.Context(), executable, t.TempDir(), label)
	require.NoError(t, err)
	return s
}
