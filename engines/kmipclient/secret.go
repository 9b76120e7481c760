package kmipclient

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Secret is a private key in PEM, or a password. It prints as [redacted]; whoever sends it converts it to []byte on purpose.
type Secret []byte

// Zero overwrites s.
func (s Secret) Zero() { clear(s) }

// String, GoString, Format, LogValue, MarshalText and MarshalJSON keep the secret out of every kind of output.
func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(redacted)) // fmt reports what its writer refuses
}

const redacted = "[redacted]"

// Fingerprint is the SHA-256 of a certificate in DER, or of a SubjectPublicKeyInfo in DER.
type Fingerprint [32]byte

// String returns 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText implements encoding.TextMarshaler.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ParseFingerprint reads what String returns and what people copy from other tools: digits of either case, with colons between bytes or without.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	if strings.Count(s, ":") == len(f)-1 {
		s = strings.ReplaceAll(s, ":", "")
	}
	if len(s) != 2*len(f) {
		return f, fault.Bad("fingerprint", "a SHA-256 fingerprint has 64 hexadecimal digits")
	}
	if _, err := hex.Decode(f[:], []byte(s)); err != nil {
		return Fingerprint{}, fault.Bad("fingerprint", "a SHA-256 fingerprint has hexadecimal digits only")
	}
	return f, nil
}
