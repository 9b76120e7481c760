package kmipclient

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
)

// tenantRow is what is kept of a tenant.
type tenantRow struct {
	Clients   uint64 `cbor:"1,keyasint,omitempty"`
	Roles     uint64 `cbor:"2,keyasint,omitempty"`
	Confirmed uint32 `cbor:"3,keyasint,omitempty"` // epoch in which all clients of that time were confirmed; 0 stands for the first
}

// clientRow is a client as it is stored.
type clientRow struct {
	Name     string    `cbor:"1,keyasint"`
	Role     string    `cbor:"2,keyasint"`
	Password *Verifier `cbor:"3,keyasint,omitempty"`
	Device   *Verifier `cbor:"4,keyasint,omitempty"`
	Created  fsm.Time  `cbor:"5,keyasint"`
	By       string    `cbor:"6,keyasint"`
	Revoked  fsm.Time  `cbor:"7,keyasint,omitempty"` // 0: it is not
	Epoch    uint32    `cbor:"8,keyasint,omitempty"` // in which it was made or last confirmed by itself; 0 stands for the first
	Given    uint64    `cbor:"9,keyasint,omitempty"` // number of its last binding
	Expires  fsm.Time  `cbor:"10,keyasint,omitempty"`
}

// bindingRow is what a client is known by. It is small, so that the state keeps it at hand for the next request; the certificate stands elsewhere.
type bindingRow struct {
	Kind      Kind        `cbor:"1,keyasint"`
	Print     Fingerprint `cbor:"2,keyasint"`
	PublicKey Fingerprint `cbor:"3,keyasint"`
	CA        fsm.UID     `cbor:"4,keyasint"`
	CAKey     Fingerprint `cbor:"5,keyasint"`
	Issuer    []byte      `cbor:"6,keyasint,omitempty"`
	Subject   []byte      `cbor:"7,keyasint,omitempty"`
	Expires   fsm.Time    `cbor:"8,keyasint,omitempty"`
	Ends      fsm.Time    `cbor:"9,keyasint,omitempty"`
	Revoked   fsm.Time    `cbor:"10,keyasint,omitempty"`
	At        fsm.Time    `cbor:"11,keyasint"`
	By        string      `cbor:"12,keyasint"`
	Answer    fsm.Sealed  `cbor:"13,keyasint"`
}

// Tables. All but claims and subjects hold a tenant's own.
var (
	tenants      = fsm.NewTable[tenantRow]("kmipclient.tenant")      // key: tenant
	cas          = fsm.NewTable[caRow]("kmipclient.ca")              // key: tenant, UID
	caCerts      = fsm.NewTable[[]byte]("kmipclient.ca_certificate") // key: tenant, UID -> DER
	clients      = fsm.NewTable[clientRow]("kmipclient.client")      // key: tenant, UID
	names        = fsm.NewTable[fsm.UID]("kmipclient.name")          // key: tenant, name
	bindings     = fsm.NewTable[bindingRow]("kmipclient.binding")    // key: tenant, client, number
	certificates = fsm.NewTable[[]byte]("kmipclient.certificate")    // key: tenant, client, number -> DER
	claims       = fsm.NewTable[claimRow]("kmipclient.claim")        // key: kind, sum; never deleted
	subjects     = fsm.NewTable[subjectRow]("kmipclient.subject")    // key: issuer's raw name, raw subject, CA's key
	roles        = fsm.NewTable[Role]("kmipclient.role")             // key: tenant, name
	members      = fsm.NewTable[bool]("kmipclient.member")           // key: tenant, role, client
	expiries     = fsm.NewTable[bool]("kmipclient.expiry")           // key: when the last certificate of a client expires, tenant, client
)

// Register registers the events of KMIP's clients.
func Register(r *fsm.Registry) {
	fsm.On(r, applyCAAdded)
	fsm.On(r, applyCARemoved)
	fsm.On(r, applyEnrolled)
	fsm.On(r, applyBound)
	fsm.On(r, applyClaimed)
	fsm.On(r, applyConfigured)
	fsm.On(r, applyRevoked)
	fsm.On(r, applyDeleted)
	fsm.On(r, applyConfirmed)
	fsm.On(r, applyRoleSet)
	fsm.On(r, applyRoleDeleted)
}

