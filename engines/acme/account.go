package acme

import (
	"context"
	"net/mail"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Account is one key that may order certificates.
type Account struct {
	UID      fsm.UID
	JWK      []byte
	Thumb    string
	Contacts []string
	Ended    bool
	Identity string
}

func (row accountRow) known(uid fsm.UID) Account {
	return Account{uid, row.JWK, row.Thumb, row.Contacts, row.Ended, row.Identity}
}

// Accessor is how an account is shown where a token's accessor is otherwise.
func (a Account) Accessor() string { return "acme/" + a.UID.String() }

// ByKey finds an account by the thumbprint of its key; *Problem accountDoesNotExist when there is none.
func ByKey(r fsm.Reader, d Found, thumb string) (Account, error) {
	uid, found, err := thumbs.Get(r, fsm.K(d.UID, thumb))
	if err == nil && !found {
		err = Refuse(fault.Invalid, "accountDoesNotExist", "no account has this key")
	}
	if err != nil {
		return Account{}, err
	}
	return ByID(r, d, uid)
}

// ByID finds an account; *Problem accountDoesNotExist when there is none.
func ByID(r fsm.Reader, d Found, uid fsm.UID) (Account, error) {
	row, found, err := accounts.Get(r, fsm.K(d.UID, uid))
	if err == nil && !found {
		err = Refuse(fault.Invalid, "accountDoesNotExist", "there is no such account")
	}
	return row.known(uid), err
}

// Opening is a new account as somebody asks for it.
type Opening struct {
	JWK      []byte // canonical
	Thumb    string
	Contacts []string
	KID      string                            // of the key that opens it; "": none
	Verify   func(secret []byte) (bool, error) // whether the binding was signed with that key
}

// Open opens an account, or returns the one that has this key; made says which.
func (e *Engine) Open(ctx context.Context, d Found, o Opening) (out Account, made bool, err error) {
	if err := checkContacts(o.Contacts); err != nil {
		return out, false, err
	}
	_, err = e.commit(ctx, request(d.Tenant, "acme", ""), bucket("account", d.UID), func(v *fsm.View, entry *fsm.Entry) error {
		d, err := Find(v, d.UID)
		if err != nil {
			return err
		}
		out, err = ByKey(v, d, o.Thumb)
		if made = TypeOf(err) == "accountDoesNotExist"; !made {
			return err
		}
		identity, err := e.bound(v, d, o)
		if err != nil {
			return err
		}
		ev := AccountMade{UID: newUID(), Directory: d.UID, JWK: o.JWK, Thumb: o.Thumb, Contacts: o.Contacts, KID: o.KID, Identity: identity}
		out = Account{UID: ev.UID, JWK: o.JWK, Thumb: o.Thumb, Contacts: o.Contacts, Identity: identity}
		entry.Actor = fsm.Actor{Identity: identity, Accessor: out.Accessor()}
		entry.Add(ev)
		if err := guard(v, entry, directoryStream(d.Role)); err != nil {
			return err
		}
		return guard(v, entry, bucket("key", d.UID))
	})
	return out, made, err
}

// bound returns the identity of whoever a key was made for, if the binding is signed with it.
func (e *Engine) bound(v *fsm.View, d Found, o Opening) (string, error) {
	row, _, err := directories.Get(v, fsm.K(d.Tenant, d.Role))
	if err != nil {
		return "", err
	}
	if row.Accounts >= maxAccounts {
		return "", Refuse(fault.Limit, "rateLimited", "the directory has %d accounts, the most it may", maxAccounts)
	}
	if o.KID == "" && d.Open {
		return "acme", nil
	}
	if o.KID == "" {
		return "", Refuse(fault.Denied, "externalAccountRequired", "an account is opened with a key: ask for one (trstctl pki acme key %s)", d.Role)
	}
	k, found, err := keys.Get(v, fsm.K(d.UID, o.KID))
	if err != nil {
		return "", err
	}
	if !found || k.Expires <= e.time(v) {
		return "", Refuse(fault.Denied, "unauthorized", "there is no such key, or it has opened an account or expired")
	}
	secret, err := e.Keys.Open(v, keyBinding(d.Tenant, d.UID, o.KID), k.Key)
	if err != nil {
		return "", err
	}
	defer clear(secret)
	if ok, err := o.Verify(secret); err != nil || !ok {
		return "", Refuse(fault.Denied, "unauthorized", "the external account binding is not signed with that key")
	}
	return k.Identity, nil
}

// checkContacts takes addresses of mail alone (RFC 8555, section 7.3).
func checkContacts(all []string) error {
	if len(all) > maxContacts {
		return Refuse(fault.Invalid, "invalidContact", "an account has %d contacts at most", maxContacts)
	}
	for _, c := range all {
		address, ok := strings.CutPrefix(c, "mailto:")
		if !ok {
			return Refuse(fault.Invalid, "unsupportedContact", "a contact is a mailto: address")
		}
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address || len(c) > 256 {
			return Refuse(fault.Invalid, "invalidContact", "a contact is one address of mail")
		}
	}
	return nil
}

// Change is what becomes of an account; nil stays.
type Change struct {
	Contacts *[]string
	End      bool
	JWK      []byte // another key, with its Thumb
	Thumb    string
}

// ChangeAccount changes an account. *Problem for a key that another account has.
func (e *Engine) ChangeAccount(ctx context.Context, d Found, a Account, c Change) (out Account, err error) {
	if c.Contacts != nil {
		if err := checkContacts(*c.Contacts); err != nil {
			return out, err
		}
	}
	_, err = e.commit(ctx, request(d.Tenant, a.Identity, a.Accessor()), bucket("account", d.UID), func(v *fsm.View, entry *fsm.Entry) error {
		if out, err = alive(v, d, a.UID); err != nil {
			return err
		}
		if c.Contacts != nil {
			out.Contacts = *c.Contacts
		}
		if c.Thumb != "" {
			if _, taken, err := thumbs.Get(v, fsm.K(d.UID, c.Thumb)); err != nil || taken {
				return or(err, Refuse(fault.Conflict, "malformed", "another account has this key"))
			}
			out.JWK, out.Thumb = c.JWK, c.Thumb
		}
		out.Ended = c.End
		entry.Add(AccountChanged{a.UID, d.UID, out.JWK, out.Thumb, out.Contacts, out.Ended})
		return nil
	})
	return out, err
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// alive finds an account that may act.
func alive(r fsm.Reader, d Found, uid fsm.UID) (Account, error) {
	a, err := ByID(r, d, uid)
	if err == nil && a.Ended {
		err = Refuse(fault.Denied, "unauthorized", "the account is deactivated")
	}
	return a, err
}
