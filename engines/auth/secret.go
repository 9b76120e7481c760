package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
)

// The secret form of a token is "trs." and 32 random bytes in unpadded base64url. What is stored is the SHA-256 of
// that text: 256 random bits need no salt and no slow hash.
const (
	secretPrefix = "trs."
	secretBytes  = 32
	secretLen    = len(secretPrefix) + (secretBytes*8+5)/6
)

// Secret is the secret form of a token. It prints as [redacted]; whoever sends it converts it to []byte on purpose.
type Secret []byte

// Zero overwrites s.
func (s Secret) Zero() { clear(s) }

// String, GoString, Format, LogValue, MarshalText and MarshalJSON keep the secret out of every kind of output.
func (Secret) String() string               { return "[redacted]" }
func (Secret) GoString() string             { return "[redacted]" }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[redacted]")) // fmt reports what its writer refuses
}

func newSecret() Secret {
	var raw [secretBytes]byte
	defer clear(raw[:])
	_, _ = rand.Read(raw[:]) // never fails: the process ends instead
	s := make([]byte, 0, secretLen)
	return base64.RawURLEncoding.AppendEncode(append(s, secretPrefix...), raw[:])
}

func newAccessor() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: the process ends instead
	return "acc_" + base64.RawURLEncoding.EncodeToString(raw[:])
}

// hashOf returns the hash under which secret would be stored; ok is false when it does not look like a token at all.
func hashOf(secret []byte) (hash [32]byte, ok bool) {
	if len(secret) != secretLen || string(secret[:len(secretPrefix)]) != secretPrefix {
		return hash, false
	}
	return sha256.Sum256(secret), true
}
