package kmipclient

import (
	"crypto/hmac"
	"crypto/rand"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Bounds of credentials, in bytes.
const (
	leastPassword = 8
	maxField      = 1024 // of each field
	maxGiven      = 8    // credentials in one request
)

// Credential is what a client shows beside its certificate: a Password or a Device.
type Credential interface {
	kind() string
	fields() [][]byte // all of them, in an order of their own
	check() error
	label() string // the field by which people know it
}

// Password is the credential Username and Password (KMIP 1.4, 2.1.2).
type Password struct {
	Username string
	Password Secret
}

// Device is the credential Device (KMIP 1.4, 2.1.2). Fields that are not there are empty; what a client shows must be the same in all of them.
type Device struct {
	Serial   string
	Password Secret
	ID       string
	Network  string
	Machine  string
	Media    string
}

func (Password) kind() string       { return "password" }
func (Device) kind() string         { return "device" }
func (p Password) label() string    { return p.Username }
func (d Device) label() string      { return d.Serial }
func (p Password) fields() [][]byte { return [][]byte{[]byte(p.Username), p.Password} }
func (d Device) fields() [][]byte {
	return [][]byte{[]byte(d.Serial), d.Password, []byte(d.ID), []byte(d.Network), []byte(d.Machine), []byte(d.Media)}
}

func (p Password) check() error {
	if p.Username == "" || len(p.Password) < leastPassword {
		return fault.Bad("password", "a credential has a username and a password of %d bytes at least", leastPassword)
	}
	return checkFields(p.fields())
}

func (d Device) check() error {
	empty := true
	for _, f := range d.fields() {
		empty = empty && len(f) == 0
	}
	if empty {
		return fault.Bad("device", "a device credential has one field at least")
	}
	return checkFields(d.fields())
}

func checkFields(fields [][]byte) error {
	for _, f := range fields {
		if len(f) > maxField {
			return fault.Bad("credential", "a field of a credential has %d bytes at most", maxField)
		}
	}
	return nil
}

// Verifier recognises a credential: an HMAC under the tenant's own key, which is sealed. Without that key nobody can try a guess, and with it they read all that the
// client can; a hash that is slow on purpose would guard no more, and be computed for every request.
type Verifier struct {
	Label string      `cbor:"1,keyasint,omitempty"` // username or serial number, for people
	Salt  [16]byte    `cbor:"2,keyasint"`
	MAC   Fingerprint `cbor:"3,keyasint"`
}

// String and GoString keep the verifier out of output.
func (v Verifier) String() string   { return fmt.Sprintf("credential %q", v.Label) }
func (v Verifier) GoString() string { return v.String() }

func (e *Engine) mac(r fsm.Reader, tenant, client fsm.UID, salt [16]byte, c Credential) (Fingerprint, error) {
	parts := append([][]byte{client[:], salt[:]}, c.fields()...)
	return e.keys.MAC(r, tenant, "kmipclient "+c.kind()+" v1", parts...)
}

// verifier makes what is stored of a credential.
func (t *turn) verifier(client fsm.UID, c Credential) (*Verifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	v := &Verifier{Label: c.label()}
	_, _ = rand.Read(v.Salt[:]) // never fails: the process ends instead
	var err error
	v.MAC, err = t.mac(t.v, t.entry.Tenant, client, v.Salt, c)
	return v, err
}

func (c clientRow) verifier(kind string) *Verifier {
	if kind == (Password{}).kind() {
		return c.Password
	}
	return c.Device
}

// CheckCredential holds the credentials that came with a request, none or up to eight, against those of the client that its certificate says. Each must be
// the client's own, and where the role asks for a username and password one must be there; a client that has none of a kind is refused with any. Whatever is
// wrong, the refusal is that of Authenticate, and bytes are compared in constant time. It never leads to another client.
func (e *Engine) CheckCredential(r fsm.Reader, c Client, given ...Credential) error {
	row, found, err := clients.Get(r, fsm.K(c.Tenant, c.UID))
	if err != nil {
		return err
	}
	good, named := found && len(given) <= maxGiven, false
	for i := 0; i < len(given) && i < maxGiven; i++ {
		same, err := e.matches(r, c, row.verifier(given[i].kind()), given[i])
		if err != nil {
			return err
		}
		good = good && same
		named = named || given[i].kind() == (Password{}).kind()
	}
	if !good || c.Role.Credential && !named {
		return refused()
	}
	return nil
}

func (e *Engine) matches(r fsm.Reader, c Client, v *Verifier, given Credential) (bool, error) {
	known := v != nil && checkFields(given.fields()) == nil
	if v == nil {
		v = &Verifier{}
	}
	got, err := e.mac(r, c.Tenant, c.UID, v.Salt, given)
	return hmac.Equal(got[:], v.MAC[:]) && known, err
}
