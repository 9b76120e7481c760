package kmipclient

import (
	"context"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Enrolment is a client to be made.
type Enrolment struct {
	Name     string
	Role     string // empty stands for DefaultRole
	By       Source
	Password *Password
	Device   *Device
}

// Issued is by what a client is known from now on.
type Issued struct {
	Client      string      `cbor:"1,keyasint"`
	UID         fsm.UID     `cbor:"2,keyasint"`
	Role        string      `cbor:"3,keyasint"`
	Number      uint64      `cbor:"4,keyasint"`
	Kind        Kind        `cbor:"5,keyasint"`
	Certificate []byte      `cbor:"6,keyasint,omitempty"` // DER, if it is known
	CA          []byte      `cbor:"7,keyasint,omitempty"` // DER of the CA that issued it here
	Print       Fingerprint `cbor:"8,keyasint"`
	PublicKey   Fingerprint `cbor:"9,keyasint"`
	Expires     fsm.Time    `cbor:"10,keyasint"` // 0: not known
	Key         Secret      `cbor:"-"`           // PKCS#8 in PEM, of a key that was made here; the caller zeroes it once it is sent
}

// Enrol makes a client. A repetition of the request gets the same answer, with the key that was made for 15 minutes, unless the client was revoked: then
// fault.Conflict. fault.Conflict also for a name that is in use, and for what is bound already or was once, whoever's it is.
func (e *Engine) Enrol(ctx context.Context, req fsm.Request, n Enrolment, idempotencyKey string) (Issued, fsm.Receipt, error) {
	if err := ValidName(n.Name); err != nil {
		return Issued{}, fsm.Receipt{}, err
	}
	i, err := e.issuance(req, n.By, idempotencyKey)
	if err != nil {
		return Issued{}, fsm.Receipt{}, err
	}
	if n.Role == "" {
		n.Role = DefaultRole
	}
	return i.commit(ctx, func(t *turn) (Issued, error) { return t.enrol(i, n) })
}

func (t *turn) enrol(i *issuance, n Enrolment) (Issued, error) {
	if err := t.mayEnrol(n); err != nil {
		return Issued{}, err
	}
	e := Enrolled{UID: newUID(), Name: n.Name, Role: n.Role}
	var err error
	if e.Password, e.Device, err = t.verifiers(e.UID, n.Password, n.Device); err != nil {
		return Issued{}, err
	}
	t.entry.Add(e)
	return t.bind(i, clientRow{Name: n.Name, Role: n.Role}, Bound{Client: e.UID})
}

func (t *turn) mayEnrol(n Enrolment) error {
	if _, err := GetRole(t.v, t.entry.Tenant, n.Role); err != nil {
		return err
	}
	_, taken, err := names.Get(t.v, fsm.K(t.entry.Tenant, n.Name))
	if err != nil {
		return err
	}
	own, _, err := tenants.Get(t.v, fsm.K(t.entry.Tenant))
	if err != nil {
		return err
	}
	return decideEnrol(n.Name, taken, own.Clients)
}

func (t *turn) verifiers(client fsm.UID, p *Password, d *Device) (password, device *Verifier, err error) {
	if p != nil {
		if password, err = t.verifier(client, *p); err != nil {
			return nil, nil, err
		}
	}
	if d != nil {
		device, err = t.verifier(client, *d)
	}
	return password, device, err
}

// Renew has a client known by something else as well. What it was known by before ends after overlap, 365 days at most; nil leaves it good until it
// expires or is revoked. Answers are as Enrol's.
func (e *Engine) Renew(ctx context.Context, req fsm.Request, name string, by Source, overlap *time.Duration, idempotencyKey string) (Issued, fsm.Receipt, error) {
	if overlap != nil && (*overlap < 0 || *overlap > maxOverlap) {
		return Issued{}, fsm.Receipt{}, fault.Bad("overlap", "what a client was known by before ends within 365 days")
	}
	i, err := e.issuance(req, by, idempotencyKey)
	if err != nil {
		return Issued{}, fsm.Receipt{}, err
	}
	return i.commit(ctx, func(t *turn) (Issued, error) {
		uid, row, err := find(t.v, t.entry.Tenant, name)
		if err == nil {
			err = decideRenew(row)
		}
		if err != nil {
			return Issued{}, err
		}
		b := Bound{Client: uid}
		if b.Dropped, err = t.room(uid); err != nil {
			return Issued{}, err
		}
		if overlap != nil {
			b.Ends = t.now.Add(*overlap)
		}
		return t.bind(i, row, b)
	})
}

// room returns what a client is known by no more, if it must make room for another binding.
func (t *turn) room(client fsm.UID) ([]uint64, error) {
	all, err := bindingsOf(t.v, t.entry.Tenant, client)
	if err != nil {
		return nil, err
	}
	return decideRoom(all, t.now)
}
