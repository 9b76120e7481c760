package kmipclient

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Kind says by what a client is known.
type Kind uint8

// The kinds. Their numbers are stored.
const (
	Made        Kind = 1 // a certificate that was issued here, for a key that was made here
	Requested   Kind = 2 // a certificate that was issued here, for a request (PKCS#10)
	Certificate Kind = 3 // a certificate from elsewhere
	Print       Kind = 4 // a certificate from elsewhere, of which only the fingerprint is known
	PublicKey   Kind = 5 // any valid certificate for a key
	Subject     Kind = 6 // any valid certificate with a subject from a CA that the tenant has registered
)

var kinds = map[Kind]string{Made: "issued", Requested: "request", Certificate: "certificate", Print: "fingerprint", PublicKey: "public-key", Subject: "subject"}

// String returns the kind's name as people know it.
func (k Kind) String() string { return kinds[k] }

// numbered is a binding with its number.
type numbered struct {
	number uint64
	bindingRow
}

// bindingsOf returns what a client is and was known by, 16 at most, oldest first.
func bindingsOf(r fsm.Reader, tenant, client fsm.UID) (all []numbered, err error) {
	err = bindings.Scan(r, fsm.Span{Prefix: fsm.K(tenant, client)}, func(at fsm.Key, row bindingRow) (bool, error) {
		number, ok := at.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "a binding of client %s has no number", client)
		}
		all = append(all, numbered{number, row})
		return true, nil
	})
	return all, err
}

// dead reports whether the binding lets nobody in from now on.
func (b bindingRow) dead(now fsm.Time) bool {
	return b.Revoked > 0 || b.Ends > 0 && now >= b.Ends || past(b.Expires, now)
}

// past reports whether a certificate that expires at a moment, 0 for never, has done so. At that moment it is still good (RFC 5280, 4.1.2.5).
func past(expires, now fsm.Time) bool { return expires > 0 && now > expires }

// last is the end of a binding that is not revoked; 0: none is known.
func (b bindingRow) last() fsm.Time {
	if b.Ends > 0 && (b.Expires == 0 || b.Ends < b.Expires) {
		return b.Ends
	}
	return b.Expires
}

// sums are the claims of a binding, by kind.
func (b bindingRow) sums() map[string]Fingerprint {
	all := map[string]Fingerprint{}
	if b.Print != (Fingerprint{}) {
		all[byCertificate] = b.Print
	}
	if b.PublicKey != (Fingerprint{}) {
		all[byKey] = b.PublicKey
	}
	if b.Kind == Subject {
		all[bySubject] = subjectSum(b.CAKey, b.Subject)
	}
	return all
}

func applyBound(tx *fsm.Tx, m fsm.Meta, e Bound) error {
	return changeClient(tx, m.Tenant, e.Client, func(c *clientRow) error {
		if err := supersede(tx, m.Tenant, e); err != nil {
			return err
		}
		c.Given = e.Number
		row := bindingRow{Kind: e.Kind, Print: e.Print, PublicKey: e.PublicKey, CA: e.CA, CAKey: e.CAKey, Issuer: e.Issuer, Subject: e.Subject,
			Expires: e.Expires, At: m.At, By: m.Actor.Identity, Answer: e.Answer}
		return errors.Join(bind(tx, m.Tenant, e.Client, numbered{e.Number, row}, e.Certificate), expire(tx, m.Tenant, e.Client, c))
	})
}

// supersede ends what the client was known by before, as far as the event says so.
func supersede(tx *fsm.Tx, tenant fsm.UID, e Bound) error {
	all, err := bindingsOf(tx, tenant, e.Client)
	for i := 0; i < len(all) && err == nil; i++ {
		b := all[i]
		for _, n := range e.Dropped {
			if n == b.number {
				err = unbind(tx, tenant, e.Client, b)
				b.number = 0
			}
		}
		if b.number > 0 && e.Ends > 0 && (b.Ends == 0 || e.Ends < b.Ends) && err == nil {
			b.Ends = e.Ends
			err = bindings.Put(tx, fsm.K(tenant, e.Client, b.number), b.bindingRow)
		}
	}
	return err
}

func bind(tx *fsm.Tx, tenant, client fsm.UID, b numbered, certificate []byte) error {
	at := fsm.K(tenant, client, b.number)
	if err := bindings.Put(tx, at, b.bindingRow); err != nil {
		return err
	}
	if len(certificate) > 0 {
		if err := certificates.Put(tx, at, certificate); err != nil {
			return err
		}
	}
	if b.Kind != Subject {
		return nil
	}
	return subjects.Put(tx, b.subjectKey(), subjectRow{tenant, client, b.number})
}

// unbind removes a binding, but not its claims.
func unbind(tx *fsm.Tx, tenant, client fsm.UID, b numbered) error {
	at := fsm.K(tenant, client, b.number)
	err := errors.Join(tx.Destroy(b.Answer), bindings.Delete(tx, at), certificates.Delete(tx, at))
	if b.Kind != Subject || err != nil {
		return err
	}
	row, _, err := subjects.Get(tx, b.subjectKey())
	if err != nil || row != (subjectRow{tenant, client, b.number}) { // the client has bound the subject again since
		return err
	}
	return subjects.Delete(tx, b.subjectKey())
}

// applyRevoked also makes the stored answer to the creator unreadable: a repeated request must not hand out a dead key.
func applyRevoked(tx *fsm.Tx, m fsm.Meta, e Revoked) error {
	return changeClient(tx, m.Tenant, e.Client, func(c *clientRow) error {
		all, err := bindingsOf(tx, m.Tenant, e.Client)
		known := e.Number == 0
		for i := 0; i < len(all) && err == nil; i++ {
			if e.Number == 0 || e.Number == all[i].number {
				known, err = true, revoke(tx, m, e.Client, all[i])
			}
		}
		if err == nil && !known {
			err = fmt.Errorf("an event is about binding %d of client %s, which there is not", e.Number, e.Client)
		}
		if e.Number == 0 {
			c.Revoked = m.At
		}
		return errors.Join(err, expire(tx, m.Tenant, e.Client, c))
	})
}

func revoke(tx *fsm.Tx, m fsm.Meta, client fsm.UID, b numbered) error {
	if b.Revoked == 0 {
		b.Revoked = m.At
	}
	err := errors.Join(tx.Destroy(b.Answer), bindings.Put(tx, fsm.K(m.Tenant, client, b.number), b.bindingRow))
	for _, kind := range claimKinds {
		if sum, found := b.sums()[kind]; found && err == nil {
			err = discredit(tx, m.Tenant, client, kind, sum)
		}
	}
	return err
}

// expire notes when the last certificate of a client expires: not at all while one is good for which that is not known.
func expire(tx *fsm.Tx, tenant, client fsm.UID, c *clientRow) error {
	if err := unexpire(tx, tenant, client, c.Expires); err != nil {
		return err
	}
	all, err := bindingsOf(tx, tenant, client)
	if err != nil {
		return err
	}
	c.Expires = lastOf(all)
	if c.Expires == 0 {
		return nil
	}
	return expiries.Put(tx, fsm.K(c.Expires, tenant, client), true)
}

func lastOf(all []numbered) (last fsm.Time) {
	for _, b := range all {
		switch end := b.last(); {
		case b.Revoked > 0:
		case end == 0:
			return 0
		default:
			last = max(last, end)
		}
	}
	return last
}

func unexpire(tx *fsm.Tx, tenant, client fsm.UID, when fsm.Time) error {
	if when == 0 {
		return nil
	}
	return expiries.Delete(tx, fsm.K(when, tenant, client))
}
