package dynamic

import (
	"context"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// RotateRoot gives the connection's own account a credential that the cluster alone knows. A password that we draw is in the log before the target has it; when something fails in
// between, both are tried from then on. One that the target draws is in the log before the one of before is ended. The reconciler brings a rotation to its end. fault.Conflict where the
// target rotates none.
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

// rotating puts into the log that a rotation has begun, with the next password where we draw it. One that has not come to its end goes on with the password that it has.
func (e *Engine) rotating(ctx context.Context, req fsm.Request, name string) error {
	ours, err := e.draws(ctx, req.Tenant, name)
	if err != nil {
		return err
	}
	_, err = e.commit(ctx, req, name, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := find(v, entry.Tenant, name)
		switch {
		case err != nil || row.Rotating > 0 && ours:
			return err
		case row.Rotating > 0:
			return fault.New(fault.Conflict, "the credential of connection %q is being rotated: that goes on by itself", name)
		case !ours:
			entry.Add(RootRotating{Name: name})
			return nil
		}
		secret := newPassword(row.Length)
		defer secret.Zero()
		sealed, err := e.Keys.Seal(v, passwordBinding(entry.Tenant, row.UID, row.numbered()), secret)
		entry.Add(RootRotating{name, sealed})
		return err
	})
	return err
}

// draws reports whether the next credential of a connection is drawn here.
func (e *Engine) draws(ctx context.Context, tenant fsm.UID, name string) (ours bool, err error) {
	err = e.use(ctx, tenant, name, func(_ context.Context, s backend.Session) error {
		switch s.(type) {
		case backend.Setter:
			ours = true
		case backend.Replacer:
		default:
			return fault.New(fault.Conflict, "the credential of connection %q is not rotated by its target: write the connection with another", name)
		}
		return nil
	})
	return ours, told("rotate the credential of connection "+name, err)
}

// finishRotation has the next credential be the only one, and says so in the log.
func (e *Engine) finishRotation(ctx context.Context, req fsm.Request, name string) (fsm.Receipt, error) {
	e.rotation.Lock() // what one has made, another would take for lost
	defer e.rotation.Unlock()
	if err := e.advance(ctx, req.Tenant, name); err != nil {
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

// advance does at the target what a rotation that is under way still has to.
func (e *Engine) advance(ctx context.Context, tenant fsm.UID, name string) error {
	row, err := e.row(tenant, name)
	if err != nil || row.Rotating == 0 {
		return err
	}
	if !row.Next.IsZero() {
		return e.setNext(ctx, tenant, name)
	}
	if !row.Replaced {
		if err := e.replace(ctx, tenant, name); err != nil {
			return err
		}
	}
	return e.use(ctx, tenant, name, func(ctx context.Context, s backend.Session) error {
		r, ok := s.(backend.Replacer)
		if !ok {
			return fault.New(fault.Corrupt, "connection %q cannot be replaced, and was", name)
		}
		return r.Retire(ctx)
	})
}

func (e *Engine) row(tenant fsm.UID, name string) (connectionRow, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return connectionRow{}, err
	}
	defer v.Close()
	return find(v, tenant, name)
}

// replace has the target draw another credential, and puts it into the log once the target takes it: some need a while.
func (e *Engine) replace(ctx context.Context, tenant fsm.UID, name string) error {
	return e.use(ctx, tenant, name, func(ctx context.Context, s backend.Session) error {
		r, ok := s.(backend.Replacer)
		if !ok {
			return fault.New(fault.Conflict, "the credential of connection %q is not rotated by its target", name)
		}
		username, password, err := r.Replace(ctx)
		if err != nil {
			return err
		}
		defer clear(password)
		row, err := e.row(tenant, name)
		if err != nil {
			return err
		}
		row.Username = username
		for err = e.login(ctx, row, password); err != nil && ctx.Err() == nil; err = e.login(ctx, row, password) {
			pause(ctx, callTime/20)
		}
		if err != nil {
			return err
		}
		return e.replaced(ctx, tenant, name, username, password)
	})
}

func (e *Engine) replaced(ctx context.Context, tenant fsm.UID, name, username string, password []byte) error {
	req := fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:dynamic"}}
	_, err := e.commit(ctx, req, name, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := find(v, tenant, name)
		if err != nil {
			return err
		}
		sealed, err := e.Keys.Seal(v, passwordBinding(tenant, row.UID, row.numbered()), password)
		entry.Add(RootReplaced{name, username, sealed})
		return err
	})
	return err
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
	setter, ok := s.(backend.Setter)
	if !ok {
		err = fault.New(fault.Corrupt, "connection %q takes no password, and was to", name)
	} else {
		err = setter.SetPassword(ctx, next)
	}
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
