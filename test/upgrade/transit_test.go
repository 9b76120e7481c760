package upgrade

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

// keys makes transit keys: one with three versions, of which the first is trimmed, and one that was deleted, with its backup.
func (made *contents) keys(t *testing.T, client *sdk.Client) {
	ctx, yes, second := t.Context(), true, uint64(2)
	made.Transit = map[string]string{}
	_, err := client.CreateTransitKey(ctx, "orders", sdk.TransitSpec{})
	require.NoError(t, err)
	for _, plaintext := range []string{"of version two", "of version three"} {
		_, err := client.RotateTransitKey(ctx, "orders")
		require.NoError(t, err)
		made.Transit[encrypt(t, client, "orders", plaintext)] = plaintext
	}
	_, err = client.ConfigureTransitKey(ctx, "orders", sdk.TransitChange{MinDecrypt: &second})
	require.NoError(t, err)
	_, err = client.TrimTransitKey(ctx, "orders", second)
	require.NoError(t, err)
	_, err = client.WrappingKey(ctx)
	require.NoError(t, err)
	_, err = client.CreateTransitKey(ctx, "lost", sdk.TransitSpec{Algorithm: "xchacha20-poly1305", TransitSettings: sdk.TransitSettings{Deletable: &yes}})
	require.NoError(t, err)
	made.Lost = encrypt(t, client, "lost", "found again")
	made.Backup, err = client.BackupTransitKey(ctx, "lost")
	require.NoError(t, err)
	_, err = client.DeleteTransitKey(ctx, "lost")
	require.NoError(t, err)
}

func encrypt(t *testing.T, client *sdk.Client, key, plaintext string) string {
	out, err := client.Encrypt(t.Context(), key, sdk.EncryptItem{Plaintext: []byte(plaintext)})
	require.NoError(t, err)
	return out.Ciphertext
}

// keysIn requires that all opens that did; the deleted key comes back once.
func (want contents) keysIn(t *testing.T, client *sdk.Client) {
	if want.Cluster < 3 {
		return
	}
	ctx := t.Context()
	for ciphertext, plaintext := range want.Transit {
		got, err := client.Decrypt(ctx, "orders", sdk.DecryptItem{Ciphertext: ciphertext})
		require.NoError(t, err)
		require.Equal(t, plaintext, string(got.Plaintext))
	}
	k, err := client.TransitKey(ctx, "orders")
	require.NoError(t, err)
	require.EqualValues(t, 3, k.Latest)
	if _, err := client.RestoreTransitKey(ctx, "lost", want.Backup); err != nil {
		require.True(t, sdk.Is(err, sdk.Conflict), "%v", err)
	}
	got, err := client.Decrypt(ctx, "lost", sdk.DecryptItem{Ciphertext: want.Lost})
	require.NoError(t, err)
	require.Equal(t, "found again", string(got.Plaintext))
}
