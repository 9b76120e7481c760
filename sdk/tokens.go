package sdk

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Token is what is known of a token, never the token itself.
type Token struct {
	Accessor     string    `json:"accessor"`
	Name         string    `json:"name,omitempty"`
	Identity     string    `json:"identity,omitempty"`
	Tenant       string    `json:"tenant"`
	Policies     []string  `json:"policies"`
	Parent       string    `json:"parent,omitempty"` // its accessor
	CreatedAt    time.Time `json:"created_at,omitzero"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	MaxExpiresAt time.Time `json:"max_expires_at,omitzero"`
	Renewable    bool      `json:"renewable"`
	Revoked      bool      `json:"revoked"` // it or an ancestor was: it is refused everywhere
}

// Issued is a new token: the only answer that holds one.
type Issued struct {
	Secret Secret `json:"token"`
	Token
}

// Grant says what a new token may do, and for how long.
type Grant struct {
	Policies  []string
	TTL       time.Duration // 0: the node's default
	MaxTTL    time.Duration // beyond which no renewal reaches; 0: the node's default
	Name      string
	Renewable *bool // nil: the node's default
	Orphan    bool  // may outlive the creator's token; needs sudo
}

// CreateToken makes a child of the client's token.
func (c *Client) CreateToken(ctx context.Context, g Grant) (i Issued, err error) {
	body := struct {
		Policies  []string `json:"policies"`
		TTL       string   `json:"ttl,omitempty"`
		MaxTTL    string   `json:"max_ttl,omitempty"`
		Name      string   `json:"name,omitempty"`
		Renewable *bool    `json:"renewable,omitempty"`
		Orphan    bool     `json:"orphan,omitempty"`
	}{g.Policies, span(g.TTL), span(g.MaxTTL), g.Name, g.Renewable, g.Orphan}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/tokens", body: body, kind: mutates}, &i)
	return i, err
}

// Tokens lists the tenant's tokens, dead ones too for a day after their end.
func (c *Client) Tokens(ctx context.Context, s Slice) (p Page[Token], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/tokens", query: url.Values(s.params())}, &p)
	return p, err
}

// Self as an accessor means the client's own token.
const Self = "self"

// tokenRoute refuses a token where an accessor belongs: it would stand in the address, where it does not stay secret.
func tokenRoute(accessor string) (string, error) {
	if strings.HasPrefix(accessor, "trs.") {
		return "", invalid("accessor", "that is a token: make a client with it and use Self")
	}
	return joinName(api+"/tokens", "accessor", accessor)
}

// LookupToken returns the token with this accessor, or Self.
func (c *Client) LookupToken(ctx context.Context, accessor string) (t Token, err error) {
	target, err := tokenRoute(accessor)
	if err != nil {
		return t, err
	}
	err = c.do(ctx, request{method: http.MethodGet, path: target}, &t)
	return t, err
}

// RenewToken moves a token's expiry to ttl from now (0: the node's default), within its maximum.
func (c *Client) RenewToken(ctx context.Context, accessor string, ttl time.Duration) (t Token, err error) {
	target, err := tokenRoute(accessor)
	if err != nil {
		return t, err
	}
	body := struct {
		TTL string `json:"ttl,omitempty"`
	}{span(ttl)}
	err = c.do(ctx, request{method: http.MethodPost, path: target + "/renew", body: body, kind: mutates}, &t)
	return t, err
}

// RevokeToken ends a token and all tokens made with it. A second revoke finds nothing.
func (c *Client) RevokeToken(ctx context.Context, accessor string) error {
	target, err := tokenRoute(accessor)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodPost, path: target + "/revoke", body: struct{}{}, kind: mutates}, nil)
}

func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
