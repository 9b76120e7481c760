//go:build cgo

package token

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

const rsaBits = 3072

// createKeys makes the keys of the configured mechanism on the token. It touches nothing that is there: one key of the name is enough to refuse.
func (s *session) createKeys() (err error) {
	wanted := []kind{s.set.mainKey()}
	if s.set.Mechanism == CBC {
		wanted = append(wanted, s.set.macKey())
	}
	for _, k := range wanted {
		found, err := s.all(k)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return failure{Exists, fmt.Errorf("token %q has %s already: it is left as it is", s.set.Token, k.named())}
		}
	}
	rw, err := s.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION) // the login holds for all sessions
	if err != nil {
		return rv("open a session that may write", err)
	}
	defer func() {
		if end := s.CloseSession(rw); err == nil && end != nil {
			err = rv("close the session that may write", end)
		}
	}()
	return s.make(rw, wanted)
}

// make makes the keys one after the other; when one fails, or is there twice because another node made one at the same time, those made are
// destroyed again.
func (s *session) make(rw pkcs11.SessionHandle, wanted []kind) (err error) {
	var made []pkcs11.ObjectHandle
	defer func() {
		if err == nil {
			return
		}
		for _, o := range made {
			if undo := s.DestroyObject(rw, o); undo != nil {
				err = errors.Join(err, rv("destroy a key that was made", undo))
			}
		}
	}()
	for _, k := range wanted {
		o, err := s.generate(rw, k)
		made = append(made, o...)
		if err != nil {
			return err
		}
		if _, err = s.one(k); err != nil {
			return err
		}
	}
	if _, err := s.find(); err != nil { // judged like any other key: a token may not keep to its template
		return err
	}
	if err := s.probe(s.keys); err != nil {
		return refusef("token %q made the key, but cannot wrap by %s with it, so it is destroyed again: use another mechanism: %w", s.set.Token, s.set.Mechanism, err)
	}
	return nil
}

func (s *session) generate(rw pkcs11.SessionHandle, k kind) ([]pkcs11.ObjectHandle, error) {
	if k.class == pkcs11.CKO_PRIVATE_KEY {
		return s.generatePair(rw, k)
	}
	mechanism, u := uint(pkcs11.CKM_GENERIC_SECRET_KEY_GEN), signs
	if k.types[0] == pkcs11.CKK_AES {
		mechanism, u = pkcs11.CKM_AES_KEY_GEN, s.purpose()
	}
	t := append(kept(k), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, aesBytes), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, k.types[0]))
	o, err := s.GenerateKey(rw, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)},
		append(t, only(u, k.class, pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT, pkcs11.CKA_WRAP, pkcs11.CKA_UNWRAP, pkcs11.CKA_SIGN, pkcs11.CKA_VERIFY, pkcs11.CKA_DERIVE)...))
	if err != nil {
		return nil, rv("make "+k.named(), err)
	}
	return []pkcs11.ObjectHandle{o}, nil
}

func (s *session) generatePair(rw pkcs11.SessionHandle, k kind) ([]pkcs11.ObjectHandle, error) {
	private := append(kept(k), only(encrypts, k.class, pkcs11.CKA_DECRYPT, pkcs11.CKA_UNWRAP, pkcs11.CKA_SIGN, pkcs11.CKA_SIGN_RECOVER, pkcs11.CKA_DERIVE)...)
	public := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label(k)),
		pkcs11.NewAttribute(pkcs11.CKA_ID, attributeOf(private, pkcs11.CKA_ID)),
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, rsaBits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_WRAP, false), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, false),
	}
	pub, priv, err := s.GenerateKeyPair(rw, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)}, public, private)
	if err != nil {
		return nil, rv("make "+k.named(), err)
	}
	return []pkcs11.ObjectHandle{pub, priv}, nil
}

// purpose of a new main key: AES_KEY_WRAP_PAD encrypts where the token can, and wraps keys otherwise.
func (s *session) purpose() usage {
	if s.set.Mechanism != KWP {
		return encrypts
	}
	info, err := s.GetMechanismInfo(s.slot, keyWrapPad)
	if both := uint(pkcs11.CKF_ENCRYPT | pkcs11.CKF_DECRYPT); err == nil && info.Flags&both == both {
		return encrypts
	}
	return wraps
}

// kept describes a key that never leaves its token.
func kept(k kind) []*pkcs11.Attribute {
	id := k.id
	if len(id) == 0 {
		id = make([]byte, 16)
		rand.Read(id)
	}
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label(k)), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
}

// label of a key that is named by its id alone.
func label(k kind) string {
	if k.label != "" {
		return k.label
	}
	return fmt.Sprintf("trstctl-%x", k.id)
}

// only sets what the purpose needs and denies the rest by name: tokens have different defaults.
func only(u usage, class uint, attributes ...uint) (t []*pkcs11.Attribute) {
	needed, tolerated := purposesOf(u, class)
	for _, a := range attributes {
		t = append(t, pkcs11.NewAttribute(a, needed[a] || tolerated[a]))
	}
	return t
}

func attributeOf(t []*pkcs11.Attribute, which uint) []byte {
	for _, a := range t {
		if a.Type == which {
			return a.Value
		}
	}
	return nil
}

// initToken makes a token in the first slot that has none, with these two PINs. It overwrites no token, and makes no second one of the label.
func (m *module) initToken(officer, user []byte) error {
	all, err := m.tokens()
	if err != nil {
		return err
	}
	slot, free := uint(0), false
	for s, i := range all {
		if i.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			slot, free = s, true
		} else if i.Label == m.set.Token {
			return failure{Exists, fmt.Errorf("there is a token %q already: it is left as it is", m.set.Token)}
		}
	}
	if !free {
		return refusef("the module shows no slot with an uninitialised token")
	}
	if err := m.Ctx.InitToken(slot, string(officer), m.set.Token); err != nil {
		return rv("initialise the token", err)
	}
	if slot, _, err = m.findToken(); err != nil {
		return err
	}
	return m.setPIN(slot, officer, user)
}

func (m *module) setPIN(slot uint, officer, user []byte) error {
	rw, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return rv("open a session that may write", err)
	}
	if err = m.Login(rw, pkcs11.CKU_SO, string(officer)); err != nil {
		err = rv("log in as security officer", err)
	} else if err = m.InitPIN(rw, string(user)); err != nil {
		err = rv("set the user's PIN", err)
	}
	if end := m.CloseSession(rw); err == nil && end != nil {
		err = rv("close the session", end)
	}
	return err
}
