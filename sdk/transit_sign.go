package sdk

import (
	"context"
	"net/http"
)

// Signing says how something is signed; it is verified in the same way. Its zero value is what goes with the key.
type Signing struct {
	Hash      string `json:"hash,omitempty"`      // sha2-256, sha2-384 or sha2-512
	Prehashed bool   `json:"prehashed,omitempty"` // the input is the digest; with an ed25519 key of SHA-512, for Ed25519ph
	Encoding  string `json:"encoding,omitempty"`  // of an ECDSA signature: asn1 ("" is that) or jws (r and s in full width)
	Scheme    string `json:"scheme,omitempty"`    // of an RSA key: pss ("" is that) or pkcs1v15
	Salt      string `json:"salt,omitempty"`      // of pss: hash ("" is that) or auto
}

// SignItem is what is to be signed.
type SignItem struct {
	Input   []byte `json:"input"`
	Version uint64 `json:"key_version,omitempty"` // 0: the latest
	Signing
}

func (i SignItem) sent() SignItem { i.Input = given(i.Input); return i }

// Signed is a signature and the version of the key that made it.
type Signed struct {
	Signature string     `json:"signature,omitempty"` // trv:<version>:<base64>
	Version   uint64     `json:"key_version,omitempty"`
	Err       *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// Sign signs with a key of the kinds ed25519, ecdsa and rsa.
func (c *Client) Sign(ctx context.Context, key string, item SignItem) (Signed, error) {
	return one[Signed](ctx, c, "sign", key, item)
}

// SignBatch signs 1 to MaxBatch inputs, and answers each in its place.
func (c *Client) SignBatch(ctx context.Context, key string, items []SignItem) ([]Signed, error) {
	return many[Signed](ctx, c, "sign", key, items)
}

// VerifyItem has a signature or an HMAC, as it was given, and says how it was made.
type VerifyItem struct {
	Input     []byte `json:"input"`
	Signature string `json:"signature,omitempty"`
	HMAC      string `json:"hmac,omitempty"` // instead of a signature; goes with Hash alone
	Signing
}

func (i VerifyItem) sent() VerifyItem { i.Input = given(i.Input); return i }

// Verified is the answer to one VerifyItem.
type Verified struct {
	Valid bool       `json:"valid"`
	Err   *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// Verify reports whether a signature or HMAC is the key's, of this input. One by a version that may not be used any more is not; what has not the
// form of one is Invalid.
func (c *Client) Verify(ctx context.Context, key string, item VerifyItem) (valid bool, err error) {
	out, err := one[Verified](ctx, c, "verify", key, item)
	return out.Valid, err
}

// VerifyBatch verifies 1 to MaxBatch signatures and HMACs, and answers each in its place.
func (c *Client) VerifyBatch(ctx context.Context, key string, items []VerifyItem) ([]Verified, error) {
	return many[Verified](ctx, c, "verify", key, items)
}

// HMACItem is what is to be authenticated.
type HMACItem struct {
	Input   []byte `json:"input"`
	Version uint64 `json:"key_version,omitempty"` // 0: the latest
	Hash    string `json:"hash,omitempty"`        // sha2-256, sha2-384 or sha2-512; an hmac key has its own
}

func (i HMACItem) sent() HMACItem { i.Input = given(i.Input); return i }

// HMAC is an HMAC and the version of the key that made it.
type HMAC struct {
	HMAC    string     `json:"hmac,omitempty"` // trv:<version>:<base64>
	Version uint64     `json:"key_version,omitempty"`
	Err     *ItemError `json:"error,omitempty"` // of an item of a batch, instead of the rest
}

// HMAC makes an HMAC; every key can.
func (c *Client) HMAC(ctx context.Context, key string, item HMACItem) (HMAC, error) {
	return one[HMAC](ctx, c, "hmac", key, item)
}

// HMACBatch makes 1 to MaxBatch HMACs, and answers each in its place.
func (c *Client) HMACBatch(ctx context.Context, key string, items []HMACItem) ([]HMAC, error) {
	return many[HMAC](ctx, c, "hmac", key, items)
}

// Hash returns the digest of input: hash is sha2-224 to sha2-512 or sha3-224 to sha3-512, "" sha2-256.
func (c *Client) Hash(ctx context.Context, input []byte, hash string) (sum []byte, err error) {
	body := struct {
		Input []byte `json:"input"`
		Hash  string `json:"hash,omitempty"`
	}{given(input), hash}
	var out struct {
		Sum []byte `json:"sum"`
	}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/transit/hash", body: body, kind: ofNow}, &out)
	return out.Sum, err
}

// Random returns n random bytes, 1 to 131,072, of the node's operating system. They are the caller's to clear.
func (c *Client) Random(ctx context.Context, n int) (random []byte, err error) {
	if n < 1 {
		return nil, invalid("bytes", "are 1 to 131072")
	}
	var out struct {
		Random []byte `json:"random"`
	}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/transit/random", body: map[string]int{"bytes": n}, kind: ofNow}, &out)
	return out.Random, err
}
