package lease

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Get returns a lease of a tenant; fault.NotFound when there is none, or none any more.
func Get(r fsm.Reader, tenant fsm.UID, id string) (Lease, error) {
	l, found, err := leases.Get(r, fsm.K(tenant, id))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no lease %s: it has ended, or never was", id)
	}
	return l, err
}

// List returns up to limit leases of a tenant whose ids begin with prefix, beyond after and in their order, and where to go on; "" at the end.
func List(r fsm.Reader, tenant fsm.UID, prefix, after string, limit int) (page []Lease, next string, err error) {
	err = scan(r, tenant, prefix, after, func(l Lease) bool {
		if len(page) == limit {
			next = page[limit-1].ID
			return false
		}
		page = append(page, l)
		return true
	})
	return page, next, err
}

// Each visits all leases of a tenant whose ids begin with prefix, until visit returns false.
func Each(r fsm.Reader, tenant fsm.UID, prefix string, visit func(Lease) bool) error {
	return scan(r, tenant, prefix, "", visit)
}

// scan visits leases whose ids begin with prefix, beyond after.
func scan(r fsm.Reader, tenant fsm.UID, prefix, after string, visit func(Lease) bool) error {
	span := fsm.Span{Prefix: fsm.StringPrefix(prefix, tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	return leases.Scan(r, span, func(_ fsm.Key, l Lease) (bool, error) { return visit(l), nil })
}

// Numbers returns how many leases the cluster has that are not gone, and how many are irrevocable.
func Numbers(r fsm.Reader) (held, irrevocable uint64, err error) {
	if held, _, err = counts.Get(r, allKey); err == nil {
		irrevocable, _, err = counts.Get(r, forcedKey)
	}
	return held, irrevocable, err
}

// DropTenant refuses the end of a tenant with leases: with its keys goes what their backends are told by. It implements tenant.Undertaker.
func (e *Engine) DropTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error) {
	n, err := Count(r, tenant)
	if err == nil && n > 0 {
		err = fault.New(fault.Conflict, "the tenant has leases (%d), which nobody could end after it: revoke them first (trstctl lease revoke --prefix), or give their backends up (trstctl lease force)", n)
	}
	return nil, err
}

// Count returns how many leases of a tenant count against its limit.
func Count(r fsm.Reader, tenant fsm.UID) (uint64, error) {
	n, _, err := counts.Get(r, fsm.K(tenant, ofTenant, ""))
	return n, err
}
