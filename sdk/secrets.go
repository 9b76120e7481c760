package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Written names a version that a mutation made or touched.
type Written struct {
	Path      string    `json:"path"`
	Version   uint64    `json:"version"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Put writes the next version of item.Path.
func (c *Client) Put(ctx context.Context, item Item) (w Written, err error) {
	body := item.wire()
	body.Path = ""
	err = c.onSecret(ctx, http.MethodPut, "store", item.Path, nil, body, &w)
	return w, err
}

// GetOptions select what Get returns.
type GetOptions struct {
	Version uint64 // 0: the latest
	Expand  bool   // replace ${secret:path} by the values referred to
}

// Get returns a version of a secret with its value.
func (c *Client) Get(ctx context.Context, path string, o GetOptions) (v Value, err error) {
	target, err := join(api+"/secrets/store", "path", path)
	if err != nil {
		return v, err
	}
	q := params{}.number("version", o.Version).flag("expand", o.Expand)
	err = c.do(ctx, request{method: http.MethodGet, path: target, query: url.Values(q)}, &v)
	return v, err
}

// Delete hides a secret behind a tombstone; its versions stay and Undelete brings them back.
func (c *Client) Delete(ctx context.Context, path string, cas *uint64) (w Written, err error) {
	err = c.onSecret(ctx, http.MethodDelete, "store", path, params{}.cas(cas), nil, &w)
	return w, err
}

// Undelete takes the tombstone away.
func (c *Client) Undelete(ctx context.Context, path string) (w Written, err error) {
	err = c.onSecret(ctx, http.MethodPost, "undelete", path, nil, struct{}{}, &w)
	return w, err
}

// Rollback makes an old version the newest.
func (c *Client) Rollback(ctx context.Context, path string, version uint64, cas *uint64) (w Written, err error) {
	body := struct {
		Version uint64  `json:"version"`
		CAS     *uint64 `json:"cas,omitempty"`
	}{version, cas}
	err = c.onSecret(ctx, http.MethodPost, "rollback", path, nil, body, &w)
	return w, err
}

// Purge destroys the value of one version for ever.
func (c *Client) Purge(ctx context.Context, path string, version uint64) (w Written, err error) {
	if version == 0 {
		return w, invalid("version", "0 is no version: use PurgeAll to destroy all of them")
	}
	err = c.onSecret(ctx, http.MethodPost, "purge", path, nil, map[string]uint64{"version": version}, &w)
	return w, err
}

// PurgeAll destroys the values of all versions for ever.
func (c *Client) PurgeAll(ctx context.Context, path string) (w Written, err error) {
	err = c.onSecret(ctx, http.MethodPost, "purge", path, nil, map[string]bool{"all": true}, &w)
	return w, err
}

// Import writes up to 1,000 items, all or none.
func (c *Client) Import(ctx context.Context, items []Item) ([]Written, error) {
	var out Page[Written]
	body := struct {
		Secrets []Item `json:"secrets"`
	}{items}
	err := c.do(ctx, request{method: http.MethodPost, path: api + "/secrets/import", body: body, kind: mutates}, &out)
	return out.Items, err
}

type transfer struct {
	Source      string  `json:"source"`
	Destination string  `json:"destination"`
	Version     uint64  `json:"version,omitempty"`
	CAS         *uint64 `json:"cas,omitempty"`
}

// Move writes the latest value of source as the next version of destination and deletes source. The value stays on the server.
// cas is the destination's.
func (c *Client) Move(ctx context.Context, source, destination string, cas *uint64) (w Written, err error) {
	body := transfer{Source: source, Destination: destination, CAS: cas}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/secrets/move", body: body, kind: mutates}, &w)
	return w, err
}

// Copy writes a version of source (0: the latest) as the next version of destination. The value stays on the server. cas is the
// destination's.
func (c *Client) Copy(ctx context.Context, source string, version uint64, destination string, cas *uint64) (w Written, err error) {
	body := transfer{source, destination, version, cas}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/secrets/copy", body: body, kind: mutates}, &w)
	return w, err
}

// onSecret runs a mutation of the secret at path.
func (c *Client) onSecret(ctx context.Context, method, verb, path string, q params, body, out any) error {
	target, err := join(api+"/secrets/"+verb, "path", path)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: method, path: target, query: url.Values(q), body: body, kind: mutates}, out)
}
