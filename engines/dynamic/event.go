package dynamic

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
)

// since is the version of the cluster that dynamic secrets came with.
const since = 5

// ConnectionWritten records a connection as it is from now on.
type ConnectionWritten struct {
	Name     string         `cbor:"1,keyasint"`
	UID      fsm.UID        `cbor:"2,keyasint"` // drawn when it was made: what its accounts' names begin with
	Backend  string         `cbor:"3,keyasint"`
	Config   backend.Config `cbor:"4,keyasint"`
	Username string         `cbor:"5,keyasint"`
	Password fsm.Sealed     `cbor:"6,keyasint"` // nothing: the one that it has
	Length   int            `cbor:"7,keyasint"` // of the passwords that are made for it
}

// ConnectionDeleted records the end of a connection with its roles. It has no lease any more.
type ConnectionDeleted struct {
	Name string `cbor:"1,keyasint"`
}

// RootRotating records that the connection's own account is about to get another credential.
type RootRotating struct {
	Name     string     `cbor:"1,keyasint"`
	Password fsm.Sealed `cbor:"2,keyasint"` // nothing: the target draws it
}

// RootReplaced records which credential the target has drawn. Those of before are still good there.
type RootReplaced struct {
	Name     string     `cbor:"1,keyasint"`
	Username string     `cbor:"2,keyasint"`
	Password fsm.Sealed `cbor:"3,keyasint"`
}

// RootRotated records that the account has no other any more.
type RootRotated struct {
	Name string `cbor:"1,keyasint"`
}

// RoleWritten records a role as it is from now on.
type RoleWritten struct {
	Connection string `cbor:"1,keyasint"`
	Role       Role   `cbor:"2,keyasint"`
}

// RoleDeleted records the end of a role. Its leases live on until they end.
type RoleDeleted struct {
	Connection string `cbor:"1,keyasint"`
	Role       string `cbor:"2,keyasint"`
}

// Intended records that an account is about to be made: from now on its name is looked for at the target until it is known what became of it.
type Intended struct {
	ID         fsm.UID       `cbor:"1,keyasint"`
	Connection string        `cbor:"2,keyasint"`
	Role       string        `cbor:"3,keyasint"`
	Account    string        `cbor:"4,keyasint"`
	Lease      string        `cbor:"5,keyasint"`
	Life       time.Duration `cbor:"6,keyasint"` // of the account
}

// Issued records that the account was made and given out: its lease stands in the same entry.
type Issued struct {
	ID fsm.UID `cbor:"1,keyasint"`
}

// Abandoned records that nobody gets the account. The same entry owes the target its end.
type Abandoned struct {
	ID fsm.UID `cbor:"1,keyasint"`
}

// Forgotten records that the name of an abandoned account is looked for no more: it would have expired by itself.
type Forgotten struct {
	ID fsm.UID `cbor:"1,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (ConnectionWritten) EventType() string     { return "dynamic.connection.written" }
func (e ConnectionWritten) EventStream() string { return stream(e.Name) }
func (ConnectionWritten) Since() uint32         { return since }
func (ConnectionDeleted) EventType() string     { return "dynamic.connection.deleted" }
func (e ConnectionDeleted) EventStream() string { return stream(e.Name) }
func (ConnectionDeleted) Since() uint32         { return since }
func (RootRotating) EventType() string          { return "dynamic.root.rotating" }
func (e RootRotating) EventStream() string      { return stream(e.Name) }
func (RootRotating) Since() uint32              { return since }
func (RootReplaced) EventType() string          { return "dynamic.root.replaced" }
func (e RootReplaced) EventStream() string      { return stream(e.Name) }
func (RootReplaced) Since() uint32              { return since }
func (RootRotated) EventType() string           { return "dynamic.root.rotated" }
func (e RootRotated) EventStream() string       { return stream(e.Name) }
func (RootRotated) Since() uint32               { return since }
func (RoleWritten) EventType() string           { return "dynamic.role.written" }
func (e RoleWritten) EventStream() string       { return stream(e.Connection) }
func (RoleWritten) Since() uint32               { return since }
func (RoleDeleted) EventType() string           { return "dynamic.role.deleted" }
func (e RoleDeleted) EventStream() string       { return stream(e.Connection) }
func (RoleDeleted) Since() uint32               { return since }
func (Intended) EventType() string              { return "dynamic.account.intended" }
func (e Intended) EventStream() string          { return intentStream(e.ID) }
func (Intended) Since() uint32                  { return since }
func (Issued) EventType() string                { return "dynamic.account.issued" }
func (e Issued) EventStream() string            { return intentStream(e.ID) }
func (Issued) Since() uint32                    { return since }
func (Abandoned) EventType() string             { return "dynamic.account.abandoned" }
func (e Abandoned) EventStream() string         { return intentStream(e.ID) }
func (Abandoned) Since() uint32                 { return since }
func (Forgotten) EventType() string             { return "dynamic.account.forgotten" }
func (e Forgotten) EventStream() string         { return intentStream(e.ID) }
func (Forgotten) Since() uint32                 { return since }

// stream is the one of a connection with its roles: people make these decisions, not applications.
func stream(connection string) string { return "dynamic/" + connection }

// intentStream is one of 4,096 that intents share: a stream's version is kept for ever, and intents come and go.
func intentStream(id fsm.UID) string {
	sum := sha256.Sum256(id[:])
	return "dynamic-intent/" + hex.EncodeToString(sum[:2])[:3]
}
