package acme

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Status is what became of an account, order or authorization (RFC 8555, section 7.1.6).
type Status string

// The statuses that are stored.
const (
	Pending     Status = "pending"
	Processing  Status = "processing"
	Ready       Status = "ready"
	Valid       Status = "valid"
	Invalid     Status = "invalid"
	Deactivated Status = "deactivated"
)

// ProofKind is how a name is proved.
type ProofKind string

// The kinds: RFC 8555, sections 8.3 and 8.4, and RFC 8737. A wildcard is proved by DNS alone.
const (
	HTTP ProofKind = "http-01"
	DNS  ProofKind = "dns-01"
	ALPN ProofKind = "tls-alpn-01"
)

type directoryRow struct {
	UID      fsm.UID  `cbor:"1,keyasint"`
	Open     bool     `cbor:"2,keyasint,omitempty"`
	Accounts uint64   `cbor:"3,keyasint,omitempty"`
	Written  fsm.Time `cbor:"4,keyasint"`
	By       string   `cbor:"5,keyasint"`
}

// home is where a directory is kept.
type home struct {
	Tenant fsm.UID `cbor:"1,keyasint"`
	Role   string  `cbor:"2,keyasint"`
}

type keyRow struct {
	Key      fsm.Sealed `cbor:"1,keyasint"`
	Identity string     `cbor:"2,keyasint"`
	Expires  fsm.Time   `cbor:"3,keyasint"`
	By       string     `cbor:"4,keyasint"`
}

type accountRow struct {
	Directory fsm.UID  `cbor:"1,keyasint"`
	JWK       []byte   `cbor:"2,keyasint"`
	Thumb     string   `cbor:"3,keyasint"`
	Contacts  []string `cbor:"4,keyasint,omitempty"`
	Ended     bool     `cbor:"5,keyasint,omitempty"`
	KID       string   `cbor:"6,keyasint,omitempty"`
	Identity  string   `cbor:"7,keyasint"`
	At        fsm.Time `cbor:"8,keyasint"`
}

type orderRow struct {
	Account fsm.UID  `cbor:"1,keyasint"`
	Status  Status   `cbor:"2,keyasint"`
	Names   []Named  `cbor:"3,keyasint"`
	Expires fsm.Time `cbor:"4,keyasint"`
	Serial  string   `cbor:"5,keyasint,omitempty"`
	Chain   [][]byte `cbor:"6,keyasint,omitempty"`
}

type authRow struct {
	Order  fsm.UID   `cbor:"1,keyasint"`
	Status Status    `cbor:"2,keyasint"`
	Kind   ProofKind `cbor:"3,keyasint,omitempty"` // that was chosen
	At     fsm.Time  `cbor:"4,keyasint,omitempty"` // when it was settled
	Type   string    `cbor:"5,keyasint,omitempty"`
	Detail string    `cbor:"6,keyasint,omitempty"`
	Name   Named     `cbor:"7,keyasint"`
}

// Tables. Rows of accounts and below are found by their UIDs, which nobody guesses; their tenant stands before it.
var (
	directories = fsm.NewTable[directoryRow]("acme.directory") // key: tenant, role
	homes       = fsm.NewTable[home]("acme.home")              // key: UID of a directory
	keys        = fsm.NewTable[keyRow]("acme.key")             // key: UID of a directory, kid
	accounts    = fsm.NewTable[accountRow]("acme.account")     // key: UID of a directory, UID
	thumbs      = fsm.NewTable[fsm.UID]("acme.thumb")          // key: UID of a directory, thumbprint of the key -> account
	orders      = fsm.NewTable[orderRow]("acme.order")         // key: tenant, UID
	ofAccount   = fsm.NewTable[fsm.UID]("acme.order-of")       // key: UID of an account, UID of an order that is neither valid nor invalid -> order
	auths       = fsm.NewTable[authRow]("acme.authorization")  // key: tenant, UID
	proofs      = fsm.NewTable[fsm.UID]("acme.proof")          // key: tenant, UID of an authorization that is to be proved -> account
	expiries    = fsm.NewTable[fsm.UID]("acme.expiry")         // key: when an order expires, tenant, UID -> order
)

// Register registers the events of ACME.
func Register(r *fsm.Registry) {
	fsm.On(r, applyDirectoryWritten)
	fsm.On(r, applyDirectoryDeleted)
	fsm.On(r, applyKeyMade)
	fsm.On(r, applyAccountMade)
	fsm.On(r, applyAccountChanged)
	fsm.On(r, applyOrderMade)
	fsm.On(r, applyProofAsked)
	fsm.On(r, applyProofSettled)
	fsm.On(r, applyAuthorizationEnded)
	fsm.On(r, applyOrderFinalized)
	fsm.On(r, applyOrdersForgotten)
}

