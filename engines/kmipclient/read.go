package kmipclient

import (
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// State says whether a client comes in, if it shows what it is known by.
type State string

// The states of a client.
const (
	Active    State = "active"
	Suspended State = "suspended" // until it is confirmed: the cluster was restored
	Ended     State = "revoked"
)

// Info describes a client; it holds nothing secret.
type Info struct {
	Name     string
	UID      fsm.UID
	Role     string
	State    State
	Username string // of its password credential
	Serial   string // of its device credential
	Password bool   // it has one
	Device   bool
	Created  fsm.Time
	By       string
	Revoked  fsm.Time // 0: it is not
	Expires  fsm.Time // last of its certificates; 0: never, or not known
}

func (c clientRow) info(uid fsm.UID, own tenantRow, r fsm.Reader) Info {
	i := Info{Name: c.Name, UID: uid, Role: c.Role, State: Active, Created: c.Created, By: c.By, Revoked: c.Revoked, Expires: c.Expires,
		Password: c.Password != nil, Device: c.Device != nil}
	if c.Password != nil {
		i.Username = c.Password.Label
	}
	if c.Device != nil {
		i.Serial = c.Device.Label
	}
	switch {
	case c.Revoked > 0:
		i.State = Ended
	case !c.confirmed(own, r):
		i.State = Suspended
	}
	return i
}

// Get returns a client; fault.NotFound when there is none of that name.
func Get(r fsm.Reader, tenant fsm.UID, name string) (Info, error) {
	uid, row, err := find(r, tenant, name)
	if err != nil {
		return Info{}, err
	}
	own, _, err := tenants.Get(r, fsm.K(tenant))
	return row.info(uid, own, r), err
}

// List returns up to limit clients of a tenant by name, beyond after, and where to go on; "" at the end. A limit of 0 stands for 100, the most is 1,000.
func List(r fsm.Reader, tenant fsm.UID, after string, limit int) (page []Info, next string, err error) {
	limit = bounded(limit)
	own, _, err := tenants.Get(r, fsm.K(tenant))
	if err != nil {
		return nil, "", err
	}
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = names.Scan(r, span, func(_ fsm.Key, uid fsm.UID) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Name
			return false, nil
		}
		row, found, err := clients.Get(r, fsm.K(tenant, uid))
		if err == nil && !found {
			err = fault.New(fault.Corrupt, "client %s has a name and no row", uid)
		}
		page = append(page, row.info(uid, own, r))
		return err == nil, err
	})
	return page, next, err
}

// Binding describes one of the things that a client is known by.
type Binding struct {
	Number      uint64
	Kind        Kind
	Print       Fingerprint // of the certificate; zero if it is not known
	PublicKey   Fingerprint // of its SubjectPublicKeyInfo; zero if it is not known
	CA          fsm.UID     // of this tenant, that issued it or vouches for it; zero if none is asked
	Subject     []byte      // raw RDNSequence, where that is what is known
	Certificate []byte      // DER; empty if it is not known
	Expires     fsm.Time    // of the certificate; 0: not known
	Ends        fsm.Time    // when it is good no more, although the certificate may be; 0: it was not replaced
	Revoked     fsm.Time    // 0: it is not
	At          fsm.Time
	By          string
}

// Bindings returns what a client is and was known by, oldest first, 16 at most. What had to make room is not among it.
func Bindings(r fsm.Reader, tenant fsm.UID, name string) ([]Binding, error) {
	uid, _, err := find(r, tenant, name)
	if err != nil {
		return nil, err
	}
	all, err := bindingsOf(r, tenant, uid)
	out := make([]Binding, len(all))
	for i := 0; i < len(all) && err == nil; i++ {
		b := all[i]
		out[i] = Binding{Number: b.number, Kind: b.Kind, Print: b.Print, PublicKey: b.PublicKey, CA: b.CA, Subject: b.Subject, Expires: b.Expires,
			Ends: b.Ends, Revoked: b.Revoked, At: b.At, By: b.By}
		out[i].Certificate, _, err = certificates.Get(r, fsm.K(tenant, uid, b.number))
	}
	return out, err
}

// Counts says how many clients and roles of their own tenants have. Deleted tenants' count as well.
type Counts struct {
	Tenants uint64 // that have any
	Clients uint64
	Roles   uint64
}

// Count returns what one tenant has.
func Count(r fsm.Reader, tenant fsm.UID) (Counts, error) {
	t, found, err := tenants.Get(r, fsm.K(tenant))
	return counted(t, found), err
}

// Total returns what all tenants have together.
func Total(r fsm.Reader) (sum Counts, err error) {
	err = tenants.Scan(r, fsm.Span{}, func(_ fsm.Key, t tenantRow) (bool, error) {
		c := counted(t, true)
		sum = Counts{sum.Tenants + c.Tenants, sum.Clients + c.Clients, sum.Roles + c.Roles}
		return true, nil
	})
	return sum, err
}

func counted(t tenantRow, found bool) Counts {
	c := Counts{Clients: t.Clients, Roles: t.Roles}
	if found {
		c.Tenants = 1
	}
	return c
}

// Expiry is a client whose last certificate expires.
type Expiry struct {
	At     fsm.Time
	Tenant fsm.UID
	Client fsm.UID
}

// Expiring returns up to limit clients of active tenants whose last certificate expires after from and not after until, the first to expire first. Revoked
// ones are not among them.
func (e *Engine) Expiring(r fsm.Reader, from, until fsm.Time, limit int) (out []Expiry, err error) {
	span := fsm.Span{After: fsm.K(from + 1)}
	err = expiries.Scan(r, span, func(at fsm.Key, _ bool) (bool, error) {
		x, ok := expiryAt(at)
		if !ok {
			return false, fault.New(fault.Corrupt, "the expiry of a client is damaged")
		}
		if x.At > until || len(out) >= limit {
			return false, nil
		}
		active, err := e.tenants.Active(r, x.Tenant)
		if active {
			out = append(out, x)
		}
		return err == nil, err
	})
	return out, err
}

// momentSize is the length of a moment in a key: its type and 8 bytes.
const momentSize = 9

func expiryAt(k fsm.Key) (x Expiry, ok bool) {
	if len(k) != momentSize+2*tenantSize {
		return x, false
	}
	x.At = fsm.Time(binary.BigEndian.Uint64(k[1:momentSize]))
	x.Tenant, ok = k[momentSize:].UID()
	x.Client, _ = k[momentSize+tenantSize:].UID()
	return x, ok
}

// Places walks the keys of CAs, and the answers with clients' keys that are still kept, with where each stands.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	err := cas.Scan(r, fsm.Span{}, func(at fsm.Key, row caRow) (bool, error) {
		if row.Key.IsZero() {
			return true, nil
		}
		tenant, _ := at.UID()
		ca, _ := at[tenantSize:].UID()
		err := visit(caBinding(tenant, ca), row.Key)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return bindings.Scan(r, fsm.Span{}, func(at fsm.Key, row bindingRow) (bool, error) {
		_, kept, err := fsm.Load(r, row.Answer)
		if err != nil || !kept {
			return err == nil, err
		}
		tenant, _ := at.UID()
		client, _ := at[tenantSize:].UID()
		number, _ := at.LastUint()
		err = visit(answerBinding(tenant, client, number), row.Answer)
		return err == nil, err
	})
}
