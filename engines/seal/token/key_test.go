//go:build cgo

package token

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/parts"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// softToken loads SoftHSM into the test itself, with one token, and logs in with a session that may write.
func softToken(t *testing.T, set Settings) *session {
	t.Helper()
	parts.Need(t, softHSM, "softhsm2")
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", dir), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	set.Module, set.Token = softHSM, "kek"
	m, err := load(set)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Finalize()) })
	require.NoError(t, m.initToken([]byte("officer"), []byte("1234")))
	s, _, err := m.openToken()
	require.NoError(t, err)
	require.NoError(t, s.login([]byte("1234")))
	s.handle, err = m.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	require.NoError(t, err)
	return s
}

type template map[uint]any

// but returns a template with other attributes in it.
func (a template) but(more template) template {
	all := maps.Clone(a)
	maps.Copy(all, more)
	return all
}

func (a template) list() (l []*pkcs11.Attribute) {
	for _, k := range slices.Sorted(maps.Keys(a)) {
		l = append(l, pkcs11.NewAttribute(k, a[k]))
	}
	return l
}

var goodAES = template{pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_LABEL: "root",
	pkcs11.CKA_VALUE_LEN: 32, pkcs11.CKA_ENCRYPT: true, pkcs11.CKA_DECRYPT: true, pkcs11.CKA_SIGN: false, pkcs11.CKA_VERIFY: false,
	pkcs11.CKA_WRAP: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false}

var goodMAC = template{pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_LABEL: "root-mac",
	pkcs11.CKA_VALUE_LEN: 32, pkcs11.CKA_ENCRYPT: false, pkcs11.CKA_DECRYPT: false, pkcs11.CKA_SIGN: true, pkcs11.CKA_VERIFY: true,
	pkcs11.CKA_WRAP: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false}

func (s *session) generateAs(t *testing.T, mechanism uint, a template) pkcs11.ObjectHandle {
	t.Helper()
	o, err := s.GenerateKey(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, a.list())
	require.NoError(t, err)
	return o
}

func TestAKeyThatCouldLeaveOrServesTwoPurposesIsRefused(t *testing.T) {
	s := softToken(t, Settings{Mechanism: GCM, Label: "root"})
	for want, more := range map[string]template{
		"":                     {},
		"CKA_EXTRACTABLE":      {pkcs11.CKA_EXTRACTABLE: true},
		"CKA_SENSITIVE":        {pkcs11.CKA_SENSITIVE: false},
		"CKA_PRIVATE":          {pkcs11.CKA_PRIVATE: false},
		"CKA_SIGN":             {pkcs11.CKA_SIGN: true},
		"CKA_VERIFY":           {pkcs11.CKA_VERIFY: true},
		"CKA_WRAP":             {pkcs11.CKA_WRAP: true},
		"CKA_UNWRAP":           {pkcs11.CKA_UNWRAP: true},
		"CKA_DERIVE":           {pkcs11.CKA_DERIVE: true},
		"lacks CKA_ENCRYPT":    {pkcs11.CKA_ENCRYPT: false},
		"lacks CKA_DECRYPT":    {pkcs11.CKA_DECRYPT: false},
		"AES key of 256 bits":  {pkcs11.CKA_VALUE_LEN: 16},
		"has not the AES key ": {pkcs11.CKA_TOKEN: false},
	} {
		o := s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES.but(more))
		s.keys = nil
		_, err := s.find()
		if want == "" {
			require.NoError(t, err)
			require.NoError(t, s.probe(s.keys))
		} else {
			require.ErrorContains(t, err, want)
			require.Equal(t, Refused, err.(failure).kind)
		}
		require.NoError(t, s.DestroyObject(s.handle, o))
	}
}

// A key that was not always as it is now may have been copied while it was not.
func TestAKeyThatWasOnceVisibleIsRefused(t *testing.T) {
	s := softToken(t, Settings{Mechanism: GCM, Label: "root"})
	_, err := s.CreateObject(s.handle, goodAES.but(template{pkcs11.CKA_CLASS: pkcs11.CKO_SECRET_KEY, pkcs11.CKA_KEY_TYPE: pkcs11.CKK_AES, pkcs11.CKA_VALUE: make([]byte, 32)}).without(pkcs11.CKA_VALUE_LEN).list())
	require.NoError(t, err)
	_, err = s.find()
	require.ErrorContains(t, err, "CKA_ALWAYS_SENSITIVE")
}

func (a template) without(attribute uint) template {
	all := maps.Clone(a)
	delete(all, attribute)
	return all
}

