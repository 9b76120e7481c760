//go:build cgo

package token

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// session is an open session on the token.
type session struct {
	*module
	slot   uint
	handle pkcs11.SessionHandle
	keys   *keys // once they were found and looked at
}

// keys are the keys of the configured mechanism.
type keys struct {
	main pkcs11.ObjectHandle
	mac  pkcs11.ObjectHandle // of AES_CBC_PAD
	how  usage               // of AES_KEY_WRAP_PAD: whether main encrypts bytes or wraps keys
}

// login makes exactly one attempt. The PIN passes through a string and the C heap, as the library wants it, in this process only.
func (s *session) login(pin []byte) error {
	err := s.Login(s.handle, pkcs11.CKU_USER, string(pin))
	switch {
	case err == nil || is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return nil
	case is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED):
		return failure{WrongPIN, rv("log in", err)}
	}
	return rv("log in", err)
}

func (s *session) wrap(plaintext, aad []byte) ([]byte, error) {
	k, err := s.find()
	if err != nil {
		return nil, err
	}
	out, err := s.seal(k, plaintext, aad)
	if err != nil {
		return nil, err
	}
	return append(head(s.set.Mechanism), out...), nil
}

// unwrap tells a blob that does not fit from a token that cannot answer. Modules do not: SoftHSM says CKR_GENERAL_ERROR to both. So after an
// error that does not say which, the key has to open something that it just wrapped; if it does, and fails at the blob once more, it was the blob.
func (s *session) unwrap(blob, aad []byte) ([]byte, error) {
	sealed, err := body(blob, s.set.Mechanism)
	if err != nil {
		return nil, err
	}
	k, err := s.find()
	if err != nil {
		return nil, err
	}
	out, err := s.open(k, sealed, aad)
	if err == nil || errors.Is(err, errWrongKey) {
		return out, err
	}
	if s.probe(k) != nil {
		return nil, err
	}
	if out, err = s.open(k, sealed, aad); err != nil && !errors.Is(err, errWrongKey) {
		err = fmt.Errorf("%w (%w)", errWrongKey, err)
	}
	return out, err
}

// probe wraps and unwraps a random value.
func (s *session) probe(k *keys) error {
	value := make([]byte, 32)
	rand.Read(value)
	sealed, err := s.seal(k, value, nil)
	if err != nil {
		return err
	}
	back, err := s.open(k, sealed, nil)
	if err == nil && !bytes.Equal(value, back) {
		err = errors.New("the token does not give back what it was given")
	}
	return err
}

func (s *session) seal(k *keys, plaintext, aad []byte) ([]byte, error) {
	switch s.set.Mechanism {
	case GCM:
		return s.sealGCM(k, plaintext, aad)
	case KWP:
		return s.sealKWP(k, plaintext, aad)
	case CBC:
		return s.sealCBC(k, plaintext, aad)
	case OAEP:
		return s.sealOAEP(k, plaintext, aad)
	}
	return nil, refusef("%s is not known", s.set.Mechanism)
}

func (s *session) open(k *keys, sealed, aad []byte) ([]byte, error) {
	switch s.set.Mechanism {
	case GCM:
		return s.openGCM(k, sealed, aad)
	case KWP:
		return s.openKWP(k, sealed, aad)
	case CBC:
		return s.openCBC(k, sealed, aad)
	case OAEP:
		return s.openOAEP(k, sealed, aad)
	}
	return nil, refusef("%s is not known", s.set.Mechanism)
}

// wrong marks the errors by which a module says clearly that the ciphertext is at fault.
func wrong(step string, err error) error {
	if is(err, pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE, pkcs11.CKR_WRAPPED_KEY_INVALID,
		pkcs11.CKR_WRAPPED_KEY_LEN_RANGE, ckrAEADDecryptFailed) {
		return fmt.Errorf("%w (%s: %w)", errWrongKey, step, err)
	}
	return rv(step, err)
}

const ckrAEADDecryptFailed = 0x42 // PKCS#11 3.0, which the library's constants end before

// encrypt and decrypt are one operation each on the session, which serves one at a time.
func (s *session) encrypt(k pkcs11.ObjectHandle, m *pkcs11.Mechanism, plaintext []byte) ([]byte, error) {
	if err := s.EncryptInit(s.handle, []*pkcs11.Mechanism{m}, k); err != nil {
		return nil, rv("begin to encrypt", err)
	}
	out, err := s.Encrypt(s.handle, plaintext)
	if err != nil {
		return nil, rv("encrypt", err)
	}
	return out, nil
}

func (s *session) decrypt(k pkcs11.ObjectHandle, m *pkcs11.Mechanism, ciphertext []byte) ([]byte, error) {
	if err := s.DecryptInit(s.handle, []*pkcs11.Mechanism{m}, k); err != nil {
		return nil, rv("begin to decrypt", err)
	}
	out, err := s.Decrypt(s.handle, ciphertext)
	if err != nil {
		return nil, wrong("decrypt", err)
	}
	return out, nil
}
