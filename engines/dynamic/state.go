package dynamic

import (
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
)

// Role is what accounts are made by.
type Role struct {
	Name      string        `cbor:"1,keyasint"`
	Grant     backend.Role  `cbor:"2,keyasint"`
	TTL       time.Duration `cbor:"3,keyasint"`
	MaxTTL    time.Duration `cbor:"4,keyasint"`
	MaxLeases uint64        `cbor:"5,keyasint,omitempty"` // 0: no bound of its own
}

// connectionRow is a connection as it is stored.
type connectionRow struct {
	UID      fsm.UID        `cbor:"1,keyasint"`
	Backend  string         `cbor:"2,keyasint"`
	Config   backend.Config `cbor:"3,keyasint"`
	Username string         `cbor:"4,keyasint"`
	Password fsm.Sealed     `cbor:"5,keyasint"`
	Next     fsm.Sealed     `cbor:"6,keyasint"` // the password that a rotation is about to set, or has set
	Length   int            `cbor:"7,keyasint"`
	Seq      uint64         `cbor:"8,keyasint"`  // of the record that changed it last: sessions of before are stale, and what is sealed binds it
	Sealed   uint64         `cbor:"9,keyasint"`  // number of Password
	Given    uint64         `cbor:"10,keyasint"` // the highest number of a password
	Written  fsm.Time       `cbor:"11,keyasint"`
	By       string         `cbor:"12,keyasint"`
	Rotated  fsm.Time       `cbor:"13,keyasint,omitempty"` // its password is known to the cluster alone since then
	Rotating fsm.Time       `cbor:"14,keyasint,omitempty"`
	Nobodys  uint64         `cbor:"16,keyasint,omitempty"` // abandoned accounts that are still looked for
	Replaced bool           `cbor:"15,keyasint,omitempty"` // Password is the one that the target has drawn, and those of before are to end
}

// intentRow is an account that is about to be made, or that nobody gets.
type intentRow struct {
	Connection string        `cbor:"1,keyasint"`
	Role       string        `cbor:"2,keyasint"`
	Account    string        `cbor:"3,keyasint"`
	Lease      string        `cbor:"4,keyasint"`
	Life       time.Duration `cbor:"5,keyasint"`
	At         fsm.Time      `cbor:"6,keyasint"`
	Abandoned  fsm.Time      `cbor:"7,keyasint,omitempty"`
}

// Tables.
var (
	connections = fsm.NewTable[connectionRow]("dynamic.connection") // key: tenant, name
	roles       = fsm.NewTable[Role]("dynamic.role")                // key: tenant, connection, name
	intents     = fsm.NewTable[intentRow]("dynamic.intent")         // key: tenant, id
)

// Register registers the events of dynamic secrets.
func Register(r *fsm.Registry) {
	fsm.On(r, applyConnectionWritten)
	fsm.On(r, applyConnectionDeleted)
	fsm.On(r, applyRootRotating)
	fsm.On(r, applyRootReplaced)
	fsm.On(r, applyRootRotated)
	fsm.On(r, applyRoleWritten)
	fsm.On(r, applyRoleDeleted)
	fsm.On(r, applyIntended)
	fsm.On(r, applyIssued)
	fsm.On(r, applyAbandoned)
	fsm.On(r, applyForgotten)
}

// applyConnectionWritten keeps the password where the event brings none.
func applyConnectionWritten(tx *fsm.Tx, m fsm.Meta, e ConnectionWritten) error {
	at := fsm.K(m.Tenant, e.Name)
	old, _, err := connections.Get(tx, at)
	if err != nil {
		return err
	}
	row := old
	row.UID, row.Backend, row.Config, row.Username, row.Length, row.Written, row.By, row.Seq = e.UID, e.Backend, e.Config, e.Username, e.Length, m.At, m.Actor.Identity, m.Seq
	if !e.Password.IsZero() {
		err = errors.Join(tx.Destroy(old.Password), tx.Destroy(old.Next))
		row.Given++
		row.Password, row.Sealed, row.Next, row.Rotated, row.Rotating = e.Password, row.Given, fsm.Sealed{}, 0, 0
	}
	return errors.Join(err, connections.Put(tx, at, row))
}

func applyConnectionDeleted(tx *fsm.Tx, m fsm.Meta, e ConnectionDeleted) error {
	at := fsm.K(m.Tenant, e.Name)
	row, found, err := connections.Get(tx, at)
	if err != nil || !found {
		return missing("connection", e.Name, err)
	}
	err = errors.Join(tx.Destroy(row.Password), tx.Destroy(row.Next), connections.Delete(tx, at))
	var names []string
	err = errors.Join(err, roles.Scan(tx, fsm.Span{Prefix: at}, func(_ fsm.Key, r Role) (bool, error) {
		names = append(names, r.Name)
		return true, nil
	}))
	for _, n := range names {
		err = errors.Join(err, roles.Delete(tx, fsm.K(m.Tenant, e.Name, n)))
	}
	return err
}

