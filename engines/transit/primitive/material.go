package primitive

import (
	"bytes"
	"crypto/x509"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The form at rest, version 1. It is secret: whoever stores it seals it first.
//
//	1 version | 1 algorithm | body
//
// The body is the key itself (AEAD, HMAC), the seed of RFC 8032 (Ed25519), d ‖ z of FIPS 203 (ML-KEM), the scalar, big endian, in the full width of the
// curve's order (ECDSA), or RSAPrivateKey of RFC 8017, appendix A.1.2, in DER (RSA). MACs of keys that are not HMAC keys derive from the body: it
// is never written in another way.
const (
	materialVersion = 1
	bodyAt          = 2
	minMAC, maxMAC  = 32, 512 // bytes of an HMAC key
)

// Marshal returns the form at rest, for the caller to seal and to wipe.
func (k *Key) Marshal() ([]byte, error) {
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	out := make([]byte, 0, bodyAt+len(k.secret))
	return append(append(out, materialVersion, byte(k.alg)), k.secret...), nil
}

// Unmarshal reads what Marshal wrote, of which it keeps a copy. What does not verify is Corrupt; an error tells nothing of the key.
func Unmarshal(b []byte) (*Key, error) {
	if len(b) < bodyAt || b[0] != materialVersion || !Algorithm(b[1]).known() {
		return nil, fault.New(fault.Corrupt, "the stored key is of no form that is known here")
	}
	a, body := Algorithm(b[1]), b[bodyAt:]
	if !fits(a, body) {
		return nil, fault.New(fault.Corrupt, "the stored key does not have the size of a key of type %s", a)
	}
	k, err := newKey(a, bytes.Clone(body))
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the stored key is no key of type %s", a)
	}
	if k.rsa != nil && !stored(k, body) {
		k.Wipe()
		return nil, fault.New(fault.Corrupt, "the stored key is no key of type %s", a)
	}
	return k, nil
}

// fits reports whether a body has the size that its algorithm asks for. RSA's is looked at when it is parsed.
func fits(a Algorithm, body []byte) bool {
	switch traits[a].family {
	case hmacKey:
		return len(body) >= minMAC && len(body) <= maxMAC
	case rsaKey:
		return len(body) <= maxImport
	}
	return len(body) == traits[a].size
}

// stored reports whether an RSA key has the size of its algorithm and is written as this package writes it.
func stored(k *Key, body []byte) bool {
	der := x509.MarshalPKCS1PrivateKey(k.rsa)
	defer clear(der)
	return k.rsa.N.BitLen() == traits[k.alg].size && bytes.Equal(der, body)
}
