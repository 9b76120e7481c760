package dynamic

import (
	"context"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// RotateRoot gives the connection's own account a password that the cluster alone knows. The password is in the log before the target has it; when something fails in between,
// both are tried from then on, and the reconciler brings it to its end.
func (e *Engine) RotateRoot(ctx context.Context, req fsm.Request, name string) (out Known, rc fsm.Receipt, err error) {
	if rc, found, err := e.found(req); err != nil || found {
		if err == nil {
			err = fsm.Decode(rc.Reply.Public, &out)
		}
		return out, rc, err
	}
	first := req
	first.ID, first.Receipt = newUID(), nil
	if err := e.rotating(ctx, first, name); err != nil {
		return out, rc, err
	}
	if rc, err = e.finishRotation(ctx, req, name); err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

func (e *Engine) found(req fsm.Request) (fsm.Receipt, bool, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return fsm.Receipt{}, false, err
	}
	defer v.Close()
	return e.Ledger.Find(v, req.Tenant, req.Receipt)
}

// rotating puts the next password into the log. A rotation that has not come to its end goes on with the one that it has.
func (e *Engine) rotating(ctx context.Context, req fsm.Request, name string) error {
	_, err := e.commit(ctx, req, name, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := find(v, entry.Tenant, name)
		if err != nil || row.Rotating > 0 {
			return err
		}
		secret := newPassword(row.Length)
		defer secret.Zero()
		sealed, err := e.Keys.Seal(v, passwordBinding(entry.Tenant, row.UID, row.numbered()), secret)
		entry.Add(RootRotating{name, sealed})
		return err
	})
	return err
}

// finishRotation has the target take the next password, unless it has it already, and says so in the log.
func (e *Engine) finishRotation(ctx context.Context, req fsm.Request, name string) (fsm.Receipt, error) {
	if err := e.setNext(ctx, req.Tenant, name); err != nil {
		return fsm.Receipt{}, told("rotate the password of connection "+name+", which goes on by itself", err)
	}
	return e.commit(ctx, req, name, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := find(v, entry.Tenant, name)
		if err != nil {
			return err
		}
		if row.Rotating > 0 {
			entry.Add(RootRotated{name})
			row.Rotated, row.Rotating = e.time(v), 0
		}
		entry.Reply.Public, err = fsm.Encode(row.known(name))
		return err
	})
}

// setNext logs in with the next password, or with the present one and sets the next, and then logs in with it.
func (e *Engine) setNext(ctx context.Context, tenant fsm.UID, name string) error {
	if err := e.Confirm(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	v, err := e.Ledger.View()
	if err != nil {
		return err
	}
	defer v.Close()
	row, err := find(v, tenant, name)
	if err != nil || row.Rotating == 0 {
		return err
	}
	next, err := e.Keys.Open(v, passwordBinding(tenant, row.UID, row.Given), row.Next)
	if err != nil {
		return err
	}
	defer clear(next)
	if e.login(ctx, row, next) == nil {
		return nil // it was set before the node died that set it
	}
	s, leave, err := e.session(ctx, tenant, name)
	if err != nil {
		return err
	}
	err = s.SetPassword(ctx, next)
	leave()
	if err != nil {
		return err
	}
	return e.login(ctx, row, next)
}

// login shows that the target takes a password.
func (e *Engine) login(ctx context.Context, row connectionRow, password []byte) error {
	b, err := e.backend(row.Backend)
	if err != nil {
		return err
	}
	return e.verify(ctx, b, backend.Target{Config: row.Config, Username: row.Username, Password: append([]byte(nil), password...), Dial: e.Dial})
}

// stuck returns the connections whose rotation was begun a while ago, by tenant.
func (e *Engine) stuck(v *fsm.View) (all []named, err error) {
	err = connections.Scan(v, fsm.Span{}, func(at fsm.Key, row connectionRow) (bool, error) {
		tenant, ok := at.UID()
		if !ok {
			return false, fault.New(fault.Corrupt, "a key of a connection cannot be read")
		}
		if row.Rotating > 0 && e.time(v).Sub(row.Rotating) > patience {
			all = append(all, named{tenant, nameOf(at[uidSize:])})
		}
		return true, nil
	})
	return all, err
}

// named is something of a tenant.
type named struct {
	tenant fsm.UID
	name   string
}

// uidSize is the length of a UID in a key.
const uidSize = 17
