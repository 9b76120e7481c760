package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/trstctl/trstctl/fsm"
)

// The envelope, format 1, whose layout stands in fsm/sealed.go: a fresh DEK encrypts one plaintext under a random nonce; it is wrapped
// under a key that HKDF derives from the KEK with a fresh salt, so that this key wraps once and its nonce can be zero. Both layers
// bind the context below.
const (
	keySize  = 32
	saltAt   = 25
	saltSize = 32
	wrapAt   = saltAt + saltSize
	wrapInfo = "trstctl dek wrap v1"
)

var errOpen = errors.New("the sealed value does not open: it is damaged, was moved, or was sealed under another key")

// key is an AES-256 key that no formatter prints.
type key [keySize]byte

func (*key) String() string               { return "[redacted]" }
func (*key) GoString() string             { return "[redacted]" }
func (*key) Format(f fmt.State, _ rune)   { io.WriteString(f, "[redacted]") }
func (*key) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (*key) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

func newKey() *key {
	k := new(key)
	rand.Read(k[:])
	return k
}

// Zero overwrites b.
func Zero(b []byte) { clear(b) }

// contextOf is the associated data: each part behind its length, 4 bytes big endian. The KEK's id is part of the wrap's only, since
// a re-wrap changes it.
func contextOf(cluster fsm.UID, at uint32, b fsm.Binding, kek *fsm.KEKID) []byte {
	out := make([]byte, 0, 160+len(b.Feature)+len(b.Field)+len(b.Path))
	part := func(p ...byte) { out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...) }
	part(fsm.SealedFormat)
	part(cluster[:]...)
	part(binary.BigEndian.AppendUint32(nil, at)...)
	part(b.Tenant[:]...)
	if kek != nil {
		part(binary.BigEndian.AppendUint32(kek.Scope[:len(kek.Scope):len(kek.Scope)], kek.Version)...)
	}
	part([]byte(b.Feature)...)
	part([]byte(b.Field)...)
	part([]byte(b.Path)...)
	part(binary.BigEndian.AppendUint64(nil, b.Version)...)
	return out
}

// sealed makes the envelope of plaintext under a KEK, in an epoch of the cluster's history, which it keeps.
func sealed(cluster fsm.UID, epoch uint32, id fsm.KEKID, kek *key, b fsm.Binding, plaintext []byte) (fsm.Sealed, error) {
	blob := make([]byte, wrapAt, fsm.SealedMin+len(plaintext))
	blob[0] = fsm.SealedFormat
	copy(blob[1:17], id.Scope[:])
	binary.BigEndian.PutUint32(blob[17:], id.Version)
	binary.BigEndian.PutUint32(blob[21:], epoch)
	rand.Read(blob[saltAt:])
	dek := newKey()
	defer clear(dek[:])
	wrap, err := wrapper(kek, blob[saltAt:wrapAt], contextOf(cluster, epoch, b, &id))
	if err != nil {
		return fsm.Sealed{}, err
	}
	blob = wrap.Seal(blob, make([]byte, 12), dek[:], contextOf(cluster, epoch, b, &id))
	nonce := blob[len(blob) : len(blob)+12]
	rand.Read(nonce)
	aead, err := gcm(dek[:])
	if err != nil {
		return fsm.Sealed{}, err
	}
	blob = aead.Seal(blob[:len(blob)+12], nonce, plaintext, contextOf(cluster, epoch, b, nil))
	return fsm.NewSealed(blob)
}

// open returns the plaintext of a loaded envelope.
func open(cluster fsm.UID, kek *key, b fsm.Binding, s fsm.Sealed) ([]byte, error) {
	if s.IsWrap() {
		return nil, errOpen
	}
	blob, id := s.Bytes(), s.KEK()
	at := binary.BigEndian.Uint32(blob[21:])
	wrap, err := wrapper(kek, blob[saltAt:wrapAt], contextOf(cluster, at, b, &id))
	if err != nil {
		return nil, err
	}
	dek, err := wrap.Open(nil, make([]byte, 12), blob[wrapAt:fsm.SealedNonceAt], contextOf(cluster, at, b, &id))
	if err != nil {
		return nil, errOpen
	}
	defer clear(dek)
	aead, err := gcm(dek)
	if err != nil {
		return nil, err
	}
	nonce := blob[fsm.SealedNonceAt : fsm.SealedNonceAt+12]
	plaintext, err := aead.Open(nil, nonce, blob[fsm.SealedNonceAt+12:], contextOf(cluster, at, b, nil))
	if err != nil {
		return nil, errOpen
	}
	return plaintext, nil
}

// wrapper is the cipher that wraps one DEK: under a key that is derived for this salt and context.
func wrapper(kek *key, salt, context []byte) (cipher.AEAD, error) {
	k, err := derive(kek[:], salt, wrapInfo+string(context))
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return gcm(k)
}

func derive(secret, salt []byte, info string) ([]byte, error) {
	k, err := hkdf.Key(sha256.New, secret, salt, info, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return k, nil
}

func gcm(k []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// rewrapped returns the first SealedNonceAt bytes of an envelope whose DEK is wrapped under another key. The DEK, the nonce and the
// ciphertext stay, and so does the epoch that both layers are bound to.
func rewrapped(cluster fsm.UID, from, to *key, id fsm.KEKID, b fsm.Binding, s fsm.Sealed) ([]byte, error) {
	blob, was := s.Bytes(), s.KEK()
	at := binary.BigEndian.Uint32(blob[21:])
	old, err := wrapper(from, blob[saltAt:wrapAt], contextOf(cluster, at, b, &was))
	if err != nil {
		return nil, err
	}
	dek, err := old.Open(nil, make([]byte, 12), blob[wrapAt:fsm.SealedNonceAt], contextOf(cluster, at, b, &was))
	if err != nil {
		return nil, errOpen
	}
	defer clear(dek)
	out := append(make([]byte, 0, fsm.SealedNonceAt), blob[:saltAt]...)
	copy(out[1:], id.Bytes())
	out = out[:wrapAt]
	rand.Read(out[saltAt:])
	fresh, err := wrapper(to, out[saltAt:], contextOf(cluster, at, b, &id))
	if err != nil {
		return nil, err
	}
	return fresh.Seal(out, make([]byte, 12), dek, contextOf(cluster, at, b, &id)), nil
}
