package auth

import (
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Issued records a new token. Its times were decided by the leader and are bounded by the parent's.
type Issued struct {
	Accessor   string        `cbor:"1,keyasint"`
	Hash       [32]byte      `cbor:"2,keyasint"` // SHA-256 of the secret form
	Name       string        `cbor:"3,keyasint,omitempty"`
	Identity   string        `cbor:"4,keyasint"`
	Policies   []string      `cbor:"5,keyasint,omitempty"`
	Parent     *Ref          `cbor:"6,keyasint,omitempty"`
	Created    fsm.Time      `cbor:"7,keyasint"`
	Expires    fsm.Time      `cbor:"8,keyasint"`
	MaxExpires fsm.Time      `cbor:"9,keyasint"`
	Renewable  bool          `cbor:"10,keyasint,omitempty"`
	Life       time.Duration `cbor:"11,keyasint"` // what a renewal without a ttl adds
	Answer     fsm.Sealed    `cbor:"12,keyasint"` // the sealed answer to the creator, so that a revocation destroys it
}

// EventType and EventStream implement fsm.Event, here and below.
func (Issued) EventType() string     { return "auth.token.issued" }
func (e Issued) EventStream() string { return stream(e.Accessor) }

// Renewed records a later expiry.
type Renewed struct {
	Accessor string   `cbor:"1,keyasint"`
	Expires  fsm.Time `cbor:"2,keyasint"`
}

func (Renewed) EventType() string     { return "auth.token.renewed" }
func (e Renewed) EventStream() string { return stream(e.Accessor) }

// Revoked records the end of a token, and by that of all its descendants.
type Revoked struct {
	Accessor string `cbor:"1,keyasint"`
}

func (Revoked) EventType() string     { return "auth.token.revoked" }
func (e Revoked) EventStream() string { return stream(e.Accessor) }

// Forgotten records that the row of a token long dead was removed.
type Forgotten struct {
	Accessor string `cbor:"1,keyasint"`
}

func (Forgotten) EventType() string     { return "auth.token.forgotten" }
func (e Forgotten) EventStream() string { return stream(e.Accessor) }

// Ended records that every token of an earlier epoch is dead: the cluster was restored or recovered, and nobody knows what was revoked in the
// history that was given up.
type Ended struct{}

func (Ended) EventType() string   { return "auth.tokens.ended" }
func (Ended) EventStream() string { return "tokens" }
func (Ended) Since() uint32       { return 2 }

func stream(accessor string) string { return "token/" + accessor }
