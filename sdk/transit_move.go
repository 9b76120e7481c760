package sdk

import (
	"context"
	"net/http"
	"net/url"
)

// WrappingKey is the public half of a tenant's wrapping key, to which others wrap what they import, and other tenants what they export to it.
type WrappingKey struct {
	PublicKey string `json:"public_key"` // RSA, SubjectPublicKeyInfo in PEM
	Version   uint64 `json:"version"`
}

// WrappingKey returns the tenant's wrapping key, which is made if there is none yet.
func (c *Client) WrappingKey(ctx context.Context) (w WrappingKey, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/transit/wrapping-key", body: struct{}{}, kind: mutates}, &w)
	return w, err
}

// RotateWrappingKey makes a new wrapping key. What was wrapped to former ones is taken still. NotFound if there is none yet.
func (c *Client) RotateWrappingKey(ctx context.Context) (w WrappingKey, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/transit/wrapping-key/rotate", body: struct{}{}, kind: mutates}, &w)
	return w, err
}

// TransitImport is a key that was made elsewhere: wrapped, or in clear with sudo.
type TransitImport struct {
	TransitSpec        // without Next; with it the algorithm alone counts
	Wrapped     []byte // as CKM_RSA_AES_KEY_WRAP of PKCS #11 wraps: RSA-OAEP, to the wrapping key, of an AES-256 key, and behind it AES-KWP of the material under that
	Key         []byte // the material, up to 16 KiB: raw bytes of a symmetric key or a seed, PKCS#8, SEC 1 or PKCS#1 in DER or PEM. The caller's to clear
	Hash        string // of OAEP: sha2-256 ("" is that), sha2-384, sha2-512 or sha1
	Next        bool   // the key is there, and was imported: this is its next version
}

// ImportTransitKey makes a key of material from elsewhere, or the next version of one that was imported.
func (c *Client) ImportTransitKey(ctx context.Context, name string, i TransitImport) (TransitVersion, error) {
	return c.onKey(ctx, http.MethodPost, name, "/import", struct {
		specWire
		Wrapped []byte `json:"wrapped_key,omitempty"`
		Key     []byte `json:"key,omitempty"`
		Hash    string `json:"hash,omitempty"`
		Next    bool   `json:"next_version,omitempty"`
	}{i.TransitSpec.wire(), i.Wrapped, i.Key, i.Hash, i.Next})
}

// TransitMaterial is the private material of a version of a key.
type TransitMaterial struct {
	Key     []byte `json:"key"` // in its format; the caller's to clear
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Format  string `json:"format"`
}

// ExportTransitKey shows a version (0: the latest) of a key that is exportable; Conflict if it is not. The format is raw, pkcs8 or pem; "" is raw of
// a symmetric key and pem of another.
func (c *Client) ExportTransitKey(ctx context.Context, name string, version uint64, format string) (m TransitMaterial, err error) {
	target, err := joinName(api+"/transit/export", "name", name)
	if err != nil {
		return m, err
	}
	q := params{}.number("version", version).text("format", format)
	err = c.do(ctx, request{method: http.MethodGet, path: target, query: url.Values(q), kind: ofNow}, &m)
	return m, err
}

// backup is a key as it leaves, encrypted.
type backup struct {
	Backup []byte `json:"backup"`
}

// ExportTransitKeyTo returns an exportable key with all its versions, encrypted to the wrapping key of another tenant or cluster (SubjectPublicKeyInfo in
// PEM). RestoreTransitKey takes it there, and nothing else does.
func (c *Client) ExportTransitKeyTo(ctx context.Context, name, publicKey string) ([]byte, error) {
	var b backup
	err := c.use(ctx, "export", name, map[string]string{"public_key": publicKey}, &b)
	return b.Backup, err
}

// BackupTransitKey returns a key with all its versions, encrypted to the wrapping key of its tenant: RestoreTransitKey takes it there, as long as that tenant
// has the wrapping key. NotFound if there is none; WrappingKey makes it.
func (c *Client) BackupTransitKey(ctx context.Context, name string) ([]byte, error) {
	target, err := joinName(api+"/transit/backup", "name", name)
	if err != nil {
		return nil, err
	}
	var b backup
	err = c.do(ctx, request{method: http.MethodGet, path: target, kind: ofNow}, &b)
	return b.Backup, err
}

// RestoreTransitKey brings a key back from a backup, under its name or another, with all that it has encrypted. Conflict if it is there.
func (c *Client) RestoreTransitKey(ctx context.Context, name string, saved []byte) (v TransitVersion, err error) {
	target, err := joinName(api+"/transit/restore", "name", name)
	if err != nil {
		return v, err
	}
	err = c.do(ctx, request{method: http.MethodPost, path: target, body: backup{given(saved)}, kind: mutates}, &v)
	return v, err
}
