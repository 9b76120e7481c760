package managedkey

import (
	"slices"

	"github.com/trstctl/trstctl/fsm"
)

// Object is a managed object without its material, as it is stored. What a slice or pointer in it leads to is never changed in place: whoever changes an
// object changes a copy of it, and may share the rest.
type Object struct {
	ID         string     `cbor:"1,keyasint"` // lower-case UUID, or what an import named; never given again
	Type       ObjectType `cbor:"2,keyasint"`
	Owner      string     `cbor:"3,keyasint,omitempty"` // id of the client that made it
	Number     uint64     `cbor:"4,keyasint,omitempty"` // counts the objects of the tenant in the order in which they were made; given when the event is applied
	Present    bool       `cbor:"5,keyasint,omitempty"` // it has material here; false also of what was destroyed
	Key        Key        `cbor:"6,keyasint"`
	Dates      Dates      `cbor:"7,keyasint"`
	Attributes Attributes `cbor:"8,keyasint"`
}

// Key is what is known of the material beside its bytes.
type Key struct {
	Format          KeyFormat       `cbor:"1,keyasint,omitempty"`
	Compression     Compression     `cbor:"2,keyasint,omitempty"`
	Algorithm       Algorithm       `cbor:"3,keyasint,omitempty"`
	Length          uint32          `cbor:"4,keyasint,omitempty"` // in bits
	CertificateType CertificateType `cbor:"5,keyasint,omitempty"`
	SecretDataType  SecretDataType  `cbor:"6,keyasint,omitempty"`
	OpaqueDataType  OpaqueDataType  `cbor:"7,keyasint,omitempty"`
	Split           *Split          `cbor:"8,keyasint,omitempty"`
	Wrapping        []byte          `cbor:"9,keyasint,omitempty"` // key wrapping data of material that was registered wrapped, as the server encodes it
	Digests         []Digest        `cbor:"10,keyasint,omitempty"`
}

// Split says which part of a key a split key is (KMIP 1.4 section 2.2.5).
type Split struct {
	Parts      uint32      `cbor:"1,keyasint"`
	Identifier uint32      `cbor:"2,keyasint"` // of this part, from 1
	Threshold  uint32      `cbor:"3,keyasint"`
	Method     SplitMethod `cbor:"4,keyasint"`
	Prime      []byte      `cbor:"5,keyasint,omitempty"` // big-endian two's complement
}

// Digest is a hash of the material (section 3.17).
type Digest struct {
	Hash   Hash      `cbor:"1,keyasint"`
	Value  []byte    `cbor:"2,keyasint"`
	Format KeyFormat `cbor:"3,keyasint,omitempty"`
}

// Dates are the moments of an object's life; 0 is one that was not set. The server's own have whole seconds, as KMIP's Date-Time has.
type Dates struct {
	Initial      fsm.Time `cbor:"1,keyasint,omitempty"`
	Activation   fsm.Time `cbor:"2,keyasint,omitempty"`
	ProcessStart fsm.Time `cbor:"3,keyasint,omitempty"`
	ProtectStop  fsm.Time `cbor:"4,keyasint,omitempty"`
	Deactivation fsm.Time `cbor:"5,keyasint,omitempty"`
	Destroy      fsm.Time `cbor:"6,keyasint,omitempty"`
	Compromise   fsm.Time `cbor:"7,keyasint,omitempty"`
	Occurrence   fsm.Time `cbor:"8,keyasint,omitempty"` // of the compromise
	Archive      fsm.Time `cbor:"9,keyasint,omitempty"`
	LastChange   fsm.Time `cbor:"10,keyasint,omitempty"`
	Original     fsm.Time `cbor:"11,keyasint,omitempty"` // creation, wherever that was
}

