package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// TransitKey describes a key; nothing in it is secret.
type TransitKey struct {
	Name        string    `json:"name"`
	UID         string    `json:"uid"` // by which its ciphertexts know it; no other key ever has it
	Algorithm   string    `json:"algorithm"`
	Operations  []string  `json:"operations"` // what it can do, as policies call it
	Derived     bool      `json:"derived"`    // each use takes a context
	Convergent  bool      `json:"convergent_encryption"`
	Imported    bool      `json:"imported"`
	Exportable  bool      `json:"exportable"`
	Deletable   bool      `json:"deletion_allowed"`
	Rotatable   bool      `json:"rotation_allowed"`             // it gets versions that are made by the node
	RotateEvery string    `json:"auto_rotate_period,omitempty"` // such as 720h0m0s; "": never
	MinDecrypt  uint64    `json:"min_decryption_version"`       // versions below it decrypt and verify nothing
	MinEncrypt  uint64    `json:"min_encryption_version"`       // versions below it encrypt and sign nothing; 0: the latest does
	Oldest      uint64    `json:"min_available_version"`        // versions below it were trimmed
	Latest      uint64    `json:"latest_version"`
	PublicKey   string    `json:"public_key,omitempty"` // of the latest version: SubjectPublicKeyInfo in PEM; lists have none
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
	RotatedAt   time.Time `json:"rotated_at,omitzero"`
	RestoredAt  time.Time `json:"restored_at,omitzero"`
}

// TransitVersion names a version of a key: the one that a mutation made, or the latest.
type TransitVersion struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
}

// TransitSettings are what a key has from the beginning, or gets later. What is nil stays as it is; of a new key it is false, or never.
type TransitSettings struct {
	Exportable  *bool          // its material may leave; to allow that later needs sudo
	Deletable   *bool          // it may be deleted
	Rotatable   *bool          // of an imported key: it may get versions that the node makes
	RotateEvery *time.Duration // an hour to ten years, in whole seconds; 0: never
}

type settingsWire struct {
	Exportable  *bool   `json:"exportable,omitempty"`
	Deletable   *bool   `json:"deletion_allowed,omitempty"`
	Rotatable   *bool   `json:"rotation_allowed,omitempty"`
	RotateEvery *string `json:"auto_rotate_period,omitempty"`
}

func (s TransitSettings) wire() settingsWire {
	out := settingsWire{Exportable: s.Exportable, Deletable: s.Deletable, Rotatable: s.Rotatable}
	if s.RotateEvery != nil {
		text := s.RotateEvery.String()
		out.RotateEvery = &text
	}
	return out
}

// TransitSpec is a key to be made.
type TransitSpec struct {
	Algorithm  string // aes256-gcm ("" is that), aes128-gcm, chacha20-poly1305, xchacha20-poly1305, ed25519, ecdsa-p256, rsa-3072, hmac-sha256, ml-kem-768, …
	Derived    bool   // each use takes a context, and works with a key of its own for it
	Convergent bool   // the same plaintext under the same context gives the same ciphertext; only with Derived
	TransitSettings
}

type specWire struct {
	Algorithm  string `json:"algorithm,omitempty"`
	Derived    bool   `json:"derived,omitempty"`
	Convergent bool   `json:"convergent_encryption,omitempty"`
	settingsWire
}

func (s TransitSpec) wire() specWire {
	return specWire{s.Algorithm, s.Derived, s.Convergent, s.TransitSettings.wire()}
}

// CreateTransitKey makes a key. Its name has 1 to 128 letters, digits, dots, dashes and underscores; Conflict if there is one.
func (c *Client) CreateTransitKey(ctx context.Context, name string, s TransitSpec) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodPost, name, "", s.wire())
}

// RotateTransitKey gives a key its next version, under which all that is new is encrypted. What is old opens still.
func (c *Client) RotateTransitKey(ctx context.Context, name string) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodPost, name, "/rotate", struct{}{})
}

// TransitChange is what is to become of a key. What is nil stays as it is.
type TransitChange struct {
	MinDecrypt *uint64 // versions below it decrypt and verify nothing
	MinEncrypt *uint64 // versions below it encrypt and sign nothing; 0: the latest does
	TransitSettings
}

// ConfigureTransitKey changes settings of a key.
func (c *Client) ConfigureTransitKey(ctx context.Context, name string, t TransitChange) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodPost, name, "/configure", struct {
		MinDecrypt *uint64 `json:"min_decryption_version,omitempty"`
		MinEncrypt *uint64 `json:"min_encryption_version,omitempty"`
		settingsWire
	}{t.MinDecrypt, t.MinEncrypt, t.wire()})
}

// TrimTransitKey destroys the versions below one, for ever. MinDecrypt, and MinEncrypt if it is set, must have reached that before.
func (c *Client) TrimTransitKey(ctx context.Context, name string, below uint64) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodPost, name, "/trim", map[string]uint64{"min_available_version": below})
}

// DeleteTransitKey destroys a key, whose settings must allow it, with all its versions: what it has encrypted is lost, unless there is a backup.
func (c *Client) DeleteTransitKey(ctx context.Context, name string) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodDelete, name, "", nil)
}

// onKey runs a mutation of the key with this name.
func (c *Client) onKey(ctx context.Context, method, name, verb string, body any) (v TransitVersion, err error) {
	target, err := joinName(api+"/transit/keys", "name", name)
	if err != nil {
		return v, err
	}
	err = c.do(ctx, request{method: method, path: target + verb, body: body, kind: mutates}, &v)
	return v, err
}

// TransitKeys lists the tenant's keys that the token may see, without their public keys.
func (c *Client) TransitKeys(ctx context.Context, s Slice) (p Page[TransitKey], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/transit/keys", query: url.Values(s.params())}, &p)
	return p, err
}

// TransitKey describes a key, with its latest public key.
func (c *Client) TransitKey(ctx context.Context, name string) (k TransitKey, err error) {
	target, err := joinName(api+"/transit/keys", "name", name)
	if err != nil {
		return k, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target}, &k)
	return k, err
}

// TransitKeyVersion is a line of a key's history.
type TransitKeyVersion struct {
	Version   uint64    `json:"version"`
	PublicKey string    `json:"public_key,omitempty"`        // SubjectPublicKeyInfo in PEM
	Messages  uint64    `json:"messages_reserved,omitempty"` // that nodes may have encrypted under it, where their number is bounded: a block is 2^20
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// TransitHistory is a page of a key's versions, newest first.
type TransitHistory struct {
	Name string `json:"name"`
	Page[TransitKeyVersion]
}

// TransitKeyVersions returns the versions of a key that were not trimmed.
func (c *Client) TransitKeyVersions(ctx context.Context, name string, s Slice) (h TransitHistory, err error) {
	target, err := joinName(api+"/transit/keys", "name", name)
	if err != nil {
		return h, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target + "/versions", query: url.Values(s.params())}, &h)
	return h, err
}
