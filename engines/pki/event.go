package pki

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// since is the version of the cluster that the PKI came with.
const since = 5

// Settings are what may be changed of an issuer.
type Settings struct {
	URL         string        `cbor:"1,keyasint,omitempty"` // where its CRL, OCSP answers and certificate are, such as http://pki.example:8280; "": certificates name no such place
	MaxTTL      time.Duration `cbor:"2,keyasint,omitempty"` // of what it issues; 0: as long as it lasts itself
	CRLValidity time.Duration `cbor:"3,keyasint"`
	Disabled    bool          `cbor:"4,keyasint,omitempty"` // it issues nothing; its CRL and OCSP answers go on
	Cross       bool          `cbor:"5,keyasint,omitempty"` // chains go by the cross-signed certificate to the older root
}

// IssuerMade records a CA with its key. One without a certificate waits for it, by its request.
type IssuerMade struct {
	Name     string     `cbor:"1,keyasint"`
	UID      fsm.UID    `cbor:"2,keyasint"`
	KeyType  KeyType    `cbor:"3,keyasint"`
	Key      fsm.Sealed `cbor:"4,keyasint"`
	Request  []byte     `cbor:"5,keyasint,omitempty"` // PKCS#10
	Chain    [][]byte   `cbor:"6,keyasint,omitempty"` // its certificate, and those above it
	Settings Settings   `cbor:"7,keyasint"`
	Imported bool       `cbor:"8,keyasint,omitempty"`
	Epoch    uint32     `cbor:"9,keyasint"`
	Parent   string     `cbor:"10,keyasint,omitempty"` // the issuer of ours that has signed it
	Default  bool       `cbor:"11,keyasint,omitempty"` // it is the first that issues: roles that name none use it
}

// IssuerCertified records the certificate of a CA that waited, or another one for the same key.
type IssuerCertified struct {
	Name  string   `cbor:"1,keyasint"`
	Chain [][]byte `cbor:"2,keyasint"`
}

// IssuerCrossed records a certificate for the key of a CA that another CA has signed.
type IssuerCrossed struct {
	Name string `cbor:"1,keyasint"`
	By   string `cbor:"2,keyasint"`
	DER  []byte `cbor:"3,keyasint"`
}

// IssuerConfigured records all settings of an issuer as they are from now on.
type IssuerConfigured struct {
	Name     string   `cbor:"1,keyasint"`
	Settings Settings `cbor:"2,keyasint"`
}

// IssuerConfirmed records that somebody lets an issuer go on after a restore.
type IssuerConfirmed struct {
	Name  string `cbor:"1,keyasint"`
	Epoch uint32 `cbor:"2,keyasint"`
}

// IssuerDeleted destroys a CA's key.
type IssuerDeleted struct {
	Name string `cbor:"1,keyasint"`
}

// DefaultSet records which issuer roles use that name none.
type DefaultSet struct {
	Name string `cbor:"1,keyasint"`
}

// ResponderMade records who signs the OCSP answers of an issuer from now on (RFC 6960, section 4.2.2.2).
type ResponderMade struct {
	Issuer string     `cbor:"1,keyasint"`
	Key    fsm.Sealed `cbor:"2,keyasint"`
	DER    []byte     `cbor:"3,keyasint"`
}

// RoleWritten records a role as it is from now on.
type RoleWritten struct {
	Role Role `cbor:"1,keyasint"`
}

// RoleDeleted records the end of a role. What it has issued goes on.
type RoleDeleted struct {
	Name string `cbor:"1,keyasint"`
}

// Issued records a certificate.
type Issued struct {
	Serial   string   `cbor:"1,keyasint"` // hexadecimal
	Issuer   fsm.UID  `cbor:"2,keyasint"`
	Role     string   `cbor:"3,keyasint,omitempty"` // "": signed verbatim, or a CA's
	Subject  string   `cbor:"4,keyasint,omitempty"`
	Names    []string `cbor:"5,keyasint,omitempty"`
	NotAfter fsm.Time `cbor:"6,keyasint"`
	DER      []byte   `cbor:"7,keyasint,omitempty"` // nothing: it is not stored
	Holder   string   `cbor:"8,keyasint,omitempty"` // accessor of the token that asked
	Lease    string   `cbor:"9,keyasint,omitempty"`

	Answer fsm.Sealed `cbor:"10,keyasint"` // with the key, so that a revocation destroys it
}

