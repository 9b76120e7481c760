package kmipclient

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// What a role's groups can say beside names of object groups.
const (
	OwnGroup    = "@own" // the group with the client's name
	EveryGroup  = "*"    // the whole tenant
	DefaultRole = "default"
)

// Bounds of roles.
const (
	maxRoles      = 256 // of a tenant
	maxOperations = 256
	maxGroups     = 64
	maxGroup      = 256 // bytes of an object group's name
)

// Role says what its clients may do.
type Role struct {
	Name       string   `cbor:"1,keyasint"`
	All        bool     `cbor:"2,keyasint,omitempty"` // operations, also those that come later
	Operations []uint32 `cbor:"3,keyasint,omitempty"` // KMIP operation numbers (KMIP 1.4, 9.1.3.2.27; KMIP 2.1, 11.37), unless All; ascending
	Groups     []string `cbor:"4,keyasint,omitempty"` // object groups that the client sees; none stands for OwnGroup
	Objects    uint64   `cbor:"5,keyasint,omitempty"` // that each client may have at most; 0: no bound
	PKCS1      bool     `cbor:"6,keyasint,omitempty"` // may decrypt with RSA PKCS#1 v1.5 padding, which tells an attacker about plaintexts
	Credential bool     `cbor:"7,keyasint,omitempty"` // a username and password are asked for beside the certificate
	SmallRSA   bool     `cbor:"8,keyasint,omitempty"` // may have RSA keys of 1024 bits made, for devices that know no others
}

// standard is the role DefaultRole, which every tenant has without a row.
func standard() Role { return Role{Name: DefaultRole, All: true} }

// Allows reports whether the role has a KMIP operation.
func (r Role) Allows(operation uint32) bool { return r.All || slices.Contains(r.Operations, operation) }

func noRole(name string) error { return fault.New(fault.NotFound, "there is no KMIP role %q", name) }

// decideRole checks the form of a role, and returns it in the one that is stored.
func decideRole(r Role) (Role, error) {
	if err := ValidName(r.Name); err != nil {
		return Role{}, err
	}
	r.Operations = slices.Compact(slices.Sorted(slices.Values(r.Operations)))
	r.Groups = slices.Compact(slices.Sorted(slices.Values(r.Groups)))
	switch {
	case r.Name == DefaultRole:
		return Role{}, fault.New(fault.Conflict, "role %q is built in: make another one", DefaultRole)
	case r.All == (len(r.Operations) > 0):
		return Role{}, fault.Bad("operations", "a role has all operations, or those that it lists")
	case len(r.Operations) > maxOperations || len(r.Operations) > 0 && r.Operations[0] == 0:
		return Role{}, fault.Bad("operations", "are at most %d numbers of KMIP operations, from 1 on", maxOperations)
	}
	return r, checkGroups(r.Groups)
}

func checkGroups(groups []string) error {
	if len(groups) > maxGroups || len(groups) > 1 && slices.Contains(groups, EveryGroup) {
		return fault.Bad("groups", "are at most %d object groups, or %q alone", maxGroups, EveryGroup)
	}
	for _, g := range groups {
		odd := g == "" || len(g) > maxGroup || !utf8.ValidString(g) || strings.ContainsFunc(g, unicode.IsControl)
		if odd || g[0] == '@' && g != OwnGroup {
			return fault.Bad("groups", "an object group is 1 to %d bytes of printable UTF-8 that do not begin with '@', or %q", maxGroup, OwnGroup)
		}
	}
	return nil
}

// SetRole makes a role, or changes the one that has its name, at once for all clients that have it.
func (e *Engine) SetRole(ctx context.Context, req fsm.Request, r Role) (Role, fsm.Receipt, error) {
	r, err := decideRole(r)
	if err != nil {
		return Role{}, fsm.Receipt{}, err
	}
	return commit(ctx, e, req, func(t *turn) (Role, error) {
		_, found, err := roles.Get(t.v, fsm.K(t.entry.Tenant, r.Name))
		if err != nil {
			return Role{}, err
		}
		own, _, err := tenants.Get(t.v, fsm.K(t.entry.Tenant))
		if err == nil && !found && own.Roles >= maxRoles {
			err = fault.New(fault.Limit, "the tenant has %d KMIP roles, the most it may", maxRoles)
		}
		t.entry.Add(RoleSet{r})
		return r, err
	})
}

// DeleteRole ends a role. fault.Conflict: a client has it.
func (e *Engine) DeleteRole(ctx context.Context, req fsm.Request, name string) (Role, fsm.Receipt, error) {
	return commit(ctx, e, req, func(t *turn) (Role, error) {
		r, err := GetRole(t.v, t.entry.Tenant, name)
		if err != nil {
			return Role{}, err
		}
		client, err := t.member(name)
		switch {
		case err != nil:
			return Role{}, err
		case name == DefaultRole:
			return Role{}, fault.New(fault.Conflict, "role %q is built in", DefaultRole)
		case client != "":
			return Role{}, fault.New(fault.Conflict, "client %q has role %q: give it another one first", client, name)
		}
		t.entry.Add(RoleDeleted{name})
		return r, nil
	})
}

// member is the name of one of the clients that have a role, "" if none has.
func (t *turn) member(role string) (name string, err error) {
	var uid fsm.UID
	err = members.Scan(t.v, fsm.Span{Prefix: fsm.K(t.entry.Tenant, role)}, func(at fsm.Key, _ bool) (bool, error) {
		uid, _ = at[len(at)-tenantSize:].UID()
		return false, nil
	})
	if err != nil || uid.IsZero() {
		return "", err
	}
	c, found, err := clients.Get(t.v, fsm.K(t.entry.Tenant, uid))
	if err == nil && !found {
		err = fault.New(fault.Corrupt, "client %s has role %q and no row", uid, role)
	}
	return c.Name, err
}

// GetRole returns a role; fault.NotFound when there is none of that name.
func GetRole(r fsm.Reader, tenant fsm.UID, name string) (Role, error) {
	if name == DefaultRole {
		return standard(), nil
	}
	out, found, err := roles.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = noRole(name)
	}
	return out, err
}

// Roles returns up to limit roles of a tenant by name, beyond after, and where to go on; "" at the end. The built-in one comes first, on the first page. A limit of 0
// stands for 100, the most is 1,000.
func Roles(r fsm.Reader, tenant fsm.UID, after string, limit int) (page []Role, next string, err error) {
	limit = bounded(limit)
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after == "" {
		page = append(page, standard())
	} else if after != DefaultRole {
		span.After = fsm.K(tenant, after)
	}
	err = roles.Scan(r, span, func(_ fsm.Key, role Role) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Name
			return false, nil
		}
		page = append(page, role)
		return true, nil
	})
	return page, next, err
}

// bounded is the size of a page.
func bounded(limit int) int {
	if limit <= 0 {
		limit = 100
	}
	return min(limit, 1000)
}
