package fsm

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAWrapHasNoPlaceAmongTheKEKs: a KEK version may be destroyed when its index is empty, and no KEK of ours opens a wrap.
func TestAWrapHasNoPlaceAmongTheKEKs(t *testing.T) {
	s, err := Open(t.TempDir(), NewRegistry(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	tx := newTx(s.db)
	t.Cleanup(func() { require.NoError(t, tx.b.Close()) })
	indexed := func() (n int) {
		require.NoError(t, scan(tx, []byte{spaceKEKs}, []byte{spaceKEKs + 1}, false, func(_, _ []byte) (bool, error) { n++; return true, nil }))
		return n
	}
	wrap, err := NewSealed(append([]byte{WrapFormat}, bytes.Repeat([]byte{5}, 100)...))
	require.NoError(t, err)
	value, err := NewSealed(append([]byte{SealedFormat}, bytes.Repeat([]byte{5}, SealedMin)...))
	require.NoError(t, err)
	require.NoError(t, tx.putPayload(wrap))
	require.Zero(t, indexed())
	require.NoError(t, tx.putPayload(value))
	require.Equal(t, 1, indexed())
	require.NoError(t, tx.Destroy(wrap))
	require.Equal(t, 1, indexed())
	require.NoError(t, tx.Destroy(value))
	require.Zero(t, indexed())
}
