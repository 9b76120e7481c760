package lending

import (
	"context"

	"github.com/trstctl/trstctl/engines/acme"
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

// authorities sign what ACME has proved.
type authorities struct{ *pki.Engine }

// Sign, Revoke and Known implement acme.Certificates with what the engine has.
func (a authorities) Sign(v *fsm.View, entry *fsm.Entry, role, holder, identity string, request []byte) (acme.Signed, error) {
	c, err := a.SignWithin(v, entry, role, holder, identity, request)
	return acme.Signed{Serial: c.Serial, DER: c.DER, Chain: c.Chain}, err
}

func (a authorities) Revoke(v *fsm.View, entry *fsm.Entry, serial string, reason int) error {
	return a.RevokeWithin(v, entry, serial, reason)
}

func (a authorities) Known(r fsm.Reader, tenant fsm.UID, serial string) (holder string, der []byte, err error) {
	k, err := pki.GetCertificate(r, tenant, serial)
	return k.Holder, k.DER, err
}
