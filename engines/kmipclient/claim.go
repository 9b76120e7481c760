package kmipclient

import (
	"crypto/sha256"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// What can be claimed, each once in the whole cluster.
const (
	byCertificate = "certificate" // SHA-256 of the certificate
	byKey         = "key"         // SHA-256 of its SubjectPublicKeyInfo
	bySubject     = "subject"     // SHA-256 of the CA's key as above, and the raw subject
)

var claimKinds = []string{byCertificate, byKey, bySubject}

// claimRow says whose something is. It stays when the client is gone.
type claimRow struct {
	Tenant  fsm.UID `cbor:"1,keyasint"`
	Client  fsm.UID `cbor:"2,keyasint"`
	Number  uint64  `cbor:"3,keyasint"`
	Admits  bool    `cbor:"4,keyasint,omitempty"`
	Revoked bool    `cbor:"5,keyasint,omitempty"` // it was revoked, by itself or with its client
	Seq     uint64  `cbor:"6,keyasint"`           // of the record with which its tenant first claimed it
}

// subjectRow says which binding is by a subject. A certificate leads to it before anybody knows its tenant.
type subjectRow struct {
	Tenant fsm.UID `cbor:"1,keyasint"`
	Client fsm.UID `cbor:"2,keyasint"`
	Number uint64  `cbor:"3,keyasint"`
}

func (b bindingRow) subjectKey() fsm.Key { return fsm.K(b.Issuer, b.Subject, b.CAKey[:]) }

func subjectSum(ca Fingerprint, subject []byte) Fingerprint {
	return sha256.Sum256(append(append(make([]byte, 0, len(ca)+len(subject)), ca[:]...), subject...))
}

func applyClaimed(tx *fsm.Tx, m fsm.Meta, e Claimed) error {
	at := fsm.K(e.Kind, e.Sum[:])
	before, found, err := claims.Get(tx, at)
	if err != nil {
		return err
	}
	row := claimRow{Tenant: e.Tenant, Client: e.Client, Number: e.Number, Admits: e.Admits, Seq: m.Seq}
	if found {
		row.Seq = before.Seq
	}
	return claims.Put(tx, at, row)
}

// discredit keeps what a client was known by from being bound again, by anybody.
func discredit(tx *fsm.Tx, tenant, client fsm.UID, kind string, sum Fingerprint) error {
	at := fsm.K(kind, sum[:])
	row, found, err := claims.Get(tx, at)
	if err != nil || !found || row.Tenant != tenant || row.Client != client {
		return err
	}
	row.Revoked = true
	return claims.Put(tx, at, row)
}

// claimed is what stands of a claim that somebody wants to make.
type claimed struct {
	claimRow
	found bool
	gone  bool // the client that has it is
}

// decideClaim says whether e needs to be recorded, or must not be. The refusal is the same whoever has what is claimed, and does not say who.
func decideClaim(is claimed, e Claimed) (record bool, err error) {
	own := is.Tenant == e.Tenant && !is.Revoked
	switch {
	case !is.found:
		return true, nil
	case own && e.Kind == bySubject && (is.gone || is.Client == e.Client): // it outlives certificates; other tenants keep off, whoever had it before
		return true, nil
	case own && is.Client == e.Client && e.Kind == byKey && !(is.Admits && e.Admits):
		return e.Admits, nil
	}
	return false, fault.New(fault.Conflict, "this %s is bound already, or was once: it belongs to one client for ever", claimNames[e.Kind])
}

var claimNames = map[string]string{byCertificate: "certificate", byKey: "certificate's key", bySubject: "subject of this CA"}

// claim makes a binding's claims, and guards that nobody else makes them meanwhile.
func (t *turn) claim(b Bound) error {
	row := bindingRow{Kind: b.Kind, Print: b.Print, PublicKey: b.PublicKey, CAKey: b.CAKey, Subject: b.Subject}
	for _, kind := range claimKinds {
		sum, wanted := row.sums()[kind]
		if !wanted {
			continue
		}
		e := Claimed{Kind: kind, Sum: sum, Tenant: t.entry.Tenant, Client: b.Client, Number: b.Number, Admits: kind != byKey || b.Kind == PublicKey}
		if err := t.claimOne(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) claimOne(e Claimed) error {
	g, err := fsm.GuardOf(t.v, fsm.RootTenant, claimStream(e.Kind, e.Sum))
	if err != nil {
		return err
	}
	t.entry.Guard(g)
	is, err := t.claimed(e.Kind, e.Sum)
	if err != nil {
		return err
	}
	record, err := decideClaim(is, e)
	if record {
		t.entry.AddIn(fsm.RootTenant, e)
	}
	return err
}

func (t *turn) claimed(kind string, sum Fingerprint) (is claimed, err error) {
	if is.claimRow, is.found, err = claims.Get(t.v, fsm.K(kind, sum[:])); err != nil || !is.found {
		return is, err
	}
	_, there, err := clients.Get(t.v, fsm.K(is.Tenant, is.Client))
	is.gone = !there
	return is, err
}
