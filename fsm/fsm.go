// Package fsm says what is true: an ordered, hash-chained log of accepted entries and the tables that they add up to.
//
// It promises:
//   - Apply is pure and the only way to change state. It reads no clock and no randomness; time is the leader's, in the entry.
//   - One Raft batch is one atomic Pebble batch that carries its applied index: a crash loses a tail that Raft replays.
//   - What Apply does not understand stops the node. Nothing is skipped.
//   - Every record of the log carries SHA-256(previous hash || record), computed when it is appended.
//   - Sealed values stand beside the records and rows, under their digest; both refer to them, so that one delete
//     makes a value unreadable everywhere and leaves the chain whole.
//
// The package knows no feature. Features declare tables (NewTable) and events (On); the keys under which all this is kept
// are listed in store.go.
package fsm

import (
	"encoding/hex"
	"fmt"
	"time"
)

// UID is a random 128-bit name that is never given twice: of a tenant, an entry, an outbox message.
type UID [16]byte

// RootTenant is the tenant that operates the cluster. It exists from init on.
var RootTenant = UID{15: 1}

// String returns 32 hexadecimal digits.
func (u UID) String() string { return hex.EncodeToString(u[:]) }

// IsZero reports whether u names nothing.
func (u UID) IsZero() bool { return u == UID{} }

// MarshalText implements encoding.TextMarshaler.
func (u UID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *UID) UnmarshalText(b []byte) error {
	v, err := ParseUID(string(b))
	*u = v
	return err
}

// ParseUID reads what String returns.
func ParseUID(s string) (UID, error) {
	var u UID
	if len(s) != 2*len(u) {
		return UID{}, fmt.Errorf("a uid has 32 hexadecimal digits, not %d characters", len(s))
	}
	if _, err := hex.Decode(u[:], []byte(s)); err != nil {
		return UID{}, fmt.Errorf("a uid has hexadecimal digits only")
	}
	return u, nil
}

// Time is a moment in nanoseconds since 1970, UTC. The state holds no other form: it has one encoding and no zone.
type Time int64

// At converts t.
func At(t time.Time) Time { return Time(t.UnixNano()) }

// Std converts to the standard library's form, in UTC.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add returns t plus d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns t minus o.
func (t Time) Sub(o Time) time.Duration { return time.Duration(t - o) }

// MarshalText writes RFC 3339 with nanoseconds.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.Std().Format(time.RFC3339Nano)), nil }

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	*t = At(v)
	return nil
}

// Actor is who caused an entry.
type Actor struct {
	Identity string `cbor:"1,keyasint,omitempty"` // the identity behind a token, not the token
	Accessor string `cbor:"2,keyasint,omitempty"` // of the token that was used
}

// Origin is where a request came from, for the audit.
type Origin struct {
	Request string `cbor:"1,keyasint,omitempty"` // request id
	Address string `cbor:"2,keyasint,omitempty"` // source address without port
	Rule    string `cbor:"3,keyasint,omitempty"` // the policy that allowed it
}

// Meta is what Apply knows of an event beside its data.
type Meta struct {
	Index  uint64 // of the Raft entry
	Seq    uint64 // of the record in the event log, from 1 without gaps
	At     Time   // never before an earlier entry's
	Tenant UID
	Actor  Actor
	Entry  UID
}
