//go:build !race

package primitive

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllocations is not for the race detector, which allocates by itself.
func TestAllocations(t *testing.T) {
	k, w, plaintext := someKey(t, AES256GCM), terms(), make([]byte, 1024)
	buffer := make([]byte, 0, 8192)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { k.Encrypt(nil, w, plaintext) }), 1.0)
	require.Zero(t, testing.AllocsPerRun(100, func() { k.Encrypt(buffer, w, plaintext) }))
	payload := encrypt(t, k, w, plaintext).Payload
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { k.Decrypt(nil, w, payload) }), 1.0)
	require.Zero(t, testing.AllocsPerRun(100, func() { k.Decrypt(buffer, w, payload) }))
	mac := someKey(t, HMACSHA256)
	require.Zero(t, testing.AllocsPerRun(100, func() { mac.MAC(buffer, 0, plaintext) }))
}
