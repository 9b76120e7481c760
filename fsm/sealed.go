package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// The bytes of a sealed value, format 1 (SECURITY: keys 1 and 2). Lengths in bytes:
//
//	1 format | 16 KEK scope | 4 KEK version | 4 epoch | 32 salt | 48 wrapped DEK | 12 nonce | n+16 ciphertext and tag
//
// The wrap (everything before the nonce) may be replaced by a re-wrap; the rest never changes, and its SHA-256 is the
// value's digest, by which records and rows refer to it.
//
// A root KEK as a seal wrapped it is kept in the same way, so that it can be destroyed too, in a format of its own: no KEK wraps
// it, and its digest covers all of it.
//
//	1 format | what the seal made of it
const (
	SealedFormat  = 1
	SealedNonceAt = 105
	SealedMin     = SealedNonceAt + 12 + 16
	SealedMax     = SealedMin + 2<<20 // a value has 1 MiB at most; an answer may be larger

	WrapFormat = 'w'
	WrapMin    = 1 + 32 // a seal wraps a key and authenticates it
	WrapMax    = 1 + 64<<10
)

// KEKID names one version of a key encryption key.
type KEKID struct {
	Scope   UID // the tenant; zero for the root KEK
	Version uint32
}

// String returns "root/3" or "<tenant uid>/3".
func (id KEKID) String() string {
	if id.Scope.IsZero() {
		return fmt.Sprintf("root/%d", id.Version)
	}
	return fmt.Sprintf("%s/%d", id.Scope, id.Version)
}

// Binding says where a sealed value stands. It is authenticated with it, so that no blob can be moved.
type Binding struct {
	Tenant  UID    `cbor:"1,keyasint"`
	Feature string `cbor:"2,keyasint"` // "secret"
	Field   string `cbor:"3,keyasint"` // "value"
	Path    string `cbor:"4,keyasint"`
	Version uint64 `cbor:"5,keyasint"`
}

// Sealed is an encrypted value. Only engines/keyring makes one (test/arch sees to it), so that a plaintext does not compile
// into an event. Its encoding is its digest; the bytes travel beside it and are kept once.
type Sealed struct {
	digest  [32]byte
	blob    []byte // nil when only the digest is known: Load finds the rest
	binding []byte // where it stands, encoded, as it is brought into the state; a re-wrap needs it
}

// Bound notes where a loaded value stands.
func (s Sealed) Bound(b Binding) (Sealed, error) {
	var err error
	s.binding, err = Encode(b)
	return s, err
}

// NewSealed checks the header of blob and takes ownership of it.
func NewSealed(blob []byte) (Sealed, error) {
	if len(blob) > 0 && blob[0] == WrapFormat {
		return newWrap(blob)
	}
	switch {
	case len(blob) < SealedMin:
		return Sealed{}, fmt.Errorf("sealed value of %d bytes is shorter than its header", len(blob))
	case len(blob) > SealedMax:
		return Sealed{}, fmt.Errorf("sealed value of %d bytes is above the limit of %d", len(blob), SealedMax)
	case blob[0] != SealedFormat:
		return Sealed{}, fmt.Errorf("sealed value has format %d, not %d", blob[0], SealedFormat)
	}
	return Sealed{digest: sha256.Sum256(blob[SealedNonceAt:]), blob: blob}, nil
}

func newWrap(blob []byte) (Sealed, error) {
	if len(blob) < WrapMin || len(blob) > WrapMax {
		return Sealed{}, fmt.Errorf("a root key's wrap has %d to %d bytes, not %d", WrapMin, WrapMax, len(blob))
	}
	return Sealed{digest: sha256.Sum256(blob), blob: blob}, nil
}

// IsZero reports whether s holds nothing at all.
func (s Sealed) IsZero() bool { return s.digest == [32]byte{} }

// Loaded reports whether the bytes are there.
func (s Sealed) Loaded() bool { return s.blob != nil }

// Digest names the value: SHA-256 of what no re-wrap changes.
func (s Sealed) Digest() [32]byte { return s.digest }

// Bytes returns the blob; the caller must not change it.
func (s Sealed) Bytes() []byte { return s.blob }

// IsWrap reports whether a loaded value is a root KEK that a seal wrapped.
func (s Sealed) IsWrap() bool { return s.blob[0] == WrapFormat }

// KEK returns which key wraps a loaded value; the zero KEKID, which none has, when a seal does.
func (s Sealed) KEK() KEKID {
	var id KEKID
	if s.IsWrap() {
		return id
	}
	copy(id.Scope[:], s.blob[1:17])
	id.Version = binary.BigEndian.Uint32(s.blob[17:21])
	return id
}

// MarshalCBOR writes the digest, or an empty byte string for a zero value.
func (s Sealed) MarshalCBOR() ([]byte, error) {
	if s.IsZero() {
		return []byte{0x40}, nil
	}
	return append([]byte{0x58, 32}, s.digest[:]...), nil
}

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *Sealed) UnmarshalCBOR(b []byte) error {
	switch {
	case len(b) == 1 && b[0] == 0x40:
		*s = Sealed{}
	case len(b) == 34 && b[0] == 0x58 && b[1] == 32:
		*s = Sealed{digest: [32]byte(b[2:])}
	default:
		return fmt.Errorf("a sealed value is encoded as a digest of 32 bytes")
	}
	return nil
}

// String, GoString, LogValue and MarshalJSON keep ciphertext out of output: it would be noise, and an invitation.
func (s Sealed) String() string               { return "[sealed]" }
func (s Sealed) GoString() string             { return "[sealed]" }
func (s Sealed) LogValue() slog.Value         { return slog.StringValue("[sealed]") }
func (s Sealed) MarshalJSON() ([]byte, error) { return []byte(`"[sealed]"`), nil }
