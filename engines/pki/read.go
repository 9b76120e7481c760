package pki

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Kept is a certificate as it is stored.
type Kept struct {
	Serial   string   `cbor:"1,keyasint"`
	Issuer   string   `cbor:"2,keyasint"` // "": it was deleted
	Role     string   `cbor:"3,keyasint"`
	Subject  string   `cbor:"4,keyasint"`
	Names    []string `cbor:"5,keyasint"`
	At       fsm.Time `cbor:"6,keyasint"`
	NotAfter fsm.Time `cbor:"7,keyasint"`
	DER      []byte   `cbor:"8,keyasint"`
	Holder   string   `cbor:"9,keyasint"` // accessor of the token that it was given to
	By       string   `cbor:"10,keyasint"`
	Lease    string   `cbor:"11,keyasint"`
	Revoked  fsm.Time `cbor:"12,keyasint"` // 0: it is not
	Reason   int      `cbor:"13,keyasint"`
}

func (row certRow) kept(r fsm.Reader, tenant fsm.UID, serial string) (Kept, error) {
	out := Kept{Serial: serial, Role: row.Role, Subject: row.Subject, Names: row.Names, At: row.At, NotAfter: row.NotAfter, DER: row.DER, Holder: row.Holder, By: row.By, Lease: row.Lease}
	where, _, err := homes.Get(r, fsm.K(row.Issuer))
	if err != nil {
		return out, err
	}
	out.Issuer = where.Name
	end, _, err := revoked.Get(r, fsm.K(row.Issuer, serial))
	out.Revoked, out.Reason = end.At, end.Reason
	return out, err
}

func findCert(r fsm.Reader, tenant fsm.UID, serial string) (certRow, error) {
	row, found, err := certs.Get(r, fsm.K(tenant, serial))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no certificate %s: it was not stored, has long expired, or never was (what is shown can be revoked by itself: trstctl pki revoke @FILE)", serial)
	}
	return row, err
}

// GetCertificate returns a stored certificate; fault.NotFound when there is none.
func GetCertificate(r fsm.Reader, tenant fsm.UID, serial string) (Kept, error) {
	serial, err := Serial(serial)
	if err != nil {
		return Kept{}, err
	}
	row, err := findCert(r, tenant, serial)
	if err != nil {
		return Kept{}, err
	}
	return row.kept(r, tenant, serial)
}

// Certificates returns up to limit stored certificates of a tenant beyond after, in the order of their serial numbers, and where to go on; "" at the end.
func Certificates(r fsm.Reader, tenant fsm.UID, after string, limit int) (page []Kept, next string, err error) {
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = certs.Scan(r, span, func(at fsm.Key, row certRow) (bool, error) {
		if len(page) == limit {
			next = page[limit-1].Serial
			return false, nil
		}
		serial, err := serialAt(at)
		if err != nil {
			return false, err
		}
		kept, err := row.kept(r, tenant, serial)
		page = append(page, kept)
		return err == nil, err
	})
	return page, next, err
}

// tenantSize is the length of a key's first part: its type and a UID.
const tenantSize = 17

// serialAt is the serial number in a certificate's key: it has neither zeros nor separators to escape.
func serialAt(at fsm.Key) (string, error) { return textAt(at, tenantSize) }

// textAt is the last part of a key, a string that begins at a place.
func textAt(at fsm.Key, from int) (string, error) {
	if len(at) < from+3 {
		return "", fault.New(fault.Corrupt, "a key of the PKI's tables is too short")
	}
	return string(at[from+1 : len(at)-2]), nil
}

// expiredAt reads a key of the table of expiries: a moment, a tenant, a serial number.
func expiredAt(at fsm.Key, issuer fsm.UID) (x Outlived, tenant fsm.UID, err error) {
	const moment = 9 // bytes: a type and a number
	if len(at) < moment+tenantSize {
		return x, tenant, fault.New(fault.Corrupt, "a key of the PKI's tables is too short")
	}
	when, _ := at[:moment].LastUint()
	tenant, _ = at[moment:].UID()
	x = Outlived{NotAfter: fsm.Time(when), Issuer: issuer}
	x.Serial, err = textAt(at, moment+tenantSize)
	return x, tenant, err
}