func applyDirectoryWritten(tx *fsm.Tx, m fsm.Meta, e DirectoryWritten) error {
	at := fsm.K(m.Tenant, e.Role)
	row, _, err := directories.Get(tx, at)
	if err != nil {
		return err
	}
	row.UID, row.Open, row.Written, row.By = e.UID, e.Open, m.At, m.Actor.Identity
	return errors.Join(directories.Put(tx, at, row), homes.Put(tx, fsm.K(e.UID), home{m.Tenant, e.Role}))
}

// applyDirectoryDeleted leaves orders where they are: they expire.
func applyDirectoryDeleted(tx *fsm.Tx, m fsm.Meta, e DirectoryDeleted) error {
	at := fsm.K(m.Tenant, e.Role)
	row, found, err := directories.Get(tx, at)
	if err != nil || !found {
		return missing("directory", e.Role, err)
	}
	prefix := fsm.K(row.UID)
	err = errors.Join(directories.Delete(tx, at), homes.Delete(tx, prefix))
	err = errors.Join(err, drop(tx, keys, prefix, func(k keyRow) error { return tx.Destroy(k.Key) }))
	err = errors.Join(err, drop(tx, accounts, prefix, func(accountRow) error { return nil }))
	return errors.Join(err, drop(tx, thumbs, prefix, func(fsm.UID) error { return nil }))
}

// drop deletes all rows with a prefix.
func drop[T any](tx *fsm.Tx, from fsm.Table[T], prefix fsm.Key, before func(T) error) error {
	var all []fsm.Key
	err := from.Scan(tx, fsm.Span{Prefix: prefix}, func(at fsm.Key, row T) (bool, error) {
		all = append(all, append(fsm.Key(nil), at...))
		return true, before(row)
	})
	for _, at := range all {
		err = errors.Join(err, from.Delete(tx, at))
	}
	return err
}

func applyKeyMade(tx *fsm.Tx, m fsm.Meta, e KeyMade) error {
	return keys.Put(tx, fsm.K(e.Directory, e.KID), keyRow{e.Key, e.Identity, e.Expires, m.Actor.Identity})
}

// applyAccountMade ends the key that opened the account: it opens no second one.
func applyAccountMade(tx *fsm.Tx, m fsm.Meta, e AccountMade) error {
	where, found, err := homes.Get(tx, fsm.K(e.Directory))
	if err != nil || !found {
		return missing("directory", e.Directory.String(), err)
	}
	at := fsm.K(where.Tenant, where.Role)
	d, _, err := directories.Get(tx, at)
	d.Accounts++
	err = errors.Join(err, directories.Put(tx, at, d))
	if e.KID != "" {
		k, _, failed := keys.Get(tx, fsm.K(e.Directory, e.KID))
		err = errors.Join(err, failed, tx.Destroy(k.Key), keys.Delete(tx, fsm.K(e.Directory, e.KID)))
	}
	row := accountRow{e.Directory, e.JWK, e.Thumb, e.Contacts, false, e.KID, e.Identity, m.At}
	return errors.Join(err, accounts.Put(tx, fsm.K(e.Directory, e.UID), row), thumbs.Put(tx, fsm.K(e.Directory, e.Thumb), e.UID))
}

func applyAccountChanged(tx *fsm.Tx, m fsm.Meta, e AccountChanged) error {
	at := fsm.K(e.Directory, e.UID)
	row, found, err := accounts.Get(tx, at)
	if err != nil || !found {
		return missing("account", e.UID.String(), err)
	}
	err = thumbs.Delete(tx, fsm.K(e.Directory, row.Thumb))
	row.JWK, row.Thumb, row.Contacts, row.Ended = e.JWK, e.Thumb, e.Contacts, e.Ended
	return errors.Join(err, accounts.Put(tx, at, row), thumbs.Put(tx, fsm.K(e.Directory, e.Thumb), e.UID))
}

func applyOrderMade(tx *fsm.Tx, m fsm.Meta, e OrderMade) error {
	row := orderRow{Account: e.Account, Status: Pending, Names: e.Names, Expires: e.Expires}
	err := errors.Join(orders.Put(tx, fsm.K(m.Tenant, e.UID), row), ofAccount.Put(tx, fsm.K(e.Account, e.UID), e.UID), expiries.Put(tx, fsm.K(e.Expires, m.Tenant, e.UID), e.UID))
	for _, n := range e.Names {
		err = errors.Join(err, auths.Put(tx, fsm.K(m.Tenant, n.UID), authRow{Order: e.UID, Status: Pending, Name: n}))
	}
	return err
}

func applyProofAsked(tx *fsm.Tx, m fsm.Meta, e ProofAsked) error {
	return changeAuth(tx, m.Tenant, e.Authorization, func(a *authRow, o *orderRow) error {
		a.Status, a.Kind = Processing, e.Kind
		return proofs.Put(tx, fsm.K(m.Tenant, e.Authorization), o.Account)
	})
}

