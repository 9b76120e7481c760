package pki

import (
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// issuerRow is a CA as it is stored.
type issuerRow struct {
	UID         fsm.UID    `cbor:"1,keyasint"`
	KeyType     KeyType    `cbor:"2,keyasint"`
	Key         fsm.Sealed `cbor:"3,keyasint"`
	Request     []byte     `cbor:"4,keyasint,omitempty"`
	Chain       [][]byte   `cbor:"5,keyasint,omitempty"` // nothing: it waits for its certificate
	Settings    Settings   `cbor:"6,keyasint"`
	Imported    bool       `cbor:"7,keyasint,omitempty"`
	Epoch       uint32     `cbor:"8,keyasint"` // in which it was made or confirmed last
	Parent      string     `cbor:"9,keyasint,omitempty"`
	CrossDER    []byte     `cbor:"10,keyasint,omitempty"`
	CrossBy     string     `cbor:"11,keyasint,omitempty"`
	Signer      fsm.Sealed `cbor:"12,keyasint"` // of OCSP answers
	SignerDER   []byte     `cbor:"13,keyasint,omitempty"`
	Signers     uint64     `cbor:"14,keyasint,omitempty"` // how many there were
	Revocations uint64     `cbor:"15,keyasint,omitempty"` // ever
	Revoked     fsm.Time   `cbor:"16,keyasint,omitempty"` // the last one
	Made        fsm.Time   `cbor:"17,keyasint"`
	By          string     `cbor:"18,keyasint"`
}

// home is where an issuer is kept.
type home struct {
	Tenant fsm.UID `cbor:"1,keyasint"`
	Name   string  `cbor:"2,keyasint"`
}

// certRow is a certificate as it is stored.
type certRow struct {
	Issuer   fsm.UID    `cbor:"1,keyasint"`
	Role     string     `cbor:"2,keyasint,omitempty"`
	Subject  string     `cbor:"3,keyasint,omitempty"`
	Names    []string   `cbor:"4,keyasint,omitempty"`
	At       fsm.Time   `cbor:"5,keyasint"`
	NotAfter fsm.Time   `cbor:"6,keyasint"`
	DER      []byte     `cbor:"7,keyasint"`
	Holder   string     `cbor:"8,keyasint,omitempty"`
	By       string     `cbor:"9,keyasint,omitempty"`
	Lease    string     `cbor:"10,keyasint,omitempty"`
	Answer   fsm.Sealed `cbor:"11,keyasint"`
}

// revokedRow is why a certificate is good no more.
type revokedRow struct {
	At       fsm.Time `cbor:"1,keyasint"`
	Reason   int      `cbor:"2,keyasint"`
	NotAfter fsm.Time `cbor:"3,keyasint"`
	By       string   `cbor:"4,keyasint"`
}

// Tables.
var (
	issuers  = fsm.NewTable[issuerRow]("pki.issuer")   // key: tenant, name
	homes    = fsm.NewTable[home]("pki.home")          // key: UID of an issuer
	defaults = fsm.NewTable[string]("pki.default")     // key: tenant -> name of an issuer
	roles    = fsm.NewTable[Role]("pki.role")          // key: tenant, name
	certs    = fsm.NewTable[certRow]("pki.cert")       // key: tenant, serial number
	revoked  = fsm.NewTable[revokedRow]("pki.revoked") // key: UID of the issuer, serial number
	expiries = fsm.NewTable[fsm.UID]("pki.expiry")     // key: when it expires, tenant, serial number -> issuer
)

// Register registers the events of the PKI.
func Register(r *fsm.Registry) {
	fsm.On(r, applyIssuerMade)
	fsm.On(r, applyIssuerCertified)
	fsm.On(r, applyIssuerCrossed)
	fsm.On(r, applyIssuerConfigured)
	fsm.On(r, applyIssuerConfirmed)
	fsm.On(r, applyIssuerDeleted)
	fsm.On(r, applyDefaultSet)
	fsm.On(r, applyResponderMade)
	fsm.On(r, applyRoleWritten)
	fsm.On(r, applyRoleDeleted)
	fsm.On(r, applyIssued)
	fsm.On(r, applyRevoked)
	fsm.On(r, applyTidied)
}

func applyIssuerMade(tx *fsm.Tx, m fsm.Meta, e IssuerMade) error {
	row := issuerRow{UID: e.UID, KeyType: e.KeyType, Key: e.Key, Request: e.Request, Chain: e.Chain, Settings: e.Settings, Imported: e.Imported, Epoch: e.Epoch, Parent: e.Parent,
		Made: m.At, By: m.Actor.Identity}
	err := errors.Join(issuers.Put(tx, fsm.K(m.Tenant, e.Name), row), homes.Put(tx, fsm.K(e.UID), home{m.Tenant, e.Name}))
	if e.Default {
		err = errors.Join(err, defaults.Put(tx, fsm.K(m.Tenant), e.Name))
	}
	return err
}

func applyIssuerCertified(tx *fsm.Tx, m fsm.Meta, e IssuerCertified) error {
	return changeIssuer(tx, m.Tenant, e.Name, func(row *issuerRow) error {
		row.Chain = e.Chain
		return nil
	})
}

func applyIssuerCrossed(tx *fsm.Tx, m fsm.Meta, e IssuerCrossed) error {
	return changeIssuer(tx, m.Tenant, e.Name, func(row *issuerRow) error {
		row.CrossDER, row.CrossBy = e.DER, e.By
		return nil
	})
}

func applyIssuerConfigured(tx *fsm.Tx, m fsm.Meta, e IssuerConfigured) error {
	return changeIssuer(tx, m.Tenant, e.Name, func(row *issuerRow) error {
		row.Settings = e.Settings
		return nil
	})
}

func applyIssuerConfirmed(tx *fsm.Tx, m fsm.Meta, e IssuerConfirmed) error {
	return changeIssuer(tx, m.Tenant, e.Name, func(row *issuerRow) error {
		row.Epoch = e.Epoch
		return nil
	})
}

// applyIssuerDeleted leaves the certificates where they are: they expire.
func applyIssuerDeleted(tx *fsm.Tx, m fsm.Meta, e IssuerDeleted) error {
	at := fsm.K(m.Tenant, e.Name)
	row, found, err := issuers.Get(tx, at)
	if err != nil || !found {
		return missing("issuer", e.Name, err)
	}
	err = errors.Join(tx.Destroy(row.Key), tx.Destroy(row.Signer), issuers.Delete(tx, at), homes.Delete(tx, fsm.K(row.UID)))
	name, _, failed := defaults.Get(tx, fsm.K(m.Tenant))
	if name == e.Name {
		failed = errors.Join(failed, defaults.Delete(tx, fsm.K(m.Tenant)))
	}
	return errors.Join(err, failed)
}

func applyDefaultSet(tx *fsm.Tx, m fsm.Meta, e DefaultSet) error {
	return defaults.Put(tx, fsm.K(m.Tenant), e.Name)
}

func applyResponderMade(tx *fsm.Tx, m fsm.Meta, e ResponderMade) error {
	return changeIssuer(tx, m.Tenant, e.Issuer, func(row *issuerRow) error {
		err := tx.Destroy(row.Signer)
		row.Signer, row.SignerDER = e.Key, e.DER
		row.Signers++
		return err
	})
}

func changeIssuer(tx *fsm.Tx, tenant fsm.UID, name string, f func(*issuerRow) error) error {
	at := fsm.K(tenant, name)
	row, found, err := issuers.Get(tx, at)
	if err != nil || !found {
		return missing("issuer", name, err)
	}
	if err := f(&row); err != nil {
		return err
	}
	return issuers.Put(tx, at, row)
}

func applyRoleWritten(tx *fsm.Tx, m fsm.Meta, e RoleWritten) error {
	return roles.Put(tx, fsm.K(m.Tenant, e.Role.Name), e.Role)
}

func applyRoleDeleted(tx *fsm.Tx, m fsm.Meta, e RoleDeleted) error {
	return roles.Delete(tx, fsm.K(m.Tenant, e.Name))
}

// applyIssued keeps nothing of a certificate that is not stored: the record of the event is what is left of it.
func applyIssued(tx *fsm.Tx, m fsm.Meta, e Issued) error {
	if len(e.DER) == 0 {
		return nil
	}
	row := certRow{Issuer: e.Issuer, Role: e.Role, Subject: e.Subject, Names: e.Names, At: m.At, NotAfter: e.NotAfter, DER: e.DER, Holder: e.Holder, By: m.Actor.Identity, Lease: e.Lease, Answer: e.Answer}
	return errors.Join(certs.Put(tx, fsm.K(m.Tenant, e.Serial), row), expiries.Put(tx, fsm.K(e.NotAfter, m.Tenant, e.Serial), e.Issuer))
}

// applyRevoked counts what the numbers of CRLs are made of.
func applyRevoked(tx *fsm.Tx, m fsm.Meta, e Revoked) error {
	at := fsm.K(e.Issuer, e.Serial)
	if _, found, err := revoked.Get(tx, at); err != nil || found {
		return err
	}
	cert, _, err := certs.Get(tx, fsm.K(m.Tenant, e.Serial))
	if err != nil {
		return err
	}
	err = errors.Join(tx.Destroy(cert.Answer), revoked.Put(tx, at, revokedRow{m.At, e.Reason, e.NotAfter, m.Actor.Identity}),
		expiries.Put(tx, fsm.K(e.NotAfter, m.Tenant, e.Serial), e.Issuer))
	where, found, failed := homes.Get(tx, fsm.K(e.Issuer))
	if failed != nil || !found {
		return errors.Join(err, failed)
	}
	return errors.Join(err, changeIssuer(tx, where.Tenant, where.Name, func(row *issuerRow) error {
		row.Revocations++
		row.Revoked = m.At
		return nil
	}))
}

func applyTidied(tx *fsm.Tx, m fsm.Meta, e Tidied) (err error) {
	for _, x := range e.Expired {
		err = errors.Join(err, certs.Delete(tx, fsm.K(m.Tenant, x.Serial)), revoked.Delete(tx, fsm.K(x.Issuer, x.Serial)), expiries.Delete(tx, fsm.K(x.NotAfter, m.Tenant, x.Serial)))
	}
	return err
}

// missing is an event about something that is not there, which no decision makes.
func missing(what, name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an event is about %s %q, which there is not", what, name)
}

func keyBinding(tenant, issuer fsm.UID) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "pki", Field: "ca-key", Path: issuer.String(), Version: 1}
}

func signerBinding(tenant, issuer fsm.UID, number uint64) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "pki", Field: "ocsp-key", Path: issuer.String(), Version: number}
}

func answerBinding(tenant fsm.UID, serial string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "pki", Field: "leaf-key", Path: serial, Version: 1}
}

// Places walks the keys of all CAs, and of those who sign OCSP answers for them, with where they stand.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return issuers.Scan(r, fsm.Span{}, func(at fsm.Key, row issuerRow) (bool, error) {
		tenant, _ := at.UID()
		err := visit(keyBinding(tenant, row.UID), row.Key)
		if err == nil && !row.Signer.IsZero() {
			err = visit(signerBinding(tenant, row.UID, row.Signers), row.Signer)
		}
		return err == nil, err
	})
}

// crlSlot is how long a CRL of a state stays the same: with what CRLs are numbered by.
func (s Settings) crlSlot() time.Duration { return min(s.CRLValidity/2, 24*time.Hour) }