func TestAMACKeyIsJudgedToo(t *testing.T) {
	s := softToken(t, Settings{Mechanism: CBC, Label: "root", MACLabel: "root-mac"})
	s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES)
	_, err := s.find()
	require.ErrorContains(t, err, `has not the HMAC key "root-mac"`)
	for want, more := range map[string]template{
		"":                {},
		"CKA_EXTRACTABLE": {pkcs11.CKA_EXTRACTABLE: true},
		"CKA_ENCRYPT":     {pkcs11.CKA_ENCRYPT: true},
		"CKA_DERIVE":      {pkcs11.CKA_DERIVE: true},
		"lacks CKA_SIGN":  {pkcs11.CKA_SIGN: false},
	} {
		o := s.generateAs(t, pkcs11.CKM_GENERIC_SECRET_KEY_GEN, goodMAC.but(more))
		s.keys = nil
		_, err := s.find()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
		require.NoError(t, s.DestroyObject(s.handle, o))
	}
	o := s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES.but(template{pkcs11.CKA_LABEL: "root-mac"}))
	s.keys = nil
	_, err = s.find()
	require.ErrorContains(t, err, "a key of another type")
	require.NoError(t, s.DestroyObject(s.handle, o))
}

func TestAnRSAKeyIsJudgedToo(t *testing.T) {
	s := softToken(t, Settings{Mechanism: OAEP, Label: "root", Hash: "sha1"})
	private := template{pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_LABEL: "root",
		pkcs11.CKA_DECRYPT: true, pkcs11.CKA_SIGN: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_SIGN_RECOVER: false}
	for want, c := range map[string]struct {
		more template
		bits int
	}{
		"":                   {template{}, 2048},
		"CKA_SIGN":           {template{pkcs11.CKA_SIGN: true}, 2048},
		"CKA_UNWRAP":         {template{pkcs11.CKA_UNWRAP: true}, 2048},
		"CKA_EXTRACTABLE":    {template{pkcs11.CKA_EXTRACTABLE: true}, 2048},
		"at least 2048 bits": {template{}, 1024},
	} {
		public := template{pkcs11.CKA_TOKEN: false, pkcs11.CKA_ENCRYPT: true, pkcs11.CKA_MODULUS_BITS: c.bits, pkcs11.CKA_PUBLIC_EXPONENT: []byte{1, 0, 1}}
		_, o, err := s.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)}, public.list(), private.but(c.more).list())
		require.NoError(t, err)
		s.keys = nil
		_, err = s.wrap([]byte("root"), nil)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
		require.NoError(t, s.DestroyObject(s.handle, o))
	}
}

func TestTwoKeysOrTokensOfOneNameAreRefused(t *testing.T) {
	s := softToken(t, Settings{Mechanism: GCM, Label: "root"})
	s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES)
	second := s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES)
	_, err := s.find()
	require.ErrorContains(t, err, "more than once")
	require.NoError(t, s.DestroyObject(s.handle, second))
	_, err = s.find()
	require.NoError(t, err)

	require.ErrorContains(t, s.initToken([]byte("officer"), []byte("1234")), "already")
	all, err := s.tokens()
	require.NoError(t, err)
	for slot, info := range all {
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			require.NoError(t, s.InitToken(slot, "officer", "kek"))
		}
	}
	_, _, err = s.openToken()
	require.ErrorContains(t, err, `2 tokens are called "kek"`)
}

// Two nodes that make the key at the same time: what the second one made is taken away again.
func TestAKeyThatAnotherNodeMadeMeanwhileStays(t *testing.T) {
	s := softToken(t, Settings{Mechanism: GCM, Label: "root"})
	first := s.generateAs(t, pkcs11.CKM_AES_KEY_GEN, goodAES)
	require.ErrorContains(t, s.make(s.handle, []kind{s.set.mainKey()}), "more than once")
	found, err := s.all(s.set.mainKey())
	require.NoError(t, err)
	require.Equal(t, []pkcs11.ObjectHandle{first}, found)
}

func TestNothingIsLeftInTheSession(t *testing.T) {
	s := softToken(t, Settings{Mechanism: KWP, Label: "root"})
	require.NoError(t, s.createKeys())
	blob, err := s.wrap([]byte("root"), nil)
	require.NoError(t, err)
	_, err = s.unwrap(blob, nil)
	require.NoError(t, err)
	_, err = s.unwrap(blob, []byte("other"))
	require.ErrorIs(t, err, errWrongKey)
	require.NoError(t, s.FindObjectsInit(s.handle, template{pkcs11.CKA_TOKEN: false}.list()))
	found, _, err := s.FindObjects(s.handle, 10)
	require.NoError(t, err)
	require.NoError(t, s.FindObjectsFinal(s.handle))
	require.Empty(t, found)
}
