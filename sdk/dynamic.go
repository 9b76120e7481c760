package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Connection is a database or service at which accounts are made, and as whom.
type Connection struct {
	Name           string            `json:"name"`
	Backend        string            `json:"backend"` // such as postgresql
	Host           string            `json:"host"`
	Port           uint16            `json:"port"`
	Database       string            `json:"database,omitempty"`
	TLS            string            `json:"tls"` // verify-full or disable
	CA             string            `json:"ca_certificate,omitempty"`
	Username       string            `json:"username"` // that makes and ends accounts
	Options        map[string]string `json:"options,omitempty"`
	PasswordLength int               `json:"password_length"` // of the passwords that are made
	Prefix         string            `json:"account_prefix"`  // what the names of its accounts begin with
	WrittenAt      time.Time         `json:"written_at"`
	WrittenBy      string            `json:"written_by"`
	RootRotatedAt  time.Time         `json:"root_rotated_at,omitzero"`     // the password is known to the cluster alone since then
	RotatingSince  time.Time         `json:"root_rotating_since,omitzero"` // a rotation that has not come to its end
}

// ConnectionSpec is a connection as it is to be. What is empty is the backend's usual.
type ConnectionSpec struct {
	Backend        string
	Host           string
	Port           uint16
	Database       string
	TLS            string // verify-full, the default, or disable
	CA             string // PEM; "": those that the nodes' systems trust
	Username       string
	Password       Secret // nil: the one that is stored, as long as host, port, TLS, CA, options and username stay. The caller's to clear
	Options        map[string]string
	PasswordLength int // 20 to 128; 0: 32
}

type connectionWire struct {
	Backend        string            `json:"backend"`
	Host           string            `json:"host"`
	Port           uint16            `json:"port,omitempty"`
	Database       string            `json:"database,omitempty"`
	TLS            string            `json:"tls,omitempty"`
	CA             string            `json:"ca_certificate,omitempty"`
	Username       string            `json:"username"`
	Password       *Text             `json:"password,omitempty"`
	Options        map[string]string `json:"options,omitempty"`
	PasswordLength int               `json:"password_length,omitempty"`
}

// WriteConnection makes or changes a connection, once the target has let it in and can make accounts; Conflict says what the target had against it. It takes sudo.
func (c *Client) WriteConnection(ctx context.Context, name string, s ConnectionSpec) (out Connection, err error) {
	body := connectionWire{s.Backend, s.Host, s.Port, s.Database, s.TLS, s.CA, s.Username, nil, s.Options, s.PasswordLength}
	if s.Password != nil {
		body.Password = (*Text)(&s.Password)
	}
	err = c.onConnection(ctx, request{method: http.MethodPut, body: body, kind: mutates}, name, "", &out)
	return out, err
}

// Connections lists the tenant's connections that the token may see.
func (c *Client) Connections(ctx context.Context, s Slice) (p Page[Connection], err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/dynamic/connections", query: url.Values(s.params())}, &p)
	return p, err
}

// Connection describes one, without its password.
func (c *Client) Connection(ctx context.Context, name string) (out Connection, err error) {
	err = c.onConnection(ctx, request{method: http.MethodGet}, name, "", &out)
	return out, err
}

// DeleteConnection deletes a connection with its roles; Conflict while it has leases.
func (c *Client) DeleteConnection(ctx context.Context, name string) error {
	return c.onConnection(ctx, request{method: http.MethodDelete, kind: mutates}, name, "", nil)
}

// RotateConnectionRoot gives the connection's own account a password that the cluster alone knows. After an error the rotation may be under way, and goes on by itself.
func (c *Client) RotateConnectionRoot(ctx context.Context, name string) (out Connection, err error) {
	err = c.onConnection(ctx, request{method: http.MethodPost, body: struct{}{}, kind: mutates}, name, "/rotate-root", &out)
	return out, err
}

// Stray is an account at a target that no lease stands for.
type Stray struct {
	Account   string    `json:"account"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // as the target says
	Abandoned bool      `json:"abandoned"`           // nobody got it
	Ended     bool      `json:"ended"`               // now
	Error     string    `json:"error,omitempty"`     // why not
}

// SweepConnection compares the accounts at the target whose names are the cluster's with the leases. It ends those that nobody got, and with all the other strays too.
func (c *Client) SweepConnection(ctx context.Context, name string, all bool) ([]Stray, error) {
	var out struct{ Items []Stray }
	body := struct {
		All bool `json:"all,omitempty"`
	}{all}
	err := c.onConnection(ctx, request{method: http.MethodPost, body: body, kind: mutates}, name, "/sweep", &out)
	return out.Items, err
}

func (c *Client) onConnection(ctx context.Context, r request, name, verb string, out any) error {
	target, err := joinName(api+"/dynamic/connections", "name", name)
	if err != nil {
		return err
	}
	r.path = target + verb
	return c.do(ctx, r, out)
}
