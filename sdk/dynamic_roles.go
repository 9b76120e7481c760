package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DynamicRole is what accounts of a connection are made by.
type DynamicRole struct {
	Connection string            `json:"connection"`
	Name       string            `json:"name"`
	Grants     []string          `json:"grants"`
	Options    map[string]string `json:"options,omitempty"`
	TTL        string            `json:"ttl"`                  // such as 1h0m0s
	MaxTTL     string            `json:"max_ttl"`              // with all renewals
	MaxLeases  uint64            `json:"max_leases,omitempty"` // at a time; 0: as many as the tenant may
}

// DynamicRoleSpec is a role as it is to be.
type DynamicRoleSpec struct {
	Grants    []string // as the backend has them; one at least
	Options   map[string]string
	TTL       time.Duration // ten seconds to a year; 0: an hour
	MaxTTL    time.Duration // 0: a day
	MaxLeases uint64
}

// WriteDynamicRole makes or changes a role. Leases go on as they were made. It takes sudo: a role acts as the target's administrator.
func (c *Client) WriteDynamicRole(ctx context.Context, connection, role string, s DynamicRoleSpec) (out DynamicRole, err error) {
	body := struct {
		Grants    []string          `json:"grants"`
		Options   map[string]string `json:"options,omitempty"`
		TTL       string            `json:"ttl,omitempty"`
		MaxTTL    string            `json:"max_ttl,omitempty"`
		MaxLeases uint64            `json:"max_leases,omitempty"`
	}{append([]string{}, s.Grants...), s.Options, span(s.TTL), span(s.MaxTTL), s.MaxLeases}
	err = c.onDynamicRole(ctx, request{method: http.MethodPut, body: body, kind: mutates}, "roles", connection, role, &out)
	return out, err
}

// DynamicRole describes a role.
func (c *Client) DynamicRole(ctx context.Context, connection, role string) (out DynamicRole, err error) {
	err = c.onDynamicRole(ctx, request{method: http.MethodGet}, "roles", connection, role, &out)
	return out, err
}

// DynamicRoles lists the roles of a connection that the token may see.
func (c *Client) DynamicRoles(ctx context.Context, connection string, s Slice) (p Page[DynamicRole], err error) {
	err = c.onConnection(ctx, request{method: http.MethodGet, query: url.Values(s.params())}, connection, "/roles", &p)
	return p, err
}

// DeleteDynamicRole deletes a role. Its leases go on until they end.
func (c *Client) DeleteDynamicRole(ctx context.Context, connection, role string) error {
	return c.onDynamicRole(ctx, request{method: http.MethodDelete, kind: mutates}, "roles", connection, role, nil)
}

// DynamicCredential is an account that was given out.
type DynamicCredential struct {
	Username    string    `json:"username"`
	Password    Secret    `json:"password"` // nil where the target draws what an account is used with. The caller's to clear
	LeaseID     string    `json:"lease_id"`
	ExpiresAt   time.Time `json:"expires_at"`
	MaxExpires  time.Time `json:"max_expires_at"` // no renewal goes beyond it
	Backend     string    `json:"backend"`
	Host        string    `json:"host"`
	Port        uint16    `json:"port"`
	Database    string    `json:"database,omitempty"`
	Environment []string  `json:"environment"`       // by which the target's usual programs find it, such as PGUSER=…
	Variable    string    `json:"password_variable"` // in which they look for the password

	Data      map[string]Secret `json:"data,omitempty"`           // what the target has drawn, such as access_key_id. The caller's to clear
	Variables map[string]string `json:"data_variables,omitempty"` // in which programs look for that, by its name
}

// Clear overwrites what the account is used with.
func (c *DynamicCredential) Clear() {
	clear(c.Password)
	for _, v := range c.Data {
		clear(v)
	}
}

// IssueCredential makes an account by a role, with a lease that the token holds; 0 is the role's own lifetime. NotDone says what the target refused: nobody has an account then.
func (c *Client) IssueCredential(ctx context.Context, connection, role string, ttl time.Duration) (out DynamicCredential, err error) {
	body := struct {
		TTL string `json:"ttl,omitempty"`
	}{span(ttl)}
	err = c.onDynamicRole(ctx, request{method: http.MethodPost, body: body, kind: mutates}, "creds", connection, role, &out)
	return out, err
}

func (c *Client) onDynamicRole(ctx context.Context, r request, what, connection, role string, out any) error {
	target, err := joinName(api+"/dynamic/"+what, "connection", connection)
	if err == nil {
		target, err = joinName(target, "role", role)
	}
	if err != nil {
		return err
	}
	r.path = target
	return c.do(ctx, r, out)
}
