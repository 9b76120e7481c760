package dynamic

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Credential is an account that was given out.
type Credential struct {
	Lease    string         `cbor:"1,keyasint"`
	Username string         `cbor:"2,keyasint"`
	Expires  fsm.Time       `cbor:"3,keyasint"`
	Last     fsm.Time       `cbor:"4,keyasint"` // no renewal goes beyond it
	Backend  string         `cbor:"5,keyasint"`
	Config   backend.Config `cbor:"6,keyasint"`
	Secrets  `cbor:"-"`     // the caller zeroes them once they are sent

	Environment []string `cbor:"7,keyasint"` // by which programs find the target, such as PGUSER=…
	Variable    string   `cbor:"8,keyasint"` // that has the password
}

// Secrets are what an account is used with: a password that was made here, or what the target drew.
type Secrets struct {
	Password Password        `cbor:"1,keyasint,omitempty"`
	Fields   []backend.Field `cbor:"2,keyasint,omitempty"`
}

// Zero overwrites them.
func (s *Secrets) Zero() {
	s.Password.Zero()
	for _, f := range s.Fields {
		clear(f.Value)
	}
}

func (s *Secrets) clone() Secrets {
	c := Secrets{bytes.Clone(s.Password), slices.Clone(s.Fields)}
	for i, f := range s.Fields {
		c.Fields[i].Value = bytes.Clone(f.Value)
	}
	return c
}

// Order is what is asked for.
type Order struct {
	Connection string
	Role       string
	TTL        time.Duration // 0: the role's; it never goes beyond the role's maximum
	Holder     Holder
	Key        string // the Idempotency-Key
}

// attempt is an account on its way.
type attempt struct {
	*Engine
	req    fsm.Request
	order  Order
	id     fsm.UID
	row    connectionRow
	target backend.Backend
	role   Role
	intent Intended
	until  fsm.Time // the account ends at the target by itself, whatever becomes of us
	last   fsm.Time // no renewal goes beyond it
	name   string   // that it is used with
	secret Secrets
}

// Issue makes an account and gives it out with a lease. A repetition of the request gets the same answer for 15 minutes, as long as the lease lives. When it fails, nobody has the
// account, and it is ended if it was made.
func (e *Engine) Issue(ctx context.Context, req fsm.Request, o Order) (Credential, fsm.Receipt, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return Credential{}, fsm.Receipt{}, err
	}
	rc, found, err := e.Ledger.Find(v, req.Tenant, req.Receipt)
	if err != nil || found {
		v.Close()
		if err != nil {
			return Credential{}, rc, err
		}
		return e.again(req, o, rc)
	}
	a, release, err := e.begin(v, req, o)
	v.Close()
	if err != nil {
		return Credential{}, fsm.Receipt{}, err
	}
	defer release()
	defer a.secret.Zero()
	return a.run(ctx)
}

// begin looks up what the account is to be made by, and takes a place for its lease.
func (e *Engine) begin(v *fsm.View, req fsm.Request, o Order) (a *attempt, release func(), err error) {
	a = &attempt{Engine: e, req: req, order: o, id: newUID()}
	if a.row, err = find(v, req.Tenant, o.Connection); err != nil {
		return nil, nil, err
	}
	if a.role, err = GetRole(v, req.Tenant, o.Connection, o.Role); err != nil {
		return nil, nil, err
	}
	if a.target, err = e.backend(a.row.Backend); err != nil {
		return nil, nil, err
	}
	if a.row.Nobodys >= e.most {
		return nil, nil, fault.New(fault.Limit, "connection %q has %d accounts that nobody got and that may be at the target, the most it may: mend what is wrong there (trstctl outbox list), and wait until they are ended", o.Connection, a.row.Nobodys)
	}
	if o.TTL != 0 && (o.TTL < leastTTL || o.TTL > a.role.MaxTTL) {
		return nil, nil, fault.Bad("ttl", "is %s to the role's maximum, %s", leastTTL, a.role.MaxTTL)
	}
	if release, err = e.Leases.Reserve(v, req.Tenant, o.Connection, o.Role, o.Holder, a.role.MaxLeases); err != nil {
		return nil, nil, err
	}
	a.until, a.last = e.time(v).Add(a.ttl()), e.time(v).Add(a.role.MaxTTL)
	a.secret.Password = newPassword(a.row.Length)
	a.intent = Intended{ID: a.id, Connection: o.Connection, Role: o.Role, Account: accountName(a.row.UID, o.Role, a.target.NameLimit()), Lease: e.Leases.NewID(o.Connection, o.Role), Life: a.ttl()}
	return a, release, nil
}

