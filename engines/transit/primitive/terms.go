package primitive

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Labels separate what one key is used for (format). A change of meaning takes a new label.
const (
	cipherLabel   = "trstctl transit ciphertext v1"       // associated data of AEAD keys
	workingLabel  = "trstctl transit derived key v1"      // working key of a context
	nonceKeyLabel = "trstctl transit convergent nonce v1" // key of the nonces of convergent encryption
	macKeyLabel   = "trstctl transit mac key v1"          // MAC key of keys that are not HMAC keys
	dataKeyLabel  = "trstctl transit data key v1"         // encapsulated data keys
	confirmLabel  = "trstctl transit data key confirm v1" // and their confirmation
)

// Limits of one call, in bytes.
const (
	MaxPlaintext  = 16 << 20
	MaxAssociated = 64 << 10 // also of Place
	MaxContext    = 4 << 10
)

// Terms are what a ciphertext is made under, and what it takes to open it again.
type Terms struct {
	UID        [16]byte // of the key; a backup of the key carries it
	Place      []byte   // what else the engine binds: the tenant's UID
	Version    uint64   // of the key, 1 to MaxVersion
	Associated []byte   // what the caller binds

	Derived    bool   // encrypt under a key of its own for each Context, which must not be empty then and must be otherwise
	Context    []byte // not secret
	Convergent bool   // the same plaintext under the same terms has the same ciphertext; a property of the key, which Decrypt does not look at

	Hash Hash // of OAEP, RSA keys only
}

// check refuses terms that do not go with a.
func (t *Terms) check(a Algorithm) error {
	switch {
	case t.Version < 1 || t.Version > MaxVersion:
		return fault.Bad("version", "the version of a key is 1 to %d", uint64(MaxVersion))
	case len(t.Associated) > MaxAssociated || len(t.Place) > MaxAssociated:
		return fault.New(fault.TooLarge, "associated data has %d bytes at most", MaxAssociated)
	case len(t.Context) > MaxContext:
		return fault.New(fault.TooLarge, "a context has %d bytes at most", MaxContext)
	case t.Derived && !a.Can(ToDerive):
		return a.cannot("derive")
	case t.Derived && len(t.Context) == 0:
		return fault.Bad("context", "a derived key needs a context")
	case !t.Derived && len(t.Context) != 0:
		return fault.Bad("context", "the key is not derived: it takes no context")
	case t.Convergent && traits[a].family != aeadKey:
		return a.cannot("encrypt convergently")
	case t.Hash != 0 && traits[a].family != rsaKey:
		return fault.Bad("hash", "a key of type %s takes no hash", a)
	}
	return nil
}

// appendPart writes p behind its length, 4 bytes big endian.
func appendPart[B ~string | ~[]byte](dst []byte, p B) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
}

// size is how many bytes appendTo writes with this label.
func (t *Terms) size(label string) int {
	return 5*4 + len(label) + len(t.UID) + 8 + len(t.Place) + len(t.Associated)
}

// appendTo writes what is authenticated (format): label, UID, version (8 bytes, big endian), Place, Associated, each behind its length.
func (t *Terms) appendTo(dst []byte, label string) []byte {
	dst = appendPart(dst, label)
	dst = appendPart(dst, t.UID[:])
	dst = binary.BigEndian.AppendUint32(dst, 8)
	dst = binary.BigEndian.AppendUint64(dst, t.Version)
	dst = appendPart(dst, t.Place)
	return appendPart(dst, t.Associated)
}

// derive is HKDF-SHA-256 (RFC 5869) without a salt; info is label and context, each behind its length (format). A context is no salt: salts that
// differ in zeros at their end are equal. The result is the caller's to wipe.
func derive(secret []byte, size int, label string, context []byte) ([]byte, error) {
	info := appendPart(make([]byte, 0, 8+len(label)+len(context)), label)
	k, err := hkdf.Key(sha256.New, secret, nil, string(appendPart(info, context)), size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return k, nil
}
