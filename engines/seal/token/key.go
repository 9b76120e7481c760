//go:build cgo

package token

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/pkcs11"
)

const (
	aesBytes   = 32
	minRSABits = 2048
)

// usage is the one purpose that a key has.
type usage int

const (
	encrypts usage = iota // bytes: ENCRYPT and DECRYPT, of a private key DECRYPT
	wraps                 // keys: WRAP and UNWRAP
	signs                 // SIGN, and VERIFY
)

// attributes that say what a key may be used for; those of its purpose are needed, all others are refused.
var purposes = map[uint]string{
	pkcs11.CKA_ENCRYPT: "CKA_ENCRYPT", pkcs11.CKA_DECRYPT: "CKA_DECRYPT", pkcs11.CKA_WRAP: "CKA_WRAP", pkcs11.CKA_UNWRAP: "CKA_UNWRAP",
	pkcs11.CKA_SIGN: "CKA_SIGN", pkcs11.CKA_VERIFY: "CKA_VERIFY", pkcs11.CKA_DERIVE: "CKA_DERIVE",
	pkcs11.CKA_SIGN_RECOVER: "CKA_SIGN_RECOVER", pkcs11.CKA_VERIFY_RECOVER: "CKA_VERIFY_RECOVER",
}

// kind describes a key that a mechanism needs.
type kind struct {
	name  string // in messages
	class uint
	types []uint
	label string
	id    []byte
}

func (k kind) named() string {
	if k.label != "" {
		return fmt.Sprintf("the %s key %q", k.name, k.label)
	}
	return fmt.Sprintf("the %s key with id %x", k.name, k.id)
}

func (k kind) template() []*pkcs11.Attribute {
	t := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, k.class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)}
	if k.label != "" {
		t = append(t, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.label))
	}
	if len(k.id) > 0 {
		t = append(t, pkcs11.NewAttribute(pkcs11.CKA_ID, k.id))
	}
	return t
}

// mainKey is the key that encrypts, macKey the one that AES_CBC_PAD authenticates with.
func (s Settings) mainKey() kind {
	if s.Mechanism == OAEP {
		return kind{"RSA", pkcs11.CKO_PRIVATE_KEY, []uint{pkcs11.CKK_RSA}, s.Label, s.ID}
	}
	return kind{"AES", pkcs11.CKO_SECRET_KEY, []uint{pkcs11.CKK_AES}, s.Label, s.ID}
}

func (s Settings) macKey() kind {
	return kind{"HMAC", pkcs11.CKO_SECRET_KEY, []uint{pkcs11.CKK_GENERIC_SECRET, pkcs11.CKK_SHA256_HMAC}, s.MACLabel, nil}
}

// find returns the keys of the configured mechanism, after it has looked at them.
func (s *session) find() (*keys, error) {
	if s.keys != nil {
		return s.keys, nil
	}
	main, err := s.one(s.set.mainKey())
	if err != nil {
		return nil, err
	}
	k := &keys{main: main, how: encrypts}
	if s.set.Mechanism == KWP {
		wrap, err := s.flag(main, pkcs11.CKA_WRAP)
		if err != nil {
			return nil, err
		}
		if wrap != nil && *wrap {
			k.how = wraps
		}
	}
	if err := s.check(main, s.set.mainKey(), k.how); err != nil {
		return nil, err
	}
	if s.set.Mechanism == CBC {
		if k.mac, err = s.one(s.set.macKey()); err != nil {
			return nil, err
		}
		if err := s.check(k.mac, s.set.macKey(), signs); err != nil {
			return nil, err
		}
	}
	s.keys = k
	return k, nil
}

// one returns the only key of its kind.
func (s *session) one(k kind) (pkcs11.ObjectHandle, error) {
	found, err := s.all(k)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, refusef("token %q has not %s: bring it back, or make one for a new seal with `trstctl operator seal create-key`", s.set.Token, k.named())
	case len(found) > 1:
		return 0, refusef("%s is there more than once: give each a label of its own, or name it by key_id", k.named())
	}
	return found[0], nil
}

// all returns up to two keys of a kind.
func (s *session) all(k kind) ([]pkcs11.ObjectHandle, error) {
	if err := s.FindObjectsInit(s.handle, k.template()); err != nil {
		return nil, rv("look for the key", err)
	}
	found, _, err := s.FindObjects(s.handle, 2)
	if end := s.FindObjectsFinal(s.handle); err == nil {
		err = end
	}
	if err != nil {
		return nil, rv("look for the key", err)
	}
	return found, nil
}

