package dynamic

import (
	"bytes"
	"context"
	"maps"
	"regexp"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits.
const (
	maxConnections = 1000   // of a tenant
	maxRoles       = 1000   // of a connection
	maxNobodys     = 10_000 // abandoned accounts of a connection: each is owed its end, and takes room in the outbox
	callTime       = 10 * time.Second
)

var validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// ValidName checks the name of a connection or role: 1 to 128 letters, digits, dots, dashes and underscores, but not "." or "..", which no path keeps.
func ValidName(field, name string) error {
	if !validName.MatchString(name) || name == "." || name == ".." {
		return fault.Bad(field, "a name is 1 to 128 letters, digits, '.', '-' and '_', and neither \".\" nor \"..\"")
	}
	return nil
}

// Connection is a target, and as whom it is administered.
type Connection struct {
	Name     string
	Backend  string
	Config   backend.Config
	Username string
	Password Password // nil: the one that is stored, as long as nothing about where it is sent changes
	Length   int      // of the passwords that are made; 0 stands for 32
}

// Known is a connection as people see it.
type Known struct {
	Name     string         `cbor:"1,keyasint"`
	Backend  string         `cbor:"2,keyasint"`
	Config   backend.Config `cbor:"3,keyasint"`
	Username string         `cbor:"4,keyasint"`
	Length   int            `cbor:"5,keyasint"`
	Prefix   string         `cbor:"6,keyasint"` // of its accounts' names
	Written  fsm.Time       `cbor:"7,keyasint"`
	By       string         `cbor:"8,keyasint"`
	Rotated  fsm.Time       `cbor:"9,keyasint"`  // its password is known to the cluster alone since then; 0: whoever wrote it knows it
	Rotating fsm.Time       `cbor:"10,keyasint"` // since when a rotation has not come to its end; 0: none is under way
}

func (row connectionRow) known(name string) Known {
	return Known{name, row.Backend, row.Config, row.Username, row.Length, prefixOf(row.UID), row.Written, row.By, row.Rotated, row.Rotating}
}

func (e *Engine) check(c *Connection) (backend.Backend, error) {
	if err := ValidName("name", c.Name); err != nil {
		return nil, err
	}
	b, err := e.backend(c.Backend)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Name == "pki" || c.Name == "ssh":
		return nil, fault.Bad("name", "%q stands before the leases of certificates: choose another", c.Name)
	case c.Username == "":
		return nil, fault.Bad("username", "is missing: the account that makes and ends others")
	case c.Length != 0 && (c.Length < leastLength || c.Length > mostLength):
		return nil, fault.Bad("password_length", "is %d to %d", leastLength, mostLength)
	case c.Length == 0:
		c.Length = defaultLength
	}
	return b, b.CheckConfig(&c.Config)
}

