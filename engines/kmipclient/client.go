package kmipclient

import (
	"context"

	"github.com/trstctl/trstctl/fsm"
)

// find returns the client of a name.
func find(r fsm.Reader, tenant fsm.UID, name string) (fsm.UID, clientRow, error) {
	if err := ValidName(name); err != nil {
		return fsm.UID{}, clientRow{}, err
	}
	uid, found, err := names.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = notFound(name)
	}
	if err != nil {
		return fsm.UID{}, clientRow{}, err
	}
	row, found, err := clients.Get(r, fsm.K(tenant, uid))
	if err == nil && !found {
		err = missing(uid, nil)
	}
	return uid, row, err
}

// Named is a client that something was done to.
type Named struct {
	UID  fsm.UID `cbor:"1,keyasint"`
	Name string  `cbor:"2,keyasint"`
}

// change carries out a mutation of one client.
func (e *Engine) change(ctx context.Context, req fsm.Request, name string, f func(*turn, fsm.UID, clientRow) error) (Named, fsm.Receipt, error) {
	return commit(ctx, e, req, func(t *turn) (Named, error) {
		uid, row, err := find(t.v, t.entry.Tenant, name)
		if err == nil {
			err = f(t, uid, row)
		}
		return Named{uid, name}, err
	})
}

// Change is what is to become of a client; what is left out stays as it is.
type Change struct {
	Role         *string
	Password     *Password
	Device       *Device
	DropPassword bool
	DropDevice   bool
}

// Configure changes a client's role and credentials, at once.
func (e *Engine) Configure(ctx context.Context, req fsm.Request, name string, c Change) (Named, fsm.Receipt, error) {
	return e.change(ctx, req, name, func(t *turn, uid fsm.UID, row clientRow) error {
		to := Configured{Client: uid, Role: row.Role}
		if c.Role != nil {
			to.Role = *c.Role
		}
		if _, err := GetRole(t.v, t.entry.Tenant, to.Role); err != nil {
			return err
		}
		password, device, err := t.verifiers(uid, c.Password, c.Device)
		if err != nil {
			return err
		}
		to.Password = chosen(row.Password, password, c.DropPassword)
		to.Device = chosen(row.Device, device, c.DropDevice)
		if to != (Configured{uid, row.Role, row.Password, row.Device}) {
			t.entry.Add(to)
		}
		return nil
	})
}

func chosen(old, other *Verifier, drop bool) *Verifier {
	switch {
	case other != nil:
		return other
	case drop:
		return nil
	}
	return old
}

// Revoke ends a client for ever: it is refused everywhere from the entry on, with all that it is known by, and nothing of that is bound again.
func (e *Engine) Revoke(ctx context.Context, req fsm.Request, name string) (Named, fsm.Receipt, error) {
	return e.revoke(ctx, req, name, 0)
}

// RevokeBinding ends one of the things that a client is known by. Another of its certificates with the same key stays good.
func (e *Engine) RevokeBinding(ctx context.Context, req fsm.Request, name string, number uint64) (Named, fsm.Receipt, error) {
	if number == 0 {
		return Named{}, fsm.Receipt{}, notBound(name, number)
	}
	return e.revoke(ctx, req, name, number)
}

func (e *Engine) revoke(ctx context.Context, req fsm.Request, name string, number uint64) (Named, fsm.Receipt, error) {
	return e.change(ctx, req, name, func(t *turn, uid fsm.UID, row clientRow) error {
		all, err := bindingsOf(t.v, t.entry.Tenant, uid)
		if err == nil {
			err = decideRevoke(row, all, number)
		}
		t.entry.Add(Revoked{uid, number})
		return err
	})
}

// Delete removes a client from the lists and frees its name, not what it was known by. Whoever gets the name next sees the object group of that name: what
// the old client had there is the tenant's to clear away.
func (e *Engine) Delete(ctx context.Context, req fsm.Request, name string) (Named, fsm.Receipt, error) {
	return e.change(ctx, req, name, func(t *turn, uid fsm.UID, _ clientRow) error {
		t.entry.Add(Deleted{uid})
		return nil
	})
}

// Confirm says that a client of before a restore of the cluster is still to be let in. It revives none that was revoked.
func (e *Engine) Confirm(ctx context.Context, req fsm.Request, name string) (Named, fsm.Receipt, error) {
	return e.change(ctx, req, name, func(t *turn, uid fsm.UID, row clientRow) error {
		own, _, err := tenants.Get(t.v, fsm.K(t.entry.Tenant))
		if err == nil && !row.confirmed(own, t.v) {
			t.entry.Add(Confirmed{uid})
		}
		return err
	})
}

// ConfirmAll is Confirm for every client of the tenant.
func (e *Engine) ConfirmAll(ctx context.Context, req fsm.Request) (fsm.Receipt, error) {
	_, rc, err := commit(ctx, e, req, func(t *turn) (Named, error) {
		own, _, err := tenants.Get(t.v, fsm.K(t.entry.Tenant))
		if err == nil && max(own.Confirmed, fsm.FirstEpoch) != fsm.Epoch(t.v) {
			t.entry.Add(Confirmed{})
		}
		return Named{}, err
	})
	return rc, err
}
