package kmipclient

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// CAKind says what a CA is for.
type CAKind uint8

// The kinds of CAs. Their numbers are stored.
const (
	ClientCA   CAKind = 1 // issues certificates to a tenant's clients; one generation follows the other
	ExternalCA CAKind = 2 // vouches for the subjects of a tenant's clients; its key is elsewhere
	ServerCA   CAKind = 3 // issues the certificates that nodes show to clients; of the root tenant
)

var caKinds = map[CAKind]string{ClientCA: "client", ExternalCA: "external", ServerCA: "server"}

// String returns the kind's name as people know it.
func (k CAKind) String() string { return caKinds[k] }

const (
	maxCAs   = 32                   // of a tenant, of all kinds
	maxDelay = 365 * 24 * time.Hour // of a new generation
)

// caRow is a CA as it is stored; its certificate stands elsewhere, since a request asks for that seldom.
type caRow struct {
	Kind       CAKind      `cbor:"1,keyasint"`
	Name       string      `cbor:"2,keyasint,omitempty"`
	Generation uint64      `cbor:"3,keyasint,omitempty"`
	Algorithm  string      `cbor:"4,keyasint,omitempty"`
	PublicKey  Fingerprint `cbor:"5,keyasint"`
	Key        fsm.Sealed  `cbor:"6,keyasint"`
	From       fsm.Time    `cbor:"7,keyasint"`
	Expires    fsm.Time    `cbor:"8,keyasint"`
	Created    fsm.Time    `cbor:"9,keyasint"`
	By         string      `cbor:"10,keyasint"`
}

// CA describes a certificate authority; it holds nothing secret.
type CA struct {
	UID         fsm.UID     `cbor:"1,keyasint"`
	Kind        CAKind      `cbor:"2,keyasint"`
	Name        string      `cbor:"3,keyasint,omitempty"` // of an external one
	Generation  uint64      `cbor:"4,keyasint,omitempty"` // of the others, from 1
	Algorithm   string      `cbor:"5,keyasint,omitempty"`
	Certificate []byte      `cbor:"6,keyasint"` // DER
	PublicKey   Fingerprint `cbor:"7,keyasint"`
	From        fsm.Time    `cbor:"8,keyasint"` // when it issues its first certificate
	Expires     fsm.Time    `cbor:"9,keyasint"` // 0: not before the year 2262
	Created     fsm.Time    `cbor:"10,keyasint"`
	By          string      `cbor:"11,keyasint"`
}

func caBinding(tenant, ca fsm.UID) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "kmipclient", Field: "ca-key", Path: ca.String(), Version: 1}
}

func applyCAAdded(tx *fsm.Tx, m fsm.Meta, e CAAdded) error {
	at := fsm.K(m.Tenant, e.UID)
	row := caRow{Kind: e.Kind, Name: e.Name, Generation: e.Generation, Algorithm: e.Algorithm, PublicKey: e.PublicKey, Key: e.Key, From: e.From,
		Expires: e.Expires, Created: m.At, By: m.Actor.Identity}
	return errors.Join(cas.Put(tx, at, row), caCerts.Put(tx, at, e.Certificate))
}

func applyCARemoved(tx *fsm.Tx, m fsm.Meta, e CARemoved) error {
	at := fsm.K(m.Tenant, e.UID)
	row, found, err := cas.Get(tx, at)
	if err == nil && !found {
		err = fmt.Errorf("an event is about CA %s, which there is not", e.UID)
	}
	if err != nil {
		return err
	}
	return errors.Join(tx.Destroy(row.Key), cas.Delete(tx, at), caCerts.Delete(tx, at))
}

// CAs returns the CAs of a tenant, 32 at most.
func CAs(r fsm.Reader, tenant fsm.UID) (all []CA, err error) {
	err = cas.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(at fsm.Key, row caRow) (bool, error) {
		uid, _ := at[tenantSize:].UID()
		certificate, found, err := caCerts.Get(r, fsm.K(tenant, uid))
		if err == nil && !found {
			err = fault.New(fault.Corrupt, "CA %s has no certificate", uid)
		}
		all = append(all, CA{UID: uid, Kind: row.Kind, Name: row.Name, Generation: row.Generation, Algorithm: row.Algorithm, Certificate: certificate,
			PublicKey: row.PublicKey, From: row.From, Expires: row.Expires, Created: row.Created, By: row.By})
		return err == nil, err
	})
	return all, err
}

// tenantSize is the length of a key's first part: its type and a UID.
const tenantSize = 17

// issuing is the CA of a kind that issues at a moment: of those that have begun to, the newest. newest is the newest of all.
func issuing(all []CA, kind CAKind, now fsm.Time) (out, newest CA) {
	for _, ca := range generations(all, kind) {
		newest = ca
		if ca.From <= now {
			out = ca
		}
	}
	return out, newest
}

// openIssuer returns the CA of a kind that issues now, with its key.
func openIssuer(r fsm.Reader, keys Opener, tenant fsm.UID, kind CAKind, now fsm.Time) (issuer, error) {
	all, err := CAs(r, tenant)
	if err != nil {
		return issuer{}, err
	}
	ca, _ := issuing(all, kind, now)
	if err := decideIssue(ca, kind, now); err != nil {
		return issuer{}, err
	}
	row, _, err := cas.Get(r, fsm.K(tenant, ca.UID))
	if err != nil {
		return issuer{}, err
	}
	der, err := keys.Open(r, caBinding(tenant, ca.UID), row.Key)
	if err != nil {
		return issuer{}, fmt.Errorf("open the key of a CA: %w", err)
	}
	defer clear(der)
	return ca.issuer(der)
}

func (ca CA) issuer(der []byte) (issuer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return issuer{}, fault.New(fault.Corrupt, "the key of CA %s cannot be read", ca.UID).Because(err)
	}
	c, err := x509.ParseCertificate(ca.Certificate)
	if err != nil {
		return issuer{}, fault.New(fault.Corrupt, "the certificate of CA %s cannot be read", ca.UID).Because(err)
	}
	return issuer{ca.UID, c, signer}, nil
}

// generations returns the CAs of a kind, oldest first.
func generations(all []CA, kind CAKind) (out []CA) {
	for _, ca := range all {
		if ca.Kind == kind {
			out = append(out, ca)
		}
	}
	slices.SortFunc(out, func(a, b CA) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}
