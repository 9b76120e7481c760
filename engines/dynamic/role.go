package dynamic

import (
	"context"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Bounds of roles.
const (
	defaultTTL = time.Hour
	defaultMax = 24 * time.Hour
	leastTTL   = 10 * time.Second
	mostTTL    = 365 * 24 * time.Hour
	maxGrants  = 64
	maxGrant   = 4096 // bytes of one
)

// checkTerms checks what of a role the target does not know, and fills in what was left out.
func (r *Role) checkTerms() error {
	if r.MaxTTL == 0 {
		r.MaxTTL = max(defaultMax, r.TTL)
	}
	if r.TTL == 0 {
		r.TTL = min(defaultTTL, r.MaxTTL)
	}
	switch {
	case r.TTL < leastTTL || r.TTL > mostTTL:
		return fault.Bad("ttl", "is %s to %s", leastTTL, mostTTL)
	case r.MaxTTL < r.TTL || r.MaxTTL > mostTTL:
		return fault.Bad("max_ttl", "is the ttl to %s", mostTTL)
	case len(r.Grant.Grants) == 0:
		return fault.Bad("grants", "are missing: an account without any could do what everybody at the target can, and nobody has said so")
	case len(r.Grant.Grants) > maxGrants:
		return fault.Bad("grants", "are %d at most", maxGrants)
	}
	for _, g := range r.Grant.Grants {
		if g == "" || len(g) > maxGrant {
			return fault.Bad("grants", "a grant has 1 to %d bytes", maxGrant)
		}
	}
	return nil
}

// WriteRole makes or changes a role of a connection. Its leases go on as they were made.
func (e *Engine) WriteRole(ctx context.Context, req fsm.Request, connection string, r Role) (out Role, rc fsm.Receipt, err error) {
	if err := ValidName("role", r.Name); err != nil {
		return out, rc, err
	}
	if err := r.checkTerms(); err != nil {
		return out, rc, err
	}
	rc, err = e.commit(ctx, req, connection, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := find(v, entry.Tenant, connection)
		if err != nil {
			return err
		}
		b, err := e.backend(row.Backend)
		if err == nil {
			err = b.CheckRole(&r.Grant)
		}
		if err == nil {
			err = roleRoom(v, entry.Tenant, connection, r.Name)
		}
		if err != nil {
			return err
		}
		entry.Add(RoleWritten{connection, r})
		entry.Reply.Public, err = fsm.Encode(r)
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

func roleRoom(v *fsm.View, tenant fsm.UID, connection, name string) error {
	n := 0
	err := roles.Scan(v, fsm.Span{Prefix: fsm.K(tenant, connection)}, func(_ fsm.Key, r Role) (bool, error) {
		if r.Name != name {
			n++
		}
		return n < maxRoles, nil
	})
	if err == nil && n >= maxRoles {
		err = fault.New(fault.Limit, "connection %q has %d roles, the most it may", connection, maxRoles)
	}
	return err
}

// DeleteRole deletes a role. Its leases go on until they end.
func (e *Engine) DeleteRole(ctx context.Context, req fsm.Request, connection, role string) (fsm.Receipt, error) {
	return e.commit(ctx, req, connection, func(v *fsm.View, entry *fsm.Entry) error {
		_, err := GetRole(v, entry.Tenant, connection, role)
		entry.Add(RoleDeleted{connection, role})
		return err
	})
}

// GetRole returns a role; fault.NotFound when there is none.
func GetRole(r fsm.Reader, tenant fsm.UID, connection, name string) (Role, error) {
	role, found, err := roles.Get(r, fsm.K(tenant, connection, name))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no role %q of connection %q", name, connection)
	}
	return role, err
}

// Roles returns up to limit roles of a connection beyond after, in the order of their names, and where to go on; "" at the end.
func Roles(r fsm.Reader, tenant fsm.UID, connection, after string, limit int) (page []Role, next string, err error) {
	span := fsm.Span{Prefix: fsm.K(tenant, connection)}
	if after != "" {
		span.After = fsm.K(tenant, connection, after)
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
