package managedkey

import "github.com/trstctl/trstctl/fsm"

// Parameters are cryptographic parameters (KMIP 1.4 section 3.6); nil is one that was not given.
type Parameters struct {
	BlockMode         BlockMode     `cbor:"1,keyasint,omitempty"`
	Padding           Padding       `cbor:"2,keyasint,omitempty"`
	Hash              Hash          `cbor:"3,keyasint,omitempty"`
	KeyRole           KeyRole       `cbor:"4,keyasint,omitempty"`
	Signature         Signature     `cbor:"5,keyasint,omitempty"`
	Algorithm         Algorithm     `cbor:"6,keyasint,omitempty"`
	RandomIV          *bool         `cbor:"7,keyasint,omitempty"`
	IVLength          *uint32       `cbor:"8,keyasint,omitempty"`
	TagLength         *uint32       `cbor:"9,keyasint,omitempty"`
	FixedFieldLength  *uint32       `cbor:"10,keyasint,omitempty"`
	InvocationLength  *uint32       `cbor:"11,keyasint,omitempty"` // of the invocation field
	CounterLength     *uint32       `cbor:"12,keyasint,omitempty"`
	InitialCounter    *int32        `cbor:"13,keyasint,omitempty"`
	SaltLength        *uint32       `cbor:"14,keyasint,omitempty"`
	MaskGenerator     MaskGenerator `cbor:"15,keyasint,omitempty"`
	MaskGeneratorHash Hash          `cbor:"16,keyasint,omitempty"`
	PSource           []byte        `cbor:"17,keyasint,omitempty"`
	TrailerField      *int32        `cbor:"18,keyasint,omitempty"`
}

// Domain are cryptographic domain parameters (section 3.7).
type Domain struct {
	QLength uint32 `cbor:"1,keyasint,omitempty"`
	Curve   Curve  `cbor:"2,keyasint,omitempty"`
}

// RNG says how key material was drawn (section 3.44).
type RNG struct {
	Algorithm            RNGAlgorithm     `cbor:"1,keyasint"`
	Cryptographic        Algorithm        `cbor:"2,keyasint,omitempty"`
	Length               uint32           `cbor:"3,keyasint,omitempty"` // in bits
	Hash                 Hash             `cbor:"4,keyasint,omitempty"`
	DRBG                 DRBGAlgorithm    `cbor:"5,keyasint,omitempty"`
	Curve                Curve            `cbor:"6,keyasint,omitempty"`
	FIPS186              FIPS186Variation `cbor:"7,keyasint,omitempty"`
	PredictionResistance *bool            `cbor:"8,keyasint,omitempty"`
}

// CertificateInfo is what a certificate says of itself, as whoever registers it has parsed it (sections 3.9 to 3.16).
type CertificateInfo struct {
	Length         uint32   `cbor:"1,keyasint,omitempty"` // of the certificate, in bytes
	Subject        string   `cbor:"2,keyasint,omitempty"` // distinguished name, as text
	Issuer         string   `cbor:"3,keyasint,omitempty"`
	Serial         []byte   `cbor:"4,keyasint,omitempty"`
	SubjectDER     []byte   `cbor:"5,keyasint,omitempty"`
	IssuerDER      []byte   `cbor:"6,keyasint,omitempty"`
	SubjectAltName [][]byte `cbor:"7,keyasint,omitempty"` // DER of each general name; in text form for the attributes of KMIP 1.0
	IssuerAltName  [][]byte `cbor:"8,keyasint,omitempty"`
}

// CustomAttribute are the values of one attribute that a client or its vendor made up. Its name is "x-" and a name, or another vendor's identification, a
// dash and a name, as Custom joins them.
type CustomAttribute struct {
	Name   string      `cbor:"1,keyasint"`
	Values Many[Field] `cbor:"2,keyasint"`
}

// ValueKind is a KMIP item type (section 9.1.1.2).
type ValueKind uint32

// Kinds of values.
const (
	Structure        ValueKind = 1
	Integer          ValueKind = 2
	LongInteger      ValueKind = 3
	BigInteger       ValueKind = 4
	Enumeration      ValueKind = 5
	Boolean          ValueKind = 6
	TextString       ValueKind = 7
	ByteString       ValueKind = 8
	DateTime         ValueKind = 9
	Interval         ValueKind = 10
	DateTimeExtended ValueKind = 11
)

// Field is a value of a custom attribute, or a field of a structure in one.
type Field struct {
	Tag    uint32    `cbor:"1,keyasint,omitempty"` // of a field in a structure
	Kind   ValueKind `cbor:"2,keyasint"`
	Number int64     `cbor:"3,keyasint,omitempty"` // of integers, enumerations, intervals (s), booleans (1: true) and dates (s or µs)
	Text   string    `cbor:"4,keyasint,omitempty"`
	Bytes  []byte    `cbor:"5,keyasint,omitempty"` // of byte strings and big integers
	Fields []Field   `cbor:"6,keyasint,omitempty"`
}

// Text returns a value of text.
func Text(s string) Field { return Field{Kind: TextString, Text: s} }

// depth returns how many structures stand inside each other, up to one more than limit.
func (f Field) depth(limit int) int {
	deepest := 0
	if limit > 0 {
		for _, inner := range f.Fields {
			deepest = max(deepest, 1+inner.depth(limit-1))
		}
	} else if len(f.Fields) > 0 {
		deepest = 1
	}
	return deepest
}

func (f Field) check(field string) error {
	if f.Kind < Structure || f.Kind > DateTimeExtended || f.Kind != Structure && len(f.Fields) > 0 {
		return invalid(field, "is of no type that KMIP has")
	}
	if f.depth(MaxCustomDepth) > MaxCustomDepth {
		return invalid(field, "has structures in each other more than %d deep", MaxCustomDepth)
	}
	b, err := fsm.Encode(f)
	if err != nil {
		return err
	}
	if len(b) > MaxCustomValue {
		return invalid(field, "has %d bytes, the limit is %d", len(b), MaxCustomValue)
	}
	return nil
}