// check refuses a key that could leave the token or serves a second purpose. Attributes that a token does not tell: SENSITIVE and EXTRACTABLE have
// to be told, the history of the key and purposes that the token does not know may be missing.
func (s *session) check(o pkcs11.ObjectHandle, k kind, u usage) error {
	if err := s.checkType(o, k); err != nil {
		return err
	}
	for _, c := range []struct {
		attribute uint
		name      string
		want      bool
		told      bool // has to be told
	}{
		{pkcs11.CKA_PRIVATE, "CKA_PRIVATE", true, true},
		{pkcs11.CKA_SENSITIVE, "CKA_SENSITIVE", true, true},
		{pkcs11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", false, true},
		{pkcs11.CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", true, false},
		{pkcs11.CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", true, false},
	} {
		got, err := s.flag(o, c.attribute)
		switch {
		case err != nil:
			return err
		case got == nil && c.told:
			return refusef("%s cannot be used: the token does not tell its %s", k.named(), c.name)
		case got != nil && *got != c.want:
			return refusef("%s cannot be used: its %s is %t and has to be %t: make a key with `trstctl operator seal create-key`", k.named(), c.name, *got, c.want)
		}
	}
	return s.checkPurpose(o, k, u)
}

func (s *session) checkType(o pkcs11.ObjectHandle, k kind) error {
	got, err := s.value(o, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return err
	}
	fits := false
	for _, t := range k.types {
		fits = fits || got != nil && *got == t
	}
	if !fits {
		return refusef("%s cannot be used: it is a key of another type", k.named())
	}
	if k.types[0] != pkcs11.CKK_AES {
		return nil // RSA: judged when its modulus is read; HMAC: tokens need not tell the length
	}
	if got, err = s.value(o, pkcs11.CKA_VALUE_LEN); err != nil {
		return err
	}
	if got == nil || *got != aesBytes {
		return refusef("%s cannot be used: it has to be an AES key of 256 bits", k.named())
	}
	return nil
}

func (s *session) checkPurpose(o pkcs11.ObjectHandle, k kind, u usage) error {
	needed, tolerated := purposesOf(u, k.class)
	for attribute, name := range purposes {
		got, err := s.flag(o, attribute)
		if err != nil {
			return err
		}
		has := got != nil && *got
		switch {
		case needed[attribute] && !has:
			return refusef("%s cannot be used: it lacks %s", k.named(), name)
		case has && !needed[attribute] && !tolerated[attribute]:
			return refusef("%s cannot be used: %s gives it a second purpose: make a key with `trstctl operator seal create-key`", k.named(), name)
		}
	}
	return nil
}

func purposesOf(u usage, class uint) (needed, tolerated map[uint]bool) {
	set := func(attributes ...uint) map[uint]bool {
		m := map[uint]bool{}
		for _, a := range attributes {
			m[a] = true
		}
		return m
	}
	switch {
	case class == pkcs11.CKO_PRIVATE_KEY:
		return set(pkcs11.CKA_DECRYPT), nil
	case u == wraps:
		return set(pkcs11.CKA_WRAP, pkcs11.CKA_UNWRAP), nil
	case u == signs:
		return set(pkcs11.CKA_SIGN), set(pkcs11.CKA_VERIFY)
	}
	return set(pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT), nil
}

// flag reads a truth value; nil when the token does not tell it.
func (s *session) flag(o pkcs11.ObjectHandle, attribute uint) (*bool, error) {
	b, err := s.attribute(o, attribute)
	if err != nil || len(b) != 1 {
		return nil, err
	}
	v := b[0] != 0
	return &v, nil
}

// value reads a CK_ULONG; nil when the token does not tell it.
func (s *session) value(o pkcs11.ObjectHandle, attribute uint) (*uint, error) {
	b, err := s.attribute(o, attribute)
	if err != nil || len(b) != 8 {
		return nil, err
	}
	v := uint(binary.NativeEndian.Uint64(b))
	return &v, nil
}

func (s *session) attribute(o pkcs11.ObjectHandle, attribute uint) ([]byte, error) {
	a, err := s.GetAttributeValue(s.handle, o, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	switch {
	case is(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_SENSITIVE, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID):
		return nil, nil
	case err != nil:
		return nil, rv("read the key's attributes", err)
	}
	return a[0].Value, nil
}
