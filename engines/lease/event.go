package lease

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/trstctl/trstctl/fsm"
)

// since is the version of the cluster that leases came with.
const since = 5

// Granted records a lease: the entry that has it is the one by which the credential was given.
type Granted struct {
	Lease Lease `cbor:"1,keyasint"`
}

// Renewed records a later expiry, which the backend knows already.
type Renewed struct {
	ID      string   `cbor:"1,keyasint"`
	Expires fsm.Time `cbor:"2,keyasint"`
}

// Ended records that a lease is good no more. The backend is owed the news by a message of the same entry.
type Ended struct {
	ID  string `cbor:"1,keyasint"`
	Why Why    `cbor:"2,keyasint"`
	Pos uint64 `cbor:"3,keyasint"` // of the message
}

// Gone records that the backend has ended what the lease stood for.
type Gone struct {
	ID string `cbor:"1,keyasint"`
}

// Forced records that the backend was given up: what the lease stood for may live on there.
type Forced struct {
	ID string `cbor:"1,keyasint"`
}

// Forgotten records that somebody has seen to what a forced lease has left behind.
type Forgotten struct {
	ID string `cbor:"1,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (Granted) EventType() string       { return "lease.lease.granted" }
func (e Granted) EventStream() string   { return stream(e.Lease.ID) }
func (Granted) Since() uint32           { return since }
func (Renewed) EventType() string       { return "lease.lease.renewed" }
func (e Renewed) EventStream() string   { return stream(e.ID) }
func (Renewed) Since() uint32           { return since }
func (Ended) EventType() string         { return "lease.lease.ended" }
func (e Ended) EventStream() string     { return stream(e.ID) }
func (Ended) Since() uint32             { return since }
func (Gone) EventType() string          { return "lease.lease.gone" }
func (e Gone) EventStream() string      { return stream(e.ID) }
func (Gone) Since() uint32              { return since }
func (Forced) EventType() string        { return "lease.lease.forced" }
func (e Forced) EventStream() string    { return stream(e.ID) }
func (Forced) Since() uint32            { return since }
func (Forgotten) EventType() string     { return "lease.lease.forgotten" }
func (e Forgotten) EventStream() string { return stream(e.ID) }
func (Forgotten) Since() uint32         { return since }

// stream is one of 4,096 that leases share: a stream's version is kept for ever, and leases come and go.
func stream(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "lease/" + hex.EncodeToString(sum[:2])[:3]
}
