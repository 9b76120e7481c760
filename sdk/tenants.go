package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Tenant is a space of its own for secrets, tokens and policies. A UID is never used again, a name may be.
type Tenant struct {
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Tenants lists the tenants.
func (c *Client) Tenants(ctx context.Context, s Slice) (p Page[Tenant], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/tenants", query: url.Values(s.params())}, &p)
	return p, err
}

// Tenant returns the tenant with this name.
func (c *Client) Tenant(ctx context.Context, name string) (t Tenant, err error) {
	target, err := joinName(api+"/tenants", "name", name)
	if err != nil {
		return t, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target}, &t)
	return t, err
}

// CreateTenant makes a tenant with its own keys and the policy "admin".
func (c *Client) CreateTenant(ctx context.Context, name string) (t Tenant, err error) {
	body := map[string]string{"name": name}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/tenants", body: body, kind: mutates}, &t)
	return t, err
}

// DeleteTenant closes a tenant and destroys its keys.
func (c *Client) DeleteTenant(ctx context.Context, name string) error {
	target, err := joinName(api+"/tenants", "name", name)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodDelete, path: target, kind: mutates}, nil)
}
