package sdk

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATokenIsNoAccessor(t *testing.T) {
	c, err := New(Options{Addresses: []string{"https://127.0.0.1:1"}})
	require.NoError(t, err)
	_, lookup := c.LookupToken(t.Context(), "trs.planted")
	_, renew := c.RenewToken(t.Context(), "trs.planted", 0)
	for _, err := range []error{lookup, renew, c.RevokeToken(t.Context(), "trs.planted")} {
		require.True(t, Is(err, Invalid), "%v", err)
		require.NotContains(t, err.Error(), "planted")
	}
}
