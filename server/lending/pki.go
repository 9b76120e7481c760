package lending

import (
	"context"

	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// certificateShelf keeps the leases of certificates.
type certificateShelf struct{ *lease.Engine }

// NewID implements pki.Leases, as do the rest.
func (s certificateShelf) NewID(role string) string { return lease.NewID(enginePKI, role) }

func (s certificateShelf) Reserve(r fsm.Reader, tenant fsm.UID, role string, h pki.Holder, most uint64) (func(), error) {
	return s.Engine.Reserve(r, tenant, enginePKI, role, lease.Ref{Tenant: h.Tenant, Accessor: h.Accessor}, most)
}

func (s certificateShelf) Grant(v *fsm.View, entry *fsm.Entry, t pki.Terms) (fsm.Time, error) {
	l, err := s.Engine.Grant(v, entry, lease.Terms{ID: t.ID, Engine: enginePKI, Target: enginePKI, Role: t.Role, Account: t.Serial,
		Holder: lease.Ref{Tenant: t.Holder.Tenant, Accessor: t.Holder.Accessor}, Identity: t.Holder.Identity, Until: t.Until, Last: t.Until, Answer: t.Answer})
	return l.Expires, err
}

// certificates are what leases of the PKI stand for.
type certificates struct{ *pki.Engine }

// Extend and End implement lease.Backend.
func (c certificates) Extend(context.Context, fsm.UID, lease.Lease, fsm.Time) error {
	return fault.New(fault.Conflict, "a certificate is not extended: ask for another")
}

func (c certificates) End(ctx context.Context, tenant fsm.UID, l lease.Lease) error {
	return c.EndLease(ctx, tenant, l.Account)
}
