package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Entry is a line of a list: a secret, or a folder when the list was asked for by folder.
type Entry struct {
	Path      string            `json:"path,omitempty"`
	Folder    string            `json:"folder,omitempty"` // ends with a slash
	Version   uint64            `json:"version,omitempty"`
	UpdatedAt time.Time         `json:"updated_at,omitzero"`
	Labels    map[string]string `json:"labels,omitempty"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
}

// ListOptions select what List returns.
type ListOptions struct {
	Slice
	Prefix  string
	Folders bool // one level beneath Prefix only
}

// List returns the secrets beneath a prefix that the token may see.
func (c *Client) List(ctx context.Context, o ListOptions) (p Page[Entry], err error) {
	q := o.params().text("prefix", o.Prefix).flag("folders", o.Folders)
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/secrets/list", query: url.Values(q)}, &p)
	return p, err
}

// Version is a line of a secret's history.
type Version struct {
	Version     uint64            `json:"version"`
	CreatedAt   time.Time         `json:"created_at"`
	CreatedBy   string            `json:"created_by"`
	Size        uint64            `json:"size"`
	State       string            `json:"state"` // live, expired, deleted or purged
	Labels      map[string]string `json:"labels,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	ExpiresAt   time.Time         `json:"expires_at,omitzero"`
}

// History is a page of a secret's versions, newest first.
type History struct {
	Path          string `json:"path"`
	LatestVersion uint64 `json:"latest_version"`
	Deleted       bool   `json:"deleted"`
	Page[Version]
}

// Versions returns the history of a secret.
func (c *Client) Versions(ctx context.Context, path string, s Slice) (h History, err error) {
	target, err := join(api+"/secrets/versions", "path", path)
	if err != nil {
		return h, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target, query: url.Values(s.params())}, &h)
	return h, err
}