func applyProofSettled(tx *fsm.Tx, m fsm.Meta, e ProofSettled) error {
	return changeAuth(tx, m.Tenant, e.Authorization, func(a *authRow, o *orderRow) error {
		a.At, a.Type, a.Detail, a.Status = m.At, e.Type, e.Detail, Valid
		if e.Type != "" {
			a.Status, o.Status = Invalid, Invalid
		}
		return proofs.Delete(tx, fsm.K(m.Tenant, e.Authorization))
	})
}

func applyAuthorizationEnded(tx *fsm.Tx, m fsm.Meta, e AuthorizationEnded) error {
	return changeAuth(tx, m.Tenant, e.Authorization, func(a *authRow, o *orderRow) error {
		if a.Status = Deactivated; o.Status != Valid {
			o.Status = Invalid
		}
		return proofs.Delete(tx, fsm.K(m.Tenant, e.Authorization))
	})
}

// changeAuth changes an authorization with its order, which is ready once all its names are proved.
func changeAuth(tx *fsm.Tx, tenant, uid fsm.UID, f func(*authRow, *orderRow) error) error {
	a, found, err := auths.Get(tx, fsm.K(tenant, uid))
	if err != nil || !found {
		return missing("authorization", uid.String(), err)
	}
	o, found, err := orders.Get(tx, fsm.K(tenant, a.Order))
	if err != nil || !found {
		return missing("order", a.Order.String(), err)
	}
	if err := f(&a, &o); err != nil {
		return err
	}
	if err := auths.Put(tx, fsm.K(tenant, uid), a); err != nil {
		return err
	}
	if o.Status == Pending {
		all, err := proved(tx, tenant, o)
		if err != nil {
			return err
		}
		if all {
			o.Status = Ready
		}
	}
	if o.Status == Invalid { // it counts no more as one that is open
		if err := ofAccount.Delete(tx, fsm.K(o.Account, a.Order)); err != nil {
			return err
		}
	}
	return orders.Put(tx, fsm.K(tenant, a.Order), o)
}

func proved(r fsm.Reader, tenant fsm.UID, o orderRow) (bool, error) {
	for _, n := range o.Names {
		a, _, err := auths.Get(r, fsm.K(tenant, n.UID))
		if err != nil || a.Status != Valid {
			return false, err
		}
	}
	return true, nil
}

func applyOrderFinalized(tx *fsm.Tx, m fsm.Meta, e OrderFinalized) error {
	at := fsm.K(m.Tenant, e.UID)
	o, found, err := orders.Get(tx, at)
	if err != nil || !found {
		return missing("order", e.UID.String(), err)
	}
	o.Status, o.Serial, o.Chain = Valid, e.Serial, e.Chain
	return errors.Join(orders.Put(tx, at, o), ofAccount.Delete(tx, fsm.K(o.Account, e.UID)))
}

func applyOrdersForgotten(tx *fsm.Tx, m fsm.Meta, e OrdersForgotten) error {
	for _, uid := range e.Orders {
		at := fsm.K(m.Tenant, uid)
		o, found, err := orders.Get(tx, at)
		if err != nil || !found {
			return missing("order", uid.String(), err)
		}
		for _, n := range o.Names {
			err = errors.Join(err, auths.Delete(tx, fsm.K(m.Tenant, n.UID)), proofs.Delete(tx, fsm.K(m.Tenant, n.UID)))
		}
		err = errors.Join(err, orders.Delete(tx, at), ofAccount.Delete(tx, fsm.K(o.Account, uid)), expiries.Delete(tx, fsm.K(o.Expires, m.Tenant, uid)))
		if err != nil {
			return err
		}
	}
	return nil
}

// missing is an event about something that is not there, which no decision makes.
func missing(what, name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an event is about ACME %s %q, which there is not", what, name)
}

func keyBinding(tenant, directory fsm.UID, kid string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "acme", Field: "account-key", Path: directory.String() + "/" + kid, Version: 1}
}

// Places walks the keys of all external account bindings with where they stand.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return homes.Scan(r, fsm.Span{}, func(at fsm.Key, where home) (bool, error) {
		directory, _ := at.UID()
		err := keys.Scan(r, fsm.Span{Prefix: fsm.K(directory)}, func(at fsm.Key, row keyRow) (bool, error) {
			kid, err := textAt(at, uidSize)
			if err == nil {
				err = visit(keyBinding(where.Tenant, directory, kid), row.Key)
			}
			return err == nil, err
		})
		return err == nil, err
	})
}

// uidSize is the length of a UID in a key, with its type.
const uidSize = 17

// textAt is the last part of a key, a string without zero bytes that begins at a place.
func textAt(at fsm.Key, from int) (string, error) {
	if len(at) < from+3 {
		return "", fault.New(fault.Corrupt, "a key of ACME's tables is too short")
	}
	return string(at[from+1 : len(at)-2]), nil
}
