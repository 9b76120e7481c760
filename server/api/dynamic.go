package api

import (
	"math"

	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type connectionBody struct {
	Backend  string            `json:"backend" strict:"required" doc:"such as postgresql"`
	Host     string            `json:"host" strict:"required"`
	Port     uint64            `json:"port" doc:"nothing: the usual one"`
	Database string            `json:"database"`
	TLS      string            `json:"tls" doc:"verify-full, the default, or disable"`
	CA       string            `json:"ca_certificate" doc:"PEM; nothing: those that the system trusts"`
	Username string            `json:"username" strict:"required" doc:"that makes and ends accounts"`
	Password strictjson.Text   `json:"password" doc:"nothing: the one that is stored, as long as host, port, TLS, CA, options and username stay"`
	Options  map[string]string `json:"options" doc:"what the backend alone knows"`
	Length   uint64            `json:"password_length" doc:"of the passwords that are made: 20 to 128, default 32"`
}

func (b *connectionBody) wipe() { clear(b.Password) }

func (b *connectionBody) check() error {
	switch {
	case b.Port > math.MaxUint16:
		return fault.Bad("port", "is 1 to 65535")
	case b.Length > 1000:
		return fault.Bad("password_length", "is 20 to 128")
	case b.Password != nil && len(b.Password) == 0:
		return fault.Bad("password", "is empty")
	}
	return nil
}

func (b *connectionBody) engine(name string) dynamic.Connection {
	c := dynamic.Connection{Name: name, Backend: b.Backend, Username: b.Username, Password: dynamic.Password(b.Password), Length: int(b.Length),
		Config: backend.Config{Host: b.Host, Port: uint16(b.Port), Database: b.Database, TLS: backend.TLS(b.TLS), Options: b.Options}}
	if b.CA != "" {
		c.Config.CA = []byte(b.CA)
	}
	return c
}

type connectionAnswer struct {
	Name     string            `json:"name"`
	Backend  string            `json:"backend"`
	Host     string            `json:"host"`
	Port     uint64            `json:"port"`
	Database string            `json:"database,omitempty"`
	TLS      string            `json:"tls"`
	CA       string            `json:"ca_certificate,omitempty"`
	Username string            `json:"username"`
	Options  map[string]string `json:"options,omitempty"`
	Length   uint64            `json:"password_length"`
	Prefix   string            `json:"account_prefix" doc:"what the names of its accounts begin with"`
	Written  fsm.Time          `json:"written_at"`
	By       string            `json:"written_by"`
	Rotated  fsm.Time          `json:"root_rotated_at,omitempty" doc:"the password is known to the cluster alone since then"`
	Rotating fsm.Time          `json:"root_rotating_since,omitempty" doc:"a rotation that has not come to its end"`
}

func connectionOf(k dynamic.Known) connectionAnswer {
	c := k.Config
	return connectionAnswer{Name: k.Name, Backend: k.Backend, Host: c.Host, Port: uint64(c.Port), Database: c.Database, TLS: string(c.TLS), CA: string(c.CA), Username: k.Username,
		Options: c.Options, Length: uint64(k.Length), Prefix: k.Prefix, Written: k.Written, By: k.By, Rotated: k.Rotated, Rotating: k.Rotating}
}

func writeConnection(c *call) (any, error) {
	k, _, err := c.api.opt.Dynamic.WriteConnection(c.ctx, c.req, c.body.(*connectionBody).engine(c.path))
	return connectionOf(k), err
}

func readConnection(c *call) (any, error) {
	k, err := dynamic.GetConnection(c.view, c.tenant, c.path)
	return connectionOf(k), err
}

func deleteConnection(c *call) (any, error) {
	_, err := c.api.opt.Dynamic.DeleteConnection(c.ctx, c.req, c.path)
	return deletedConnection{c.path}, err
}

type deletedConnection struct {
	Name string `json:"name"`
}

func rotateConnection(c *call) (any, error) {
	k, _, err := c.api.opt.Dynamic.RotateRoot(c.ctx, c.req, c.path)
	return connectionOf(k), err
}

type connectionsAnswer struct {
	Items []connectionAnswer `json:"items"`
	Next  string             `json:"next_cursor"`
}

func listConnections(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]dynamic.Known, string, error) {
		return dynamic.Connections(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(k dynamic.Known) string { return k.Name },
		func(name string) bool { return c.session.Forbids("dynamic/connections/" + name) })
	out := connectionsAnswer{Items: make([]connectionAnswer, len(found)), Next: next}
	for i, k := range found {
		out.Items[i] = connectionOf(k)
	}
	return out, err
}

type sweepBody struct {
	All bool `json:"all" doc:"end all accounts that have no lease, not only those that nobody got"`
}

type sweepAnswer struct {
	Items []stray `json:"items"`
}

type stray struct {
	Account   string   `json:"account"`
	Expires   fsm.Time `json:"expires_at,omitempty" doc:"as the target says"`
	Abandoned bool     `json:"abandoned" doc:"nobody got it"`
	Ended     bool     `json:"ended" doc:"now"`
	Error     string   `json:"error,omitempty" doc:"why not"`
}

func sweepConnection(c *call) (any, error) {
	found, err := c.api.opt.Dynamic.Sweep(c.ctx, c.session.Acting.UID, c.path, c.body.(*sweepBody).All)
	out := sweepAnswer{Items: make([]stray, len(found))}
	for i, s := range found {
		out.Items[i] = stray{Account: s.Account, Expires: s.Expires, Abandoned: s.Abandoned, Ended: s.Ended}
		if s.Err != nil {
			out.Items[i].Error = s.Err.Error()
		}
	}
	return out, err
}