func applyRootRotating(tx *fsm.Tx, m fsm.Meta, e RootRotating) error {
	return changeConnection(tx, m, e.Name, func(row *connectionRow) error {
		row.Rotating = m.At
		if e.Password.IsZero() {
			return nil
		}
		err := tx.Destroy(row.Next)
		row.Given++
		row.Next = e.Password
		return err
	})
}

func applyRootReplaced(tx *fsm.Tx, m fsm.Meta, e RootReplaced) error {
	return changeConnection(tx, m, e.Name, func(row *connectionRow) error {
		err := tx.Destroy(row.Password)
		row.Given++
		row.Username, row.Password, row.Sealed, row.Replaced = e.Username, e.Password, row.Given, true
		return err
	})
}

func applyRootRotated(tx *fsm.Tx, m fsm.Meta, e RootRotated) error {
	return changeConnection(tx, m, e.Name, func(row *connectionRow) (err error) {
		if !row.Next.IsZero() {
			err = tx.Destroy(row.Password)
			row.Password, row.Sealed, row.Next = row.Next, row.Given, fsm.Sealed{}
		}
		row.Rotated, row.Rotating, row.Replaced = m.At, 0, false
		return err
	})
}

func changeConnection(tx *fsm.Tx, m fsm.Meta, name string, f func(*connectionRow) error) error {
	at := fsm.K(m.Tenant, name)
	row, found, err := connections.Get(tx, at)
	if err != nil || !found {
		return missing("connection", name, err)
	}
	row.Seq = m.Seq
	return errors.Join(f(&row), connections.Put(tx, at, row))
}

func applyRoleWritten(tx *fsm.Tx, m fsm.Meta, e RoleWritten) error {
	return roles.Put(tx, fsm.K(m.Tenant, e.Connection, e.Role.Name), e.Role)
}

func applyRoleDeleted(tx *fsm.Tx, m fsm.Meta, e RoleDeleted) error {
	return roles.Delete(tx, fsm.K(m.Tenant, e.Connection, e.Role))
}

func applyIntended(tx *fsm.Tx, m fsm.Meta, e Intended) error {
	return intents.Put(tx, fsm.K(m.Tenant, e.ID), intentRow{e.Connection, e.Role, e.Account, e.Lease, e.Life, m.At, 0})
}

func applyIssued(tx *fsm.Tx, m fsm.Meta, e Issued) error {
	return intents.Delete(tx, fsm.K(m.Tenant, e.ID))
}

func applyAbandoned(tx *fsm.Tx, m fsm.Meta, e Abandoned) error {
	at := fsm.K(m.Tenant, e.ID)
	row, found, err := intents.Get(tx, at)
	if err != nil || !found {
		return missing("intent", e.ID.String(), err)
	}
	row.Abandoned = m.At
	return errors.Join(intents.Put(tx, at, row), countNobodys(tx, m.Tenant, row.Connection, 1))
}

// countNobodys counts abandoned accounts. A connection that was deleted meanwhile, and made anew, begins at none.
func countNobodys(tx *fsm.Tx, tenant fsm.UID, connection string, by int64) error {
	at := fsm.K(tenant, connection)
	row, found, err := connections.Get(tx, at)
	if err != nil || !found || by < 0 && row.Nobodys == 0 {
		return err
	}
	row.Nobodys += uint64(by)
	return connections.Put(tx, at, row)
}

func applyForgotten(tx *fsm.Tx, m fsm.Meta, e Forgotten) error {
	at := fsm.K(m.Tenant, e.ID)
	row, found, err := intents.Get(tx, at)
	if err != nil || !found {
		return err
	}
	err = intents.Delete(tx, at)
	if row.Abandoned > 0 {
		err = errors.Join(err, countNobodys(tx, m.Tenant, row.Connection, -1))
	}
	return err
}

// missing is an event about something that is not there, which no decision makes.
func missing(what, name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an event is about %s %q, which there is not", what, name)
}

// numbered is the number that the next password of a connection gets: what it is sealed under binds it.
func (row connectionRow) numbered() uint64 { return row.Given + 1 }

func passwordBinding(tenant, connection fsm.UID, number uint64) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "dynamic", Field: "password", Path: connection.String(), Version: number}
}

// Places walks the passwords of all connections with where they stand.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return connections.Scan(r, fsm.Span{}, func(at fsm.Key, row connectionRow) (bool, error) {
		tenant, _ := at.UID()
		err := visit(passwordBinding(tenant, row.UID, row.Sealed), row.Password)
		if err == nil && !row.Next.IsZero() {
			err = visit(passwordBinding(tenant, row.UID, row.Given), row.Next)
		}
		return err == nil, err
	})
}
