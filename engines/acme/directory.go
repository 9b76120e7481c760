package acme

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Directory is where clients of ACME find a role.
type Directory struct {
	Role     string   `cbor:"1,keyasint"`
	UID      fsm.UID  `cbor:"2,keyasint"` // clients begin at /acme/UID/directory
	Open     bool     `cbor:"3,keyasint"` // accounts need no key
	Accounts uint64   `cbor:"4,keyasint"`
	Written  fsm.Time `cbor:"5,keyasint"`
	By       string   `cbor:"6,keyasint"`
}

func (row directoryRow) known(role string) Directory {
	return Directory{role, row.UID, row.Open, row.Accounts, row.Written, row.By}
}

// WriteDirectory lets clients of ACME find a role. open says that whoever reaches the node may have an account, without a key.
func (e *Engine) WriteDirectory(ctx context.Context, req fsm.Request, role string, open bool) (out Directory, rc fsm.Receipt, err error) {
	rc, err = e.commit(ctx, req, directoryStream(role), func(v *fsm.View, entry *fsm.Entry) error {
		if err := e.Certificates.Permits(v, entry.Tenant, role, "", nil); err != nil {
			return err
		}
		row, found, err := directories.Get(v, fsm.K(entry.Tenant, role))
		if err != nil {
			return err
		}
		if !found {
			row.UID = newUID()
		}
		row.Open, row.Written, row.By = open, e.time(v), entry.Actor.Identity
		entry.Add(DirectoryWritten{role, row.UID, open})
		entry.Reply.Public, err = fsm.Encode(row.known(role))
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

// DeleteDirectory ends a directory with its accounts. Certificates stay as they are.
func (e *Engine) DeleteDirectory(ctx context.Context, req fsm.Request, role string) (fsm.Receipt, error) {
	return e.commit(ctx, req, directoryStream(role), func(v *fsm.View, entry *fsm.Entry) error {
		_, err := GetDirectory(v, entry.Tenant, role)
		entry.Add(DirectoryDeleted{role})
		return err
	})
}

// GetDirectory returns the directory of a role; fault.NotFound when there is none.
func GetDirectory(r fsm.Reader, tenant fsm.UID, role string) (Directory, error) {
	row, found, err := directories.Get(r, fsm.K(tenant, role))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "role %q has no ACME directory", role)
	}
	return row.known(role), err
}

// Key opens one account (external account binding). Its secret is base64url, as clients want it.
type Key struct {
	KID     string   `cbor:"1,keyasint"`
	Expires fsm.Time `cbor:"2,keyasint"`

	Secret Secret `cbor:"-"`
}

// Secret is what an account is opened with. It prints as [redacted]; whoever sends it converts it to []byte on purpose.
type Secret []byte

// String, GoString, Format, LogValue, MarshalText and MarshalJSON keep the secret out of every kind of output.
func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(redacted)) // fmt reports what its writer refuses
}

const redacted = "[redacted]"

// MakeKey makes a key that opens one account within a week. identity is what the account's certificates are asked for as: the role's patterns may name it. The secret is
// answered again to the same request with the same Idempotency-Key for 15 minutes.
func (e *Engine) MakeKey(ctx context.Context, req fsm.Request, role, identity, idempotencyKey string) (out Key, rc fsm.Receipt, err error) {
	secret := []byte(newToken() + newToken()) // 384 bits; its text is the key's bytes
	rc, err = e.commit(ctx, req, directoryStream(role), func(v *fsm.View, entry *fsm.Entry) error {
		d, err := GetDirectory(v, entry.Tenant, role)
		if err == nil {
			err = keyRoom(v, d.UID)
		}
		if err != nil {
			return err
		}
		made := KeyMade{Directory: d.UID, KID: newToken(), Identity: identity, Expires: e.time(v).Add(keyLife)}
		if made.Key, err = e.Keys.Seal(v, keyBinding(entry.Tenant, d.UID, made.KID), secret); err != nil {
			return err
		}
		if req.Receipt != nil {
			if entry.Reply.Secret, err = e.Keys.SealAnswer(v, answerBinding(entry.Tenant, made.KID), idempotencyKey, secret); err != nil {
				return err
			}
		}
		entry.Add(made)
		entry.Reply.Public, err = fsm.Encode(Key{KID: made.KID, Expires: made.Expires})
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	if err == nil && rc.Replayed {
		clear(secret)
		secret, err = e.again(req, out.KID, idempotencyKey, rc)
	}
	if err != nil {
		return Key{}, rc, err
	}
	defer clear(secret)
	out.Secret = base64.RawURLEncoding.AppendEncode(nil, secret)
	return out, rc, nil
}

func (e *Engine) again(req fsm.Request, kid, idempotencyKey string, rc fsm.Receipt) ([]byte, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	secret, err := e.Keys.OpenAnswer(v, answerBinding(req.Tenant, kid), idempotencyKey, rc.Reply.Secret)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "this request was answered before; the key is no longer kept: make another")
	}
	return secret, err
}

func answerBinding(tenant fsm.UID, kid string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "acme", Field: "account-key-answer", Path: kid, Version: 1}
}

func keyRoom(r fsm.Reader, directory fsm.UID) error {
	n := 0
	err := keys.Scan(r, fsm.Span{Prefix: fsm.K(directory)}, func(fsm.Key, keyRow) (bool, error) {
		n++
		return n < maxKeys, nil
	})
	if err == nil && n >= maxKeys {
		err = fault.New(fault.Limit, "the directory has %d keys that nobody has used, the most it may", maxKeys)
	}
	return err
}

// Found is a directory as clients see it.
type Found struct {
	Tenant fsm.UID
	UID    fsm.UID
	Role   string
	Open   bool
}

// Find finds a directory of any tenant by its UID; fault.NotFound when there is none.
func Find(r fsm.Reader, uid fsm.UID) (Found, error) {
	where, found, err := homes.Get(r, fsm.K(uid))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no such directory")
	}
	if err != nil {
		return Found{}, err
	}
	row, _, err := directories.Get(r, fsm.K(where.Tenant, where.Role))
	return Found{where.Tenant, uid, where.Role, row.Open}, err
}

// DropTenant ends the directories of a tenant that is deleted. It implements tenant.Undertaker.
func (e *Engine) DropTenant(r fsm.Reader, tenant fsm.UID) (all []fsm.Event, err error) {
	err = homes.Scan(r, fsm.Span{}, func(_ fsm.Key, where home) (bool, error) {
		if where.Tenant == tenant {
			all = append(all, DirectoryDeleted{where.Role})
		}
		return true, nil
	})
	return all, err
}
