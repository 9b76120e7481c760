package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Rule grants or denies capabilities (read, write, delete, list, sudo, deny) on the paths that match.
type Rule struct {
	Path         string   `json:"path" yaml:"path"`
	Capabilities []string `json:"capabilities" yaml:"capabilities"`
}

// Policy is a named list of rules.
type Policy struct {
	Name      string    `json:"name"`
	Rules     []Rule    `json:"rules"`
	Version   uint64    `json:"version,omitempty"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitempty"`
}

// Policies lists the tenant's policies. Those that the token may not read have a name and nothing else.
func (c *Client) Policies(ctx context.Context, s Slice) (p Page[Policy], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/policies", query: url.Values(s.params())}, &p)
	return p, err
}

// Policy returns one policy.
func (c *Client) Policy(ctx context.Context, name string) (p Policy, err error) {
	target, err := joinName(api+"/policies", "name", name)
	if err != nil {
		return p, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target}, &p)
	return p, err
}

// WritePolicy creates or replaces a policy.
func (c *Client) WritePolicy(ctx context.Context, name string, rules []Rule) (p Policy, err error) {
	target, err := joinName(api+"/policies", "name", name)
	if err != nil {
		return p, err
	}
	body := map[string][]Rule{"rules": rules}
	err = c.do(ctx, request{method: http.MethodPut, path: target, body: body, kind: mutates}, &p)
	return p, err
}

// DeletePolicy removes a policy; tokens that name it lose what it granted.
func (c *Client) DeletePolicy(ctx context.Context, name string) error {
	target, err := joinName(api+"/policies", "name", name)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodDelete, path: target, kind: mutates}, nil)
}

// Decision says whether policies allow something, and which rule decided.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Policy  string `json:"policy,omitempty"`
	Rule    *Rule  `json:"rule,omitempty"`
	Reason  string `json:"reason"`
}

// TestPolicy asks whether the named policies (none: the token's own) allow the capability on path.
func (c *Client) TestPolicy(ctx context.Context, path, capability string, policies []string) (d Decision, err error) {
	body := struct {
		Path       string   `json:"path"`
		Capability string   `json:"capability"`
		Policies   []string `json:"policies,omitempty"`
	}{path, capability, policies}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/policies/test", body: body}, &d)
	return d, err
}
