package primitive

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trstctl/trstctl/fsm/fault"
)

// ErrDecrypt says that something cannot be decrypted, unwrapped or decapsulated, and never why: another key, version, UID, place,
// associated data or context, or a changed ciphertext.
var ErrDecrypt error = fault.New(fault.Invalid, "cannot be decrypted")

// Encrypt appends the token of plaintext to dst: nonce ‖ ciphertext ‖ tag for AEAD keys, RSAES-OAEP for RSA keys. It allocates once if the spare
// capacity of dst does not do, which plaintext must not overlap; it wipes nothing of the caller's. A key with ShortNonces must not encrypt more than
// NonceBound messages, of all contexts together: whoever calls counts them.
func (k *Key) Encrypt(dst []byte, t Terms, plaintext []byte) ([]byte, error) {
	if err := t.check(k.alg); err != nil {
		return nil, err
	}
	if len(plaintext) > MaxPlaintext {
		return nil, fault.New(fault.TooLarge, "a plaintext has %d bytes at most", MaxPlaintext)
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	switch traits[k.alg].family {
	case aeadKey:
		return k.seal(dst, &t, plaintext)
	case rsaKey:
		return k.sealOAEP(dst, &t, plaintext)
	}
	return nil, k.alg.cannot("encrypt")
}

// Decrypt appends the plaintext of a token's payload to dst; t.Version is the token's. All that Encrypt was given but the plaintext must be the
// same, or it fails with ErrDecrypt. payload must not overlap dst or its spare capacity. The result is the caller's to wipe.
func (k *Key) Decrypt(dst []byte, t Terms, payload []byte) ([]byte, error) {
	if err := t.check(k.alg); err != nil {
		return nil, err
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	switch traits[k.alg].family {
	case aeadKey:
		return k.open(dst, &t, payload)
	case rsaKey:
		return k.openOAEP(dst, &t, payload)
	}
	return nil, k.alg.cannot("decrypt")
}

// seal makes the raw payload behind where its text goes, behind what is authenticated: one buffer holds all three.
func (k *Key) seal(dst []byte, t *Terms, plaintext []byte) ([]byte, error) {
	aead, err := k.working(t)
	if err != nil {
		return nil, err
	}
	raw := aead.NonceSize() + len(plaintext) + aead.Overhead()
	text := base64.StdEncoding.EncodedLen(raw)
	b := appendHead(slices.Grow(dst, maxHead+text+t.size(cipherLabel)+raw), t.Version)
	body, end := len(b), len(b)+text
	b = t.appendTo(b[:end], cipherLabel)
	at := len(b)
	b = b[:at+aead.NonceSize()]
	if err := k.nonce(b[at:], t, b[end:at], plaintext); err != nil {
		return nil, err
	}
	b = aead.Seal(b, b[at:], plaintext, b[end:at])
	base64.StdEncoding.Encode(b[body:end], b[at:])
	return b[:end], nil
}

// open puts what is authenticated behind where the plaintext goes.
func (k *Key) open(dst []byte, t *Terms, payload []byte) ([]byte, error) {
	aead, err := k.working(t)
	if err != nil {
		return nil, err
	}
	size := len(payload) - aead.NonceSize() - aead.Overhead()
	if size < 0 || size > MaxPlaintext {
		return nil, ErrDecrypt
	}
	dst = slices.Grow(dst, size+t.size(cipherLabel))
	end := len(dst) + size
	authenticated := t.appendTo(dst[:end], cipherLabel)[end:]
	out, err := aead.Open(dst, payload[:aead.NonceSize()], payload[aead.NonceSize():], authenticated)
	if err != nil {
		return nil, ErrDecrypt
	}
	return out, nil
}

// working is the cipher that t asks for: the key's own, or one made for the context and forgotten after the call.
func (k *Key) working(t *Terms) (cipher.AEAD, error) {
	if !t.Derived {
		return k.aead, nil
	}
	w, err := derive(k.secret, len(k.secret), workingLabel, t.Context)
	if err != nil {
		return nil, err
	}
	defer clear(w)
	return newAEAD(k.alg, w)
}

// nonce fills out: at random, or from all that goes into the message, so that two messages that differ in anything have different nonces. Were the
// associated data left out, two ciphertexts of one plaintext would share a nonce and give the key of GCM's tags away.
func (k *Key) nonce(out []byte, t *Terms, authenticated, plaintext []byte) error {
	if !t.Convergent {
		rand.Read(out)
		return nil
	}
	key, err := derive(k.secret, sha256.Size, nonceKeyLabel, t.Context)
	if err != nil {
		return err
	}
	defer clear(key)
	h := hmac.New(sha256.New, key)
	for _, part := range [][]byte{t.Context, authenticated, plaintext} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	copy(out, h.Sum(nil))
	return nil
}

func newAEAD(a Algorithm, key []byte) (cipher.AEAD, error) {
	switch a {
	case ChaCha20Poly1305:
		return chacha20poly1305.New(key)
	case XChaCha20Poly1305:
		return chacha20poly1305.NewX(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}
