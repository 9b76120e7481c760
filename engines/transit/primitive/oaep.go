package primitive

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/trstctl/trstctl/fsm/fault"
)

// RSAES-OAEP (RFC 8017, section 7.1), MGF1 with the same hash. Its label is the caller's associated data as it is, empty if there is none, so that
// whoever has the public key can make a ciphertext without us, also with a client that knows no labels. UID, place and version are
// not bound: a public key lets anybody make a ciphertext, and what is encrypted to one RSA key opens under no other.

// forOAEP returns h, SHA-256 if it is zero.
func (h Hash) forOAEP() (Hash, error) {
	if h == SHA1 {
		return h, nil
	}
	return h.forKeys(SHA256)
}

// sealOAEP appends the token of a ciphertext as long as the modulus.
func (k *Key) sealOAEP(dst []byte, t *Terms, plaintext []byte) ([]byte, error) {
	h, err := t.Hash.forOAEP()
	if err != nil {
		return nil, err
	}
	if most := k.rsa.Size() - 2*h.Size() - 2; len(plaintext) > most {
		return nil, fault.New(fault.TooLarge, "a key of type %s encrypts %d bytes at most with %s", k.alg, most, h)
	}
	ciphertext, err := rsa.EncryptOAEP(hashes[h].new(), rand.Reader, &k.rsa.PublicKey, plaintext, t.Associated)
	if err != nil {
		return nil, err
	}
	return AppendToken(dst, t.Version, ciphertext), nil
}

func (k *Key) openOAEP(dst []byte, t *Terms, payload []byte) ([]byte, error) {
	h, err := t.Hash.forOAEP()
	if err != nil {
		return nil, err
	}
	plaintext, err := decryptOAEP(k.rsa, h, payload, t.Associated)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	return append(dst, plaintext...), nil
}

// decryptOAEP returns what the caller wipes. Its only error is ErrDecrypt.
func decryptOAEP(k *rsa.PrivateKey, h Hash, ciphertext, label []byte) ([]byte, error) {
	if len(ciphertext) != k.Size() {
		return nil, ErrDecrypt
	}
	plaintext, err := rsa.DecryptOAEP(hashes[h].new(), nil, k, ciphertext, label)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}