// Revoked records the end of a certificate before its time.
type Revoked struct {
	Serial   string   `cbor:"1,keyasint"`
	Issuer   fsm.UID  `cbor:"2,keyasint"`
	Reason   int      `cbor:"3,keyasint"` // RFC 5280, section 5.3.1
	NotAfter fsm.Time `cbor:"4,keyasint"` // until when it stands in CRLs
}

// Tidied records that expired certificates are forgotten.
type Tidied struct {
	Expired []Outlived `cbor:"1,keyasint"`
}

// Outlived is a certificate whose time is over.
type Outlived struct {
	NotAfter fsm.Time `cbor:"1,keyasint"`
	Serial   string   `cbor:"2,keyasint"`
	Issuer   fsm.UID  `cbor:"3,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (IssuerMade) EventType() string           { return "pki.issuer.made" }
func (e IssuerMade) EventStream() string       { return issuerStream(e.Name) }
func (IssuerMade) Since() uint32               { return since }
func (IssuerCertified) EventType() string      { return "pki.issuer.certified" }
func (e IssuerCertified) EventStream() string  { return issuerStream(e.Name) }
func (IssuerCertified) Since() uint32          { return since }
func (IssuerCrossed) EventType() string        { return "pki.issuer.crossed" }
func (e IssuerCrossed) EventStream() string    { return issuerStream(e.Name) }
func (IssuerCrossed) Since() uint32            { return since }
func (IssuerConfigured) EventType() string     { return "pki.issuer.configured" }
func (e IssuerConfigured) EventStream() string { return issuerStream(e.Name) }
func (IssuerConfigured) Since() uint32         { return since }
func (IssuerConfirmed) EventType() string      { return "pki.issuer.confirmed" }
func (e IssuerConfirmed) EventStream() string  { return issuerStream(e.Name) }
func (IssuerConfirmed) Since() uint32          { return since }
func (IssuerDeleted) EventType() string        { return "pki.issuer.deleted" }
func (e IssuerDeleted) EventStream() string    { return issuerStream(e.Name) }
func (IssuerDeleted) Since() uint32            { return since }
func (DefaultSet) EventType() string           { return "pki.default.set" }
func (DefaultSet) EventStream() string         { return defaultStream }
func (DefaultSet) Since() uint32               { return since }
func (ResponderMade) EventType() string        { return "pki.responder.made" }
func (e ResponderMade) EventStream() string    { return "pki-responder/" + e.Issuer }
func (ResponderMade) Since() uint32            { return since }
func (RoleWritten) EventType() string          { return "pki.role.written" }
func (e RoleWritten) EventStream() string      { return roleStream(e.Role.Name) }
func (RoleWritten) Since() uint32              { return since }
func (RoleDeleted) EventType() string          { return "pki.role.deleted" }
func (e RoleDeleted) EventStream() string      { return roleStream(e.Name) }
func (RoleDeleted) Since() uint32              { return since }
func (Issued) EventType() string               { return "pki.certificate.issued" }
func (e Issued) EventStream() string           { return certStream(e.Serial) }
func (Issued) Since() uint32                   { return since }
func (Revoked) EventType() string              { return "pki.certificate.revoked" }
func (e Revoked) EventStream() string          { return certStream(e.Serial) }
func (Revoked) Since() uint32                  { return since }
func (Tidied) EventType() string               { return "pki.certificate.tidied" }
func (Tidied) EventStream() string             { return "pki-tidy" }
func (Tidied) Since() uint32                   { return since }

const defaultStream = "pki-default"

func issuerStream(name string) string { return "pki-issuer/" + name }
func roleStream(name string) string   { return "pki-role/" + name }

// certStream is one of 4,096 that certificates share: a stream's version is kept for ever, and certificates come and go.
func certStream(serial string) string {
	sum := sha256.Sum256([]byte(serial))
	return "pki-cert/" + hex.EncodeToString(sum[:2])[:3]
}
