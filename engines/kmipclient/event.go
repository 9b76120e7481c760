package kmipclient

import "github.com/trstctl/trstctl/fsm"

// since is the version of the cluster that clients of KMIP came with.
const since = 4

// CAAdded records a CA, or the newer certificate of an external one: whatever Apply needs of the certificate stands beside it, so that no version of the
// parser decides what the state is.
type CAAdded struct {
	UID         fsm.UID     `cbor:"1,keyasint"`
	Kind        CAKind      `cbor:"2,keyasint"`
	Name        string      `cbor:"3,keyasint,omitempty"` // of an external one
	Generation  uint64      `cbor:"4,keyasint,omitempty"` // of the others, from 1
	Algorithm   string      `cbor:"5,keyasint,omitempty"` // of the others
	Certificate []byte      `cbor:"6,keyasint"`           // DER
	PublicKey   Fingerprint `cbor:"7,keyasint"`           // of its SubjectPublicKeyInfo
	Key         fsm.Sealed  `cbor:"8,keyasint"`           // PKCS#8; nothing for an external one
	From        fsm.Time    `cbor:"9,keyasint"`           // when it begins to issue
	Expires     fsm.Time    `cbor:"10,keyasint"`
}

// CARemoved ends a CA: its key is destroyed, and what it issued is refused.
type CARemoved struct {
	UID fsm.UID `cbor:"1,keyasint"`
}

// Enrolled records a new client. Its UID is never given again, its name can be.
type Enrolled struct {
	UID      fsm.UID   `cbor:"1,keyasint"`
	Name     string    `cbor:"2,keyasint"`
	Role     string    `cbor:"3,keyasint"`
	Password *Verifier `cbor:"4,keyasint,omitempty"`
	Device   *Verifier `cbor:"5,keyasint,omitempty"`
}

// Bound records by what a client is known from now on, beside what it was known by before.
type Bound struct {
	Client      fsm.UID     `cbor:"1,keyasint"`
	Number      uint64      `cbor:"2,keyasint"` // counts up from 1 for each client
	Kind        Kind        `cbor:"3,keyasint"`
	Certificate []byte      `cbor:"4,keyasint,omitempty"` // DER, if it is known
	Print       Fingerprint `cbor:"5,keyasint"`           // of the certificate; zero if it is not known
	PublicKey   Fingerprint `cbor:"6,keyasint"`           // of its SubjectPublicKeyInfo; zero if it is not known
	CA          fsm.UID     `cbor:"7,keyasint"`           // that issued it; zero: nobody asks who did
	CAKey       Fingerprint `cbor:"8,keyasint"`           // of that CA, for a subject
	Issuer      []byte      `cbor:"9,keyasint,omitempty"` // that CA's subject as a raw RDNSequence, for a subject
	Subject     []byte      `cbor:"10,keyasint,omitempty"`
	Expires     fsm.Time    `cbor:"11,keyasint,omitempty"` // 0: not known
	Ends        fsm.Time    `cbor:"12,keyasint,omitempty"` // of what the client was known by before; 0 leaves it as it is
	Dropped     []uint64    `cbor:"13,keyasint,omitempty"` // numbers that are good for nothing any more and make room
	Answer      fsm.Sealed  `cbor:"14,keyasint"`           // the sealed answer with the client's key, so that a revocation destroys it
}

// Claimed records whose a certificate, key or subject is in the whole cluster. It stands in the root tenant's space, so that two tenants guard one stream.
type Claimed struct {
	Kind   string      `cbor:"1,keyasint"`
	Sum    Fingerprint `cbor:"2,keyasint"`
	Tenant fsm.UID     `cbor:"3,keyasint"`
	Client fsm.UID     `cbor:"4,keyasint"`
	Number uint64      `cbor:"5,keyasint"`           // of the client's binding
	Admits bool        `cbor:"6,keyasint,omitempty"` // whoever has it comes in; otherwise it only keeps others from binding it
}

// Configured records the role and credentials of a client as they are from now on.
type Configured struct {
	Client   fsm.UID   `cbor:"1,keyasint"`
	Role     string    `cbor:"2,keyasint"`
	Password *Verifier `cbor:"3,keyasint,omitempty"`
	Device   *Verifier `cbor:"4,keyasint,omitempty"`
}

// Revoked ends a client for ever, or with a number one of the things that it is known by.
type Revoked struct {
	Client fsm.UID `cbor:"1,keyasint"`
	Number uint64  `cbor:"2,keyasint,omitempty"`
}

// Deleted removes a client. What it was known by stays claimed.
type Deleted struct {
	Client fsm.UID `cbor:"1,keyasint"`
}

// Confirmed records that a client, or with a zero UID each of the tenant's, is to be believed in this history of the cluster.
type Confirmed struct {
	Client fsm.UID `cbor:"1,keyasint"`
}

// RoleSet records a role as it is from now on.
type RoleSet struct {
	Role Role `cbor:"1,keyasint"`
}

// RoleDeleted records the end of a role that no client has.
type RoleDeleted struct {
	Name string `cbor:"1,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (CAAdded) EventType() string       { return "kmipclient.ca.added" }
func (CAAdded) EventStream() string     { return stream }
func (CAAdded) Since() uint32           { return since }
func (CARemoved) EventType() string     { return "kmipclient.ca.removed" }
func (CARemoved) EventStream() string   { return stream }
func (CARemoved) Since() uint32         { return since }
func (Enrolled) EventType() string      { return "kmipclient.client.enrolled" }
func (Enrolled) EventStream() string    { return stream }
func (Enrolled) Since() uint32          { return since }
func (Bound) EventType() string         { return "kmipclient.client.bound" }
func (Bound) EventStream() string       { return stream }
func (Bound) Since() uint32             { return since }
func (Claimed) EventType() string       { return "kmipclient.identity.claimed" }
func (e Claimed) EventStream() string   { return claimStream(e.Kind, e.Sum) }
func (Claimed) Since() uint32           { return since }
func (Configured) EventType() string    { return "kmipclient.client.configured" }
func (Configured) EventStream() string  { return stream }
func (Configured) Since() uint32        { return since }
func (Revoked) EventType() string       { return "kmipclient.client.revoked" }
func (Revoked) EventStream() string     { return stream }
func (Revoked) Since() uint32           { return since }
func (Deleted) EventType() string       { return "kmipclient.client.deleted" }
func (Deleted) EventStream() string     { return stream }
func (Deleted) Since() uint32           { return since }
func (Confirmed) EventType() string     { return "kmipclient.client.confirmed" }
func (Confirmed) EventStream() string   { return stream }
func (Confirmed) Since() uint32         { return since }
func (RoleSet) EventType() string       { return "kmipclient.role.set" }
func (RoleSet) EventStream() string     { return stream }
func (RoleSet) Since() uint32           { return since }
func (RoleDeleted) EventType() string   { return "kmipclient.role.deleted" }
func (RoleDeleted) EventStream() string { return stream }
func (RoleDeleted) Since() uint32       { return since }

// stream is the one of all that a tenant says about its clients: a client names a role and a CA, so that a decision about one rests on the others, and
// people make these decisions, not clients.
const stream = "kmipclient"

// claimStream is in the root tenant's space.
func claimStream(kind string, sum Fingerprint) string {
	return "kmipclient/claim/" + kind + "/" + sum.String()
}
