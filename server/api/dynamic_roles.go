package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// pair takes CONNECTION/ROLE apart.
func (c *call) pair() (connection, role string, err error) {
	connection, role, _ = strings.Cut(c.path, "/")
	if dynamic.ValidName("connection", connection) != nil || dynamic.ValidName("role", role) != nil {
		return "", "", fault.Bad("path", "is a connection, a slash and a role, such as pg/readonly")
	}
	return connection, role, nil
}

type dynamicRoleBody struct {
	Grants    []string          `json:"grants" strict:"required" doc:"what accounts may do, as the backend has it: one at least"`
	Options   map[string]string `json:"options" doc:"what the backend alone knows"`
	TTL       span              `json:"ttl" doc:"of a lease: ten seconds to a year, default an hour"`
	MaxTTL    span              `json:"max_ttl" doc:"with all renewals, default a day"`
	MaxLeases uint64            `json:"max_leases" doc:"at a time; nothing: as many as the tenant may"`
}

type dynamicRole struct {
	Connection string            `json:"connection"`
	Name       string            `json:"name"`
	Grants     []string          `json:"grants"`
	Options    map[string]string `json:"options,omitempty"`
	TTL        string            `json:"ttl"`
	MaxTTL     string            `json:"max_ttl"`
	MaxLeases  uint64            `json:"max_leases,omitempty"`
}

func dynamicRoleOf(connection string, r dynamic.Role) dynamicRole {
	return dynamicRole{connection, r.Name, r.Grant.Grants, r.Grant.Options, r.TTL.String(), r.MaxTTL.String(), r.MaxLeases}
}

func readDynamicRole(c *call) (any, error) {
	connection, name, err := c.pair()
	if err != nil {
		return nil, err
	}
	r, err := dynamic.GetRole(c.view, c.tenant, connection, name)
	return dynamicRoleOf(connection, r), err
}

func writeDynamicRole(c *call) (any, error) {
	connection, name, err := c.pair()
	if err != nil {
		return nil, err
	}
	b := c.body.(*dynamicRoleBody)
	r, _, err := c.api.opt.Dynamic.WriteRole(c.ctx, c.req, connection, dynamic.Role{Name: name, Grant: backend.Role{Grants: b.Grants, Options: b.Options}, TTL: time.Duration(b.TTL),
		MaxTTL: time.Duration(b.MaxTTL), MaxLeases: b.MaxLeases})
	return dynamicRoleOf(connection, r), err
}

func deleteDynamicRole(c *call) (any, error) {
	connection, name, err := c.pair()
	if err != nil {
		return nil, err
	}
	_, err = c.api.opt.Dynamic.DeleteRole(c.ctx, c.req, connection, name)
	return deletedRole{connection, name}, err
}

type deletedRole struct {
	Connection string `json:"connection"`
	Name       string `json:"name"`
}

type dynamicRolesAnswer struct {
	Items []dynamicRole `json:"items"`
	Next  string        `json:"next_cursor"`
}

func listDynamicRoles(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	if _, err := dynamic.GetConnection(c.view, c.tenant, c.path); err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]dynamic.Role, string, error) {
		return dynamic.Roles(c.view, c.tenant, c.path, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(r dynamic.Role) string { return r.Name },
		func(name string) bool { return c.session.Forbids("dynamic/roles/" + c.path + "/" + name) })
	out := dynamicRolesAnswer{Items: make([]dynamicRole, len(found)), Next: next}
	for i, r := range found {
		out.Items[i] = dynamicRoleOf(c.path, r)
	}
	return out, err
}

type orderBody struct {
	TTL span `json:"ttl" doc:"nothing: the role's"`
}

// credential says which account was given out.
type credential struct {
	Username    string   `json:"username"`
	Lease       string   `json:"lease_id"`
	Expires     fsm.Time `json:"expires_at"`
	Max         fsm.Time `json:"max_expires_at" doc:"no renewal goes beyond it"`
	Backend     string   `json:"backend"`
	Host        string   `json:"host"`
	Port        uint64   `json:"port"`
	Database    string   `json:"database,omitempty"`
	Environment []string `json:"environment" doc:"by which the target's usual programs find it, such as PGUSER=…"`
	Variable    string   `json:"password_variable,omitempty" doc:"in which they look for the password"`

	Variables map[string]string `json:"data_variables,omitempty" doc:"in which they look for what data has, by its name"`
}

// credentialAnswer is the one answer that holds what an account is used with.
type credentialAnswer struct {
	Password strictjson.Text            `json:"password,omitempty" doc:"one that was made here"`
	Data     map[string]strictjson.Text `json:"data,omitempty" doc:"or else what the target has drawn, such as access_key_id"`
	credential
}

func issueCredential(c *call) (any, error) {
	connection, role, err := c.pair()
	if err != nil {
		return nil, err
	}
	t := c.session.Token
	got, _, err := c.api.opt.Dynamic.Issue(c.ctx, c.req, dynamic.Order{Connection: connection, Role: role, TTL: time.Duration(c.body.(*orderBody).TTL), Key: c.key,
		Holder: dynamic.Holder{Tenant: t.Tenant, Accessor: t.Accessor, Identity: t.Identity}})
	if err != nil {
		return nil, err
	}
	return credentialOf(got), nil
}

func credentialOf(got dynamic.Credential) *credentialAnswer {
	a := &credentialAnswer{Password: strictjson.Text(got.Password), credential: credential{Username: got.Username, Lease: got.Lease, Expires: got.Expires, Max: got.Last, Backend: got.Backend,
		Host: got.Config.Host, Port: uint64(got.Config.Port), Database: got.Config.Database, Environment: got.Environment, Variable: got.Variable}}
	for _, f := range got.Fields {
		if a.Data == nil {
			a.Data, a.Variables = map[string]strictjson.Text{}, map[string]string{}
		}
		if a.Data[f.Name] = f.Value; f.Variable != "" {
			a.Variables[f.Name] = f.Variable
		}
	}
	return a
}

func (a *credentialAnswer) wipe() {
	clear(a.Password)
	for _, v := range a.Data {
		clear(v)
	}
}

// appendJSON writes the secrets in front of the rest, so that they pass through no string and are in one buffer alone.
func (a *credentialAnswer) appendJSON([]byte) []byte {
	rest, _ := json.Marshal(a.credential) // text and numbers always can be written
	size := 64 + 6*len(a.Password) + len(rest)
	for name, v := range a.Data {
		size += 16 + len(name) + 6*len(v)
	}
	b := append(make([]byte, 0, size), '{')
	if a.Data == nil {
		b = append(strictjson.AppendString(append(b, `"password":`...), a.Password), ',')
	} else {
		b = append(a.appendData(append(b, `"data":`...)), ',')
	}
	return append(b, rest[1:]...)
}

func (a *credentialAnswer) appendData(b []byte) []byte {
	before := byte('{')
	for _, name := range slices.Sorted(maps.Keys(a.Data)) {
		b = append(strictjson.AppendString(append(b, before), []byte(name)), ':')
		b, before = strictjson.AppendString(b, a.Data[name]), ','
	}
	return append(b, '}')
}
