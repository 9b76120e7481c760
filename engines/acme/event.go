package acme

import "github.com/trstctl/trstctl/fsm"

// DirectoryWritten records by which UID clients find a role, and whether they need a key for their accounts.
type DirectoryWritten struct {
	Role string  `cbor:"1,keyasint"`
	UID  fsm.UID `cbor:"2,keyasint"`
	Open bool    `cbor:"3,keyasint,omitempty"` // no key is needed
}

// DirectoryDeleted records the end of a directory with its accounts.
type DirectoryDeleted struct {
	Role string `cbor:"1,keyasint"`
}

// KeyMade records a key that opens one account (RFC 8555, section 7.3.4).
type KeyMade struct {
	Directory fsm.UID    `cbor:"1,keyasint"`
	KID       string     `cbor:"2,keyasint"`
	Key       fsm.Sealed `cbor:"3,keyasint"`
	Identity  string     `cbor:"4,keyasint"` // that the account has for the role
	Expires   fsm.Time   `cbor:"5,keyasint"`
}

// AccountMade records an account, and with which key it was opened.
type AccountMade struct {
	UID       fsm.UID  `cbor:"1,keyasint"`
	Directory fsm.UID  `cbor:"2,keyasint"`
	JWK       []byte   `cbor:"3,keyasint"`
	Thumb     string   `cbor:"4,keyasint"` // RFC 7638, base64url
	Contacts  []string `cbor:"5,keyasint,omitempty"`
	KID       string   `cbor:"6,keyasint,omitempty"`
	Identity  string   `cbor:"7,keyasint"`
}

// AccountChanged records an account as it is from now on.
type AccountChanged struct {
	UID       fsm.UID  `cbor:"1,keyasint"`
	Directory fsm.UID  `cbor:"2,keyasint"`
	JWK       []byte   `cbor:"3,keyasint"`
	Thumb     string   `cbor:"4,keyasint"`
	Contacts  []string `cbor:"5,keyasint,omitempty"`
	Ended     bool     `cbor:"6,keyasint,omitempty"`
}

// OrderMade records names that are to be proved for a certificate.
type OrderMade struct {
	UID     fsm.UID  `cbor:"1,keyasint"`
	Account fsm.UID  `cbor:"2,keyasint"`
	Expires fsm.Time `cbor:"3,keyasint"`
	Names   []Named  `cbor:"4,keyasint"`
}

// Named is one name of an order, and what it is proved by.
type Named struct {
	UID   fsm.UID `cbor:"1,keyasint"` // of the authorization
	Name  string  `cbor:"2,keyasint"` // without "*."
	Wild  bool    `cbor:"3,keyasint,omitempty"`
	Token string  `cbor:"4,keyasint"`
}

// ProofAsked records that a proof is there, as the client says.
type ProofAsked struct {
	Authorization fsm.UID   `cbor:"1,keyasint"`
	Order         fsm.UID   `cbor:"2,keyasint"`
	Kind          ProofKind `cbor:"3,keyasint"`
}

// ProofSettled records what was found.
type ProofSettled struct {
	Authorization fsm.UID `cbor:"1,keyasint"`
	Order         fsm.UID `cbor:"2,keyasint"`
	Type          string  `cbor:"3,keyasint,omitempty"` // of the problem; "": the name is proved
	Detail        string  `cbor:"4,keyasint,omitempty"`
}

// AuthorizationEnded records that an account gave one up.
type AuthorizationEnded struct {
	Authorization fsm.UID `cbor:"1,keyasint"`
	Order         fsm.UID `cbor:"2,keyasint"`
}

// OrderFinalized records the certificate of an order; the same entry records it in the PKI.
type OrderFinalized struct {
	UID    fsm.UID  `cbor:"1,keyasint"`
	Serial string   `cbor:"2,keyasint"`
	Chain  [][]byte `cbor:"3,keyasint"` // the certificate and those above it
}

// OrdersForgotten records that orders which have long ended are gone.
type OrdersForgotten struct {
	Orders []fsm.UID `cbor:"1,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (DirectoryWritten) EventType() string       { return "acme.directory.written" }
func (e DirectoryWritten) EventStream() string   { return directoryStream(e.Role) }
func (DirectoryWritten) Since() uint32           { return since }
func (DirectoryDeleted) EventType() string       { return "acme.directory.deleted" }
func (e DirectoryDeleted) EventStream() string   { return directoryStream(e.Role) }
func (DirectoryDeleted) Since() uint32           { return since }
func (KeyMade) EventType() string                { return "acme.key.made" }
func (e KeyMade) EventStream() string            { return bucket("key", e.Directory) }
func (KeyMade) Since() uint32                    { return since }
func (AccountMade) EventType() string            { return "acme.account.made" }
func (e AccountMade) EventStream() string        { return bucket("account", e.Directory) }
func (AccountMade) Since() uint32                { return since }
func (AccountChanged) EventType() string         { return "acme.account.changed" }
func (e AccountChanged) EventStream() string     { return bucket("account", e.Directory) }
func (AccountChanged) Since() uint32             { return since }
func (OrderMade) EventType() string              { return "acme.order.made" }
func (e OrderMade) EventStream() string          { return bucket("orders", e.Account) }
func (OrderMade) Since() uint32                  { return since }
func (ProofAsked) EventType() string             { return "acme.proof.asked" }
func (e ProofAsked) EventStream() string         { return bucket("order", e.Order) }
func (ProofAsked) Since() uint32                 { return since }
func (ProofSettled) EventType() string           { return "acme.proof.settled" }
func (e ProofSettled) EventStream() string       { return bucket("order", e.Order) }
func (ProofSettled) Since() uint32               { return since }
func (AuthorizationEnded) EventType() string     { return "acme.authorization.ended" }
func (e AuthorizationEnded) EventStream() string { return bucket("order", e.Order) }
func (AuthorizationEnded) Since() uint32         { return since }
func (OrderFinalized) EventType() string         { return "acme.order.finalized" }
func (e OrderFinalized) EventStream() string     { return bucket("order", e.UID) }
func (OrderFinalized) Since() uint32             { return since }
func (OrdersForgotten) EventType() string        { return "acme.order.forgotten" }
func (OrdersForgotten) EventStream() string      { return "acme-tidy" }
func (OrdersForgotten) Since() uint32            { return since }

func directoryStream(role string) string { return "acme-directory/" + role }