func applyEnrolled(tx *fsm.Tx, m fsm.Meta, e Enrolled) error {
	row := clientRow{Name: e.Name, Role: e.Role, Password: e.Password, Device: e.Device, Created: m.At, By: m.Actor.Identity, Epoch: noted(fsm.Epoch(tx))}
	return errors.Join(
		clients.Put(tx, fsm.K(m.Tenant, e.UID), row),
		names.Put(tx, fsm.K(m.Tenant, e.Name), e.UID),
		members.Put(tx, fsm.K(m.Tenant, e.Role, e.UID), true),
		changeTenant(tx, m.Tenant, func(t *tenantRow) { t.Clients++ }))
}

func applyConfigured(tx *fsm.Tx, m fsm.Meta, e Configured) error {
	return changeClient(tx, m.Tenant, e.Client, func(c *clientRow) error {
		err := errors.Join(members.Delete(tx, fsm.K(m.Tenant, c.Role, e.Client)), members.Put(tx, fsm.K(m.Tenant, e.Role, e.Client), true))
		c.Role, c.Password, c.Device = e.Role, e.Password, e.Device
		return err
	})
}

// applyDeleted leaves the claims: nothing that the client was known by is bound again, save a subject by its own tenant.
func applyDeleted(tx *fsm.Tx, m fsm.Meta, e Deleted) error {
	c, found, err := clients.Get(tx, fsm.K(m.Tenant, e.Client))
	if err != nil || !found {
		return missing(e.Client, err)
	}
	all, err := bindingsOf(tx, m.Tenant, e.Client)
	for i := 0; i < len(all) && err == nil; i++ {
		err = unbind(tx, m.Tenant, e.Client, all[i])
	}
	return errors.Join(err,
		unexpire(tx, m.Tenant, e.Client, c.Expires),
		members.Delete(tx, fsm.K(m.Tenant, c.Role, e.Client)),
		names.Delete(tx, fsm.K(m.Tenant, c.Name)),
		clients.Delete(tx, fsm.K(m.Tenant, e.Client)),
		changeTenant(tx, m.Tenant, func(t *tenantRow) { t.Clients-- }))
}

func applyConfirmed(tx *fsm.Tx, m fsm.Meta, e Confirmed) error {
	if e.Client.IsZero() {
		return changeTenant(tx, m.Tenant, func(t *tenantRow) { t.Confirmed = noted(fsm.Epoch(tx)) })
	}
	return changeClient(tx, m.Tenant, e.Client, func(c *clientRow) error {
		c.Epoch = noted(fsm.Epoch(tx))
		return nil
	})
}

func applyRoleSet(tx *fsm.Tx, m fsm.Meta, e RoleSet) error {
	at := fsm.K(m.Tenant, e.Role.Name)
	_, found, err := roles.Get(tx, at)
	if err == nil && !found {
		err = changeTenant(tx, m.Tenant, func(t *tenantRow) { t.Roles++ })
	}
	return errors.Join(err, roles.Put(tx, at, e.Role))
}

func applyRoleDeleted(tx *fsm.Tx, m fsm.Meta, e RoleDeleted) error {
	at := fsm.K(m.Tenant, e.Name)
	_, found, err := roles.Get(tx, at)
	if err == nil && !found {
		err = fmt.Errorf("an event is about role %q, which there is not", e.Name)
	}
	return errors.Join(err, roles.Delete(tx, at), changeTenant(tx, m.Tenant, func(t *tenantRow) { t.Roles-- }))
}

func changeTenant(tx *fsm.Tx, tenant fsm.UID, f func(*tenantRow)) error {
	t, _, err := tenants.Get(tx, fsm.K(tenant))
	if err != nil {
		return err
	}
	f(&t)
	return tenants.Put(tx, fsm.K(tenant), t)
}

func changeClient(tx *fsm.Tx, tenant, client fsm.UID, f func(*clientRow) error) error {
	at := fsm.K(tenant, client)
	c, found, err := clients.Get(tx, at)
	if err != nil || !found {
		return missing(client, err)
	}
	if err := f(&c); err != nil {
		return err
	}
	return clients.Put(tx, at, c)
}

// missing is an event about a client that is not there, which no decision makes.
func missing(client fsm.UID, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an event is about client %s, which there is not", client)
}

// noted is the form in which a row keeps an epoch: the first takes no space.
func noted(epoch uint32) uint32 {
	if epoch == fsm.FirstEpoch {
		return 0
	}
	return epoch
}

// confirmed reports whether a client was made, or confirmed, in the present history of the cluster.
func (c clientRow) confirmed(t tenantRow, r fsm.Reader) bool {
	return max(c.Epoch, t.Confirmed, fsm.FirstEpoch) == fsm.Epoch(r)
}
