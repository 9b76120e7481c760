//go:build cgo

package token

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// sealGCM takes the nonce that the token used: some make their own instead of the one they are given.
func (s *session) sealGCM(k *keys, plaintext, aad []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	params := pkcs11.NewGCMParams(nonce, append(head(GCM), aad...), tagSize*8)
	defer params.Free()
	out, err := s.encrypt(k.main, pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params), plaintext)
	if err != nil {
		return nil, err
	}
	if nonce = params.IV(); len(nonce) != nonceSize || len(out) != len(plaintext)+tagSize {
		return nil, refusef("the token's AES_GCM answered %d bytes of nonce and %d for a plaintext of %d: use another mechanism", len(nonce), len(out), len(plaintext))
	}
	return append(nonce, out...), nil
}

func (s *session) openGCM(k *keys, sealed, aad []byte) ([]byte, error) {
	nonce, _, _, err := split(sealed, nonceSize, tagSize)
	if err != nil {
		return nil, err
	}
	params := pkcs11.NewGCMParams(nonce, append(head(GCM), aad...), tagSize*8)
	defer params.Free()
	return s.decrypt(k.main, pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params), sealed[nonceSize:])
}

func (s *session) sealCBC(k *keys, plaintext, aad []byte) ([]byte, error) {
	iv := make([]byte, blockSize)
	rand.Read(iv)
	ciphertext, err := s.encrypt(k.main, pkcs11.NewMechanism(pkcs11.CKM_AES_CBC_PAD, iv), plaintext)
	if err != nil {
		return nil, err
	}
	mac, err := s.mac(k, authenticated(aad, iv, ciphertext))
	if err != nil {
		return nil, err
	}
	return append(append(iv, ciphertext...), mac...), nil
}

// openCBC checks the MAC before anything is decrypted: there are modules that decrypt changed bytes without an error.
func (s *session) openCBC(k *keys, sealed, aad []byte) ([]byte, error) {
	iv, ciphertext, mac, err := split(sealed, blockSize, macSize)
	if err != nil {
		return nil, err
	}
	want, err := s.mac(k, authenticated(aad, iv, ciphertext))
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(want, mac) != 1 {
		return nil, fmt.Errorf("its MAC differs: %w", errWrongKey)
	}
	return s.decrypt(k.main, pkcs11.NewMechanism(pkcs11.CKM_AES_CBC_PAD, iv), ciphertext)
}

// mac signs; it verifies by signing again and comparing, which rests on nothing but the MAC itself.
func (s *session) mac(k *keys, b []byte) ([]byte, error) {
	if err := s.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256_HMAC, nil)}, k.mac); err != nil {
		return nil, rv("begin the MAC", err)
	}
	out, err := s.Sign(s.handle, b)
	if err != nil {
		return nil, rv("make the MAC", err)
	}
	if len(out) != macSize {
		return nil, refusef("the token's MAC has %d bytes instead of %d", len(out), macSize)
	}
	return out, nil
}

var keyWrapPad = []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_WRAP_PAD, nil)}

// sealKWP encrypts bytes where the key may do that. Where the token wraps keys only (SoftHSM), the bytes become a secret that lives in this
// session for the length of one call, and that is wrapped.
func (s *session) sealKWP(k *keys, plaintext, aad []byte) (_ []byte, err error) {
	b := bound(KWP, plaintext, aad)
	defer clear(b)
	if k.how == encrypts {
		return s.encrypt(k.main, keyWrapPad[0], b)
	}
	template := append(transient(), pkcs11.NewAttribute(pkcs11.CKA_VALUE, b))
	secret, err := s.CreateObject(s.handle, template)
	if err != nil {
		return nil, rv("make a session object", err)
	}
	defer func() { err = errors.Join(err, s.destroy(secret)) }()
	out, err := s.WrapKey(s.handle, keyWrapPad, k.main, secret)
	if err != nil {
		return nil, rv("wrap", err)
	}
	return out, nil
}

func (s *session) openKWP(k *keys, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < 16 || len(sealed)%8 != 0 {
		return nil, fmt.Errorf("a blob of %d bytes is not of AES_KEY_WRAP_PAD: %w", len(sealed)+headSize, errWrongKey)
	}
	if k.how == encrypts {
		b, err := s.decrypt(k.main, keyWrapPad[0], sealed)
		if err != nil {
			return nil, err
		}
		return unbound(KWP, b, aad)
	}
	b, err := s.unwrapSecret(k.main, sealed)
	if err != nil {
		return nil, err
	}
	return unbound(KWP, b, aad)
}

// unwrapSecret unwraps into a session object and reads it.
func (s *session) unwrapSecret(k pkcs11.ObjectHandle, sealed []byte) (value []byte, err error) {
	secret, err := s.UnwrapKey(s.handle, keyWrapPad, k, sealed, transient())
	if err != nil {
		return nil, wrong("unwrap", err)
	}
	defer func() { err = errors.Join(err, s.destroy(secret)) }()
	a, err := s.GetAttributeValue(s.handle, secret, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
	if err != nil {
		return nil, rv("read the session object", err)
	}
	return a[0].Value, nil
}

func (s *session) destroy(o pkcs11.ObjectHandle) error {
	if err := s.DestroyObject(s.handle, o); err != nil {
		return rv("destroy the session object", err)
	}
	return nil
}

// transient describes a secret of this session that can be wrapped and read: it is as visible as our own memory, where it just was.
func transient() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
	}
}