func (a *attempt) ttl() time.Duration {
	if a.order.TTL > 0 {
		return a.order.TTL
	}
	return a.role.TTL
}

// run is intent, call and result.
func (a *attempt) run(ctx context.Context) (Credential, fsm.Receipt, error) {
	if mutant.AccountBeforeIntent {
		if err := a.create(ctx); err != nil {
			return Credential{}, fsm.Receipt{}, err
		}
	}
	if err := a.intend(ctx); err != nil {
		return Credential{}, fsm.Receipt{}, err
	}
	if !mutant.AccountBeforeIntent {
		if err := a.create(ctx); err != nil {
			return Credential{}, fsm.Receipt{}, a.give(ctx, told("make an account at "+a.order.Connection, err))
		}
	}
	out, rc, err := a.result(ctx)
	if err != nil && !fault.Is(err, fault.Unknown) {
		err = a.give(ctx, err)
	}
	return out, rc, err
}

// intend puts into the log what is about to be made. It rests on the connection and role as they were looked up.
func (a *attempt) intend(ctx context.Context) error {
	req := a.req
	req.ID, req.Receipt = newUID(), nil
	_, err := a.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		g, err := fsm.GuardOf(v, entry.Tenant, stream(a.order.Connection))
		if err != nil {
			return err
		}
		entry.Guard(g)
		row, err := find(v, entry.Tenant, a.order.Connection)
		if err != nil {
			return err
		}
		role, err := GetRole(v, entry.Tenant, a.order.Connection, a.order.Role)
		if err != nil {
			return err
		}
		a.row, a.role = row, role
		entry.Add(a.intent)
		return nil
	})
	return err
}

func (a *attempt) create(ctx context.Context) error {
	return a.use(ctx, a.req.Tenant, a.order.Connection, func(ctx context.Context, s backend.Session) error {
		made, err := s.Create(ctx, backend.Account{Name: a.intent.Account, Password: a.secret.Password, Until: a.until.Std(), Role: a.role.Grant})
		a.take(made)
		return err
	})
}

// take goes by what the target has made.
func (a *attempt) take(m backend.Made) {
	a.name = cmp.Or(m.Username, a.intent.Account)
	if len(m.Fields) > 0 {
		a.secret.Zero()
		a.secret = Secrets{Fields: m.Fields}
	}
	if !m.Until.IsZero() {
		a.until = min(a.until, fsm.At(m.Until))
		a.last = a.until
	}
}

// result gives the account out: its lease, its answer, and the end of the intent are one entry.
func (a *attempt) result(ctx context.Context) (out Credential, rc fsm.Receipt, err error) {
	rc, err = a.Ledger.Commit(ctx, a.req, "", func(v *fsm.View, entry *fsm.Entry) error {
		if err := open(v, entry, a.id); err != nil {
			return err
		}
		answer, err := a.answer(v)
		if err != nil {
			return err
		}
		expires, err := a.Leases.Grant(v, entry, Terms{ID: a.intent.Lease, Connection: a.order.Connection, Role: a.order.Role, Account: a.intent.Account, Holder: a.order.Holder,
			Until: a.until, Last: a.last, Answer: answer})
		if err != nil {
			return err
		}
		entry.Add(Issued{a.id})
		entry.Reply.Secret = answer
		c := Credential{Lease: a.intent.Lease, Username: a.name, Expires: expires, Last: a.last, Backend: a.row.Backend, Config: a.row.Config}
		if c.Environment, c.Variable = a.target.Environment(c.Config, c.Username); len(a.secret.Fields) > 0 {
			c.Variable = ""
		}
		entry.Reply.Public, err = fsm.Encode(c)
		return err
	})
	switch {
	case err != nil:
		return out, rc, err
	case rc.Replayed: // the same request was under way twice: the other was first
		if err := a.give(ctx, nil); err != nil {
			return out, rc, err
		}
		return a.again(a.req, a.order, rc)
	}
	err = fsm.Decode(rc.Reply.Public, &out)
	out.Secrets = a.secret.clone()
	return out, rc, err
}