// Attributes are the attributes that are no dates and do not describe the material.
type Attributes struct {
	Names            Many[Name]        `cbor:"1,keyasint,omitempty"`
	Groups           Many[string]      `cbor:"2,keyasint,omitempty"`
	Applications     Many[Application] `cbor:"3,keyasint,omitempty"`
	Contact          string            `cbor:"4,keyasint,omitempty"`
	Description      string            `cbor:"5,keyasint,omitempty"`
	Comment          string            `cbor:"6,keyasint,omitempty"`
	AltNames         Many[AltName]     `cbor:"7,keyasint,omitempty"`
	Policy           string            `cbor:"8,keyasint,omitempty"` // operation policy name
	Usage            UsageMask         `cbor:"9,keyasint,omitempty"`
	Parameters       Many[Parameters]  `cbor:"10,keyasint,omitempty"`
	Domain           *Domain           `cbor:"11,keyasint,omitempty"`
	Links            Many[Link]        `cbor:"12,keyasint,omitempty"`
	Certificate      *CertificateInfo  `cbor:"13,keyasint,omitempty"`
	Signatures       Many[Signature]   `cbor:"14,keyasint,omitempty"`
	Revocation       *Revocation       `cbor:"15,keyasint,omitempty"`
	Limits           *UsageLimits      `cbor:"16,keyasint,omitempty"`
	Lease            uint32            `cbor:"17,keyasint,omitempty"` // seconds
	Fresh            bool              `cbor:"18,keyasint,omitempty"` // it was given to nobody yet
	Sensitive        bool              `cbor:"19,keyasint,omitempty"`
	AlwaysSensitive  bool              `cbor:"20,keyasint,omitempty"`
	Extractable      bool              `cbor:"21,keyasint,omitempty"`
	NeverExtractable bool              `cbor:"22,keyasint,omitempty"`
	RNG              *RNG              `cbor:"23,keyasint,omitempty"`
	FriendlyName     string            `cbor:"24,keyasint,omitempty"` // PKCS#12
	Locations        Many[Location]    `cbor:"25,keyasint,omitempty"` // of the key value
	Custom           []CustomAttribute `cbor:"26,keyasint,omitempty"` // by name
}

// Many are the instances of an attribute, by index. Indexes stay when others go: the next is one above the highest that is there.
type Many[T any] []Indexed[T]

// Indexed is one of several values (KMIP 1.4 section 2.1.1: Attribute Index).
type Indexed[T any] struct {
	Index uint32 `cbor:"1,keyasint"`
	Value T      `cbor:"2,keyasint"`
}

func (m Many[T]) next() uint32 {
	if len(m) == 0 {
		return 0
	}
	return m[len(m)-1].Index + 1
}

func (m Many[T]) with(v T) Many[T] {
	return append(slices.Clip(slices.Clone(m)), Indexed[T]{m.next(), v})
}

func (m Many[T]) at(index uint32) int {
	return slices.IndexFunc(m, func(i Indexed[T]) bool { return i.Index == index })
}

// Values returns the values without their indexes.
func (m Many[T]) Values() []T {
	out := make([]T, len(m))
	for i, v := range m {
		out[i] = v.Value
	}
	return out
}

// Name is unique among the objects of a tenant that live, together with its type (section 3.2).
type Name struct {
	Value string   `cbor:"1,keyasint"`
	Type  NameType `cbor:"2,keyasint"`
}

// AltName is a name that need not be unique (section 3.40).
type AltName struct {
	Value string      `cbor:"1,keyasint"`
	Type  AltNameType `cbor:"2,keyasint"`
}

// Application is what an application notes about an object (section 3.36).
type Application struct {
	Namespace string `cbor:"1,keyasint"`
	Data      string `cbor:"2,keyasint,omitempty"`
}

// Link leads to another object (section 3.35).
type Link struct {
	Type   LinkType `cbor:"1,keyasint"`
	Target string   `cbor:"2,keyasint"`
}

// Location says where a key value is that is not on this server (section 3.42).
type Location struct {
	Value string       `cbor:"1,keyasint"`
	Type  LocationType `cbor:"2,keyasint"`
}

// Revocation is why an object was revoked (section 3.31).
type Revocation struct {
	Code    RevocationCode `cbor:"1,keyasint"`
	Message string         `cbor:"2,keyasint,omitempty"`
}

// UsageLimits bound what a key protects (section 3.21). Count is what is left of Total.
type UsageLimits struct {
	Total int64 `cbor:"1,keyasint"`
	Count int64 `cbor:"2,keyasint"`
	Unit  Unit  `cbor:"3,keyasint"`
}