// WriteConnection makes or changes a connection, once the target has let it in and can make accounts. fault.Conflict says what the target had against it.
func (e *Engine) WriteConnection(ctx context.Context, req fsm.Request, c Connection) (out Known, rc fsm.Receipt, err error) {
	b, err := e.check(&c)
	if err != nil {
		return out, rc, err
	}
	if err := e.tryOut(ctx, req, b, c); err != nil {
		return out, rc, err
	}
	rc, err = e.commit(ctx, req, c.Name, func(v *fsm.View, entry *fsm.Entry) error {
		row, found, err := connections.Get(v, fsm.K(entry.Tenant, c.Name))
		if err == nil {
			err = e.mayWrite(v, entry.Tenant, c, row, found)
		}
		if err != nil {
			return err
		}
		if !found {
			row.UID = newUID()
		}
		w := ConnectionWritten{Name: c.Name, UID: row.UID, Backend: c.Backend, Config: c.Config, Username: c.Username, Length: c.Length}
		if c.Password != nil {
			if w.Password, err = e.Keys.Seal(v, passwordBinding(entry.Tenant, row.UID, row.numbered()), c.Password); err != nil {
				return err
			}
		}
		entry.Add(w)
		entry.Reply.Public, err = fsm.Encode(Known{Name: c.Name, Backend: c.Backend, Config: c.Config, Username: c.Username, Length: c.Length, Prefix: prefixOf(row.UID), Written: e.time(v),
			By: entry.Actor.Identity})
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

// mayWrite decides whether a connection may become what c says.
func (e *Engine) mayWrite(v *fsm.View, tenant fsm.UID, c Connection, row connectionRow, found bool) error {
	switch {
	case !found && c.Password == nil:
		return fault.Bad("password", "is missing")
	case !found:
		return e.room(v, tenant)
	case row.Backend != c.Backend:
		return fault.New(fault.Conflict, "connection %q is of backend %s: make another one", c.Name, row.Backend)
	case row.Rotating > 0:
		return fault.New(fault.Conflict, "the password of connection %q is being rotated: wait until that is done", c.Name)
	case c.Password == nil && !sameTarget(c, row):
		return fault.Bad("password", "is needed when host, port, TLS, CA or username change: what is stored is sent nowhere else")
	}
	return nil
}

func sameTarget(c Connection, row connectionRow) bool {
	a, b := c.Config, row.Config
	return a.Host == b.Host && a.Port == b.Port && a.TLS == b.TLS && bytes.Equal(a.CA, b.CA) && maps.Equal(a.Options, b.Options) && c.Username == row.Username
}

func (e *Engine) room(v *fsm.View, tenant fsm.UID) error {
	n := 0
	err := connections.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(fsm.Key, connectionRow) (bool, error) {
		n++
		return n < maxConnections, nil
	})
	if err == nil && n >= maxConnections {
		err = fault.New(fault.Limit, "the tenant has %d connections, the most it may", maxConnections)
	}
	return err
}

// tryOut logs in at the target with what the connection is to have. A repetition of a request tries nothing.
func (e *Engine) tryOut(ctx context.Context, req fsm.Request, b backend.Backend, c Connection) error {
	v, err := e.Ledger.View()
	if err != nil {
		return err
	}
	defer v.Close()
	if _, found, err := e.Ledger.Find(v, req.Tenant, req.Receipt); err != nil || found {
		return err
	}
	row, found, err := connections.Get(v, fsm.K(req.Tenant, c.Name))
	if err == nil {
		err = e.mayWrite(v, req.Tenant, c, row, found)
	}
	if err != nil {
		return err
	}
	password := bytes.Clone(c.Password)
	if c.Password == nil {
		if password, err = e.Keys.Open(v, passwordBinding(req.Tenant, row.UID, row.Sealed), row.Password); err != nil {
			return err
		}
	}
	defer clear(password)
	return e.verify(ctx, b, backend.Target{Config: c.Config, Username: c.Username, Password: password, Dial: e.Dial})
}

func (e *Engine) verify(ctx context.Context, b backend.Backend, t backend.Target) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := b.Open(ctx, t)
	if err == nil {
		err = s.Verify(ctx)
		_ = s.Close() // it was for a look
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		err = fault.New(fault.Conflict, "the target does not take it: %v", err)
	}
	return err
}

// DeleteConnection deletes a connection with its roles. fault.Conflict while there are leases of it: nobody could end them.
func (e *Engine) DeleteConnection(ctx context.Context, req fsm.Request, name string) (fsm.Receipt, error) {
	return e.commit(ctx, req, name, func(v *fsm.View, entry *fsm.Entry) error {
		if _, err := find(v, entry.Tenant, name); err != nil {
			return err
		}
		held, err := intended(v, entry.Tenant, name)
		if err == nil && !held {
			err = e.Leases.Accounts(v, entry.Tenant, name, func(string) { held = true })
		}
		if err == nil && held {
			err = fault.New(fault.Conflict, "connection %q has leases: revoke them first (trstctl lease revoke --prefix %s/)", name, name)
		}
		entry.Add(ConnectionDeleted{name})
		return err
	})
}

// intended reports whether a connection has an open intent.
func intended(r fsm.Reader, tenant fsm.UID, connection string) (yes bool, err error) {
	err = intents.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, row intentRow) (bool, error) {
		yes = yes || row.Connection == connection && row.Abandoned == 0
		return !yes, nil
	})
	return yes, err
}

func find(r fsm.Reader, tenant fsm.UID, name string) (connectionRow, error) {
	row, found, err := connections.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no connection %q", name)
	}
	return row, err
}

// GetConnection returns a connection; fault.NotFound when there is none.
func GetConnection(r fsm.Reader, tenant fsm.UID, name string) (Known, error) {
	row, err := find(r, tenant, name)
	return row.known(name), err
}

// Connections returns up to limit connections beyond after, in the order of their names, and where to go on; "" at the end.
func Connections(r fsm.Reader, tenant fsm.UID, after string, limit int) (page []Known, next string, err error) {
	prefix := fsm.K(tenant)
	span := fsm.Span{Prefix: prefix}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = connections.Scan(r, span, func(at fsm.Key, row connectionRow) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Name
			return false, nil
		}
		page = append(page, row.known(nameOf(at[len(prefix):])))
		return true, nil
	})
	return page, next, err
}

// nameOf takes the name out of the last part of a key. Names have no zero bytes, which would be escaped.
func nameOf(last fsm.Key) string { return string(last[1 : len(last)-2]) }
