package sdk

import "context"

// EncryptItem is a message to be encrypted.
type EncryptItem struct {
	Plaintext []byte `json:"plaintext"` // the caller's to clear; of an RSA key no more than fits: modulus - 2*hash - 2 bytes
	Bound
	Version uint64 `json:"key_version,omitempty"` // of the key; 0: the latest
	Hash    string `json:"hash,omitempty"`        // of OAEP, RSA keys only: sha2-256 ("" is that), sha2-384, sha2-512 or sha1
}

func (i EncryptItem) sent() EncryptItem { i.Plaintext = given(i.Plaintext); return i }

// Encrypted is a ciphertext and the version of the key that made it.
type Encrypted struct {
	Ciphertext string     `json:"ciphertext,omitempty"` // trv:<version>:<base64>
	Version    uint64     `json:"key_version,omitempty"`
	Err        *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// Encrypt encrypts under a key of the kinds aes256-gcm, aes128-gcm, chacha20-poly1305, xchacha20-poly1305 and rsa. As all uses of keys it is repeated freely,
// and rests on the present state whatever Reading says. NotFound if there is no such key, Limit if a version has encrypted as much as it may.
func (c *Client) Encrypt(ctx context.Context, key string, item EncryptItem) (Encrypted, error) {
	return one[Encrypted](ctx, c, "encrypt", key, item)
}

// EncryptBatch encrypts 1 to MaxBatch messages, and answers each in its place.
func (c *Client) EncryptBatch(ctx context.Context, key string, items []EncryptItem) ([]Encrypted, error) {
	return many[Encrypted](ctx, c, "encrypt", key, items)
}

// DecryptItem is a ciphertext to be opened, with what it was bound to.
type DecryptItem struct {
	Ciphertext string `json:"ciphertext"`
	Bound
	Hash string `json:"hash,omitempty"` // as it was when it was encrypted
	Bits uint64 `json:"bits,omitempty"` // of a data key of an ml-kem key, as it was asked for; 0: 256. Other keys take none
}

func (i DecryptItem) sent() DecryptItem { return i }

// Decrypted is a plaintext, which the caller clears.
type Decrypted struct {
	Plaintext []byte     `json:"plaintext"`
	Err       *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// Decrypt opens what the key has encrypted, or a data key that it has encapsulated. Why something does not open is never said: it is Invalid.
func (c *Client) Decrypt(ctx context.Context, key string, item DecryptItem) (Decrypted, error) {
	return one[Decrypted](ctx, c, "decrypt", key, item)
}

// DecryptBatch opens 1 to MaxBatch ciphertexts, and answers each in its place.
func (c *Client) DecryptBatch(ctx context.Context, key string, items []DecryptItem) ([]Decrypted, error) {
	return many[Decrypted](ctx, c, "decrypt", key, items)
}

// RewrapItem is a ciphertext to be encrypted anew, with what it was and will be bound to.
type RewrapItem struct {
	Ciphertext string `json:"ciphertext"`
	Bound
	Version uint64 `json:"key_version,omitempty"` // of the new one; 0: the latest
	Hash    string `json:"hash,omitempty"`
}

func (i RewrapItem) sent() RewrapItem { return i }

// Rewrap encrypts anew under the latest version of the key. The plaintext stays on the node.
func (c *Client) Rewrap(ctx context.Context, key string, item RewrapItem) (Encrypted, error) {
	return one[Encrypted](ctx, c, "rewrap", key, item)
}

// RewrapBatch encrypts 1 to MaxBatch ciphertexts anew, and answers each in its place.
func (c *Client) RewrapBatch(ctx context.Context, key string, items []RewrapItem) ([]Encrypted, error) {
	return many[Encrypted](ctx, c, "rewrap", key, items)
}

// DataKeyItem asks for a key for the caller's own use.
type DataKeyItem struct {
	Bits uint64 `json:"bits,omitempty"` // 128 to 512, a multiple of 8; 0: 256
	Bound
	Version uint64 `json:"key_version,omitempty"` // 0: the latest
}

func (i DataKeyItem) sent() DataKeyItem { return i }

// DataKey is a key for the caller's own use, and the ciphertext that Decrypt makes it of again.
type DataKey struct {
	Plaintext  []byte     `json:"plaintext,omitempty"` // the caller's to clear; nothing unless it was asked for
	Ciphertext string     `json:"ciphertext,omitempty"`
	Version    uint64     `json:"key_version,omitempty"`
	Err        *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// DataKey makes a data key under a key that encrypts or encapsulates (ml-kem-768). show says whether it is also wanted in clear, which is another
// right: to datakey-plaintext.
func (c *Client) DataKey(ctx context.Context, key string, item DataKeyItem, show bool) (DataKey, error) {
	return one[DataKey](ctx, c, dataKeyOp(show), key, item)
}

// DataKeyBatch makes 1 to MaxBatch data keys, and answers each in its place.
func (c *Client) DataKeyBatch(ctx context.Context, key string, items []DataKeyItem, show bool) ([]DataKey, error) {
	return many[DataKey](ctx, c, dataKeyOp(show), key, items)
}

func dataKeyOp(show bool) string {
	if show {
		return "datakey-plaintext"
	}
	return "datakey"
}