// open refuses what rests on an intent that was closed: the reconciler took it for abandoned.
func open(v *fsm.View, entry *fsm.Entry, id fsm.UID) error {
	g, err := fsm.GuardOf(v, entry.Tenant, intentStream(id))
	if err != nil {
		return err
	}
	entry.Guard(g)
	row, found, err := intents.Get(v, fsm.K(entry.Tenant, id))
	if err == nil && (!found || row.Abandoned > 0) {
		err = fault.New(fault.NotDone, "it took too long to make the account, which is being ended again: try again").After(time.Second)
	}
	return err
}

// answer seals the secrets for a repetition of the request; without a receipt there is none to answer.
func (a *attempt) answer(v *fsm.View) (fsm.Sealed, error) {
	if a.req.Receipt == nil {
		return fsm.Sealed{}, nil
	}
	plain, err := fsm.Encode(a.secret)
	if err != nil {
		return fsm.Sealed{}, err
	}
	defer clear(plain)
	return a.Keys.SealAnswer(v, answerBinding(a.req.Tenant, a.intent.Lease), a.order.Key, plain)
}

func answerBinding(tenant fsm.UID, lease string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "dynamic", Field: "credential", Path: lease, Version: 1}
}

// give abandons an account that nobody gets, and returns why. When that cannot be put into the log, the reconciler does it.
func (a *attempt) give(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	if err := a.abandon(ctx, a.req.Tenant, a.id, a.intent.Account); err != nil {
		a.Log.WarnContext(ctx, "an account that nobody got is not on its way to its end yet: the reconciler will see to it", "connection", a.order.Connection, "account", a.intent.Account, "err", err)
	}
	return why
}

// abandon closes an open intent, and owes the target the end of the account.
func (e *Engine) abandon(ctx context.Context, tenant, id fsm.UID, account string) error {
	req := fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:dynamic"}}
	_, err := e.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		g, err := fsm.GuardOf(v, tenant, intentStream(id))
		if err != nil {
			return err
		}
		entry.Guard(g)
		row, found, err := intents.Get(v, fsm.K(tenant, id))
		if err != nil || !found || row.Abandoned > 0 {
			return err // it was given out after all, or is abandoned already
		}
		entry.Add(Abandoned{id})
		entry.Outbox = append(entry.Outbox, fsm.Message{ID: newUID(), Kind: Cleanup, Destination: row.Connection, Lane: row.Account})
		return nil
	})
	return err
}

// again answers a repetition with what was given out the first time.
func (e *Engine) again(req fsm.Request, o Order, rc fsm.Receipt) (out Credential, _ fsm.Receipt, err error) {
	if err := fsm.Decode(rc.Reply.Public, &out); err != nil {
		return Credential{}, rc, err
	}
	v, err := e.Ledger.View()
	if err != nil {
		return Credential{}, rc, err
	}
	defer v.Close()
	secret, err := e.Keys.OpenAnswer(v, answerBinding(req.Tenant, out.Lease), o.Key, rc.Reply.Secret)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "this request was answered with lease %s before; its credential is no longer kept: ask for another", out.Lease)
	}
	if err != nil {
		return Credential{}, rc, err
	}
	defer clear(secret)
	return out, rc, fsm.Decode(secret, &out.Secrets)
}
