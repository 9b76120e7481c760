package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
)

// KeyType is the algorithm and size of a key.
type KeyType string

// The types of keys. Ed25519 certificates (RFC 8410) are not understood by every client.
const (
	P256    KeyType = "ec-p256"
	P384    KeyType = "ec-p384"
	P521    KeyType = "ec-p521"
	RSA2048 KeyType = "rsa-2048"
	RSA3072 KeyType = "rsa-3072"
	RSA4096 KeyType = "rsa-4096"
	Ed25519 KeyType = "ed25519"
)

var keyTypes = []KeyType{P256, P384, P521, RSA2048, RSA3072, RSA4096, Ed25519}

var curves = map[KeyType]elliptic.Curve{P256: elliptic.P256(), P384: elliptic.P384(), P521: elliptic.P521()}

var sizes = map[KeyType]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}

// valid checks the name of a type.
func (t KeyType) valid(field string) error {
	if slices.Contains(keyTypes, t) {
		return nil
	}
	names := make([]string, len(keyTypes))
	for i, t := range keyTypes {
		names[i] = string(t)
	}
	return fault.Bad(field, "is one of %s", strings.Join(names, ", "))
}

// generate draws a key. One of RSA-4096 may take some seconds.
func generate(t KeyType) (key crypto.Signer, err error) {
	switch {
	case curves[t] != nil:
		key, err = ecdsa.GenerateKey(curves[t], rand.Reader)
	case sizes[t] > 0:
		key, err = rsa.GenerateKey(rand.Reader, sizes[t])
	case t == Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, t.valid("key_type")
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// keyTypeOf is the type of a public key; fault.Invalid for one that is none of ours.
func keyTypeOf(field string, public any) (KeyType, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		for t, c := range curves {
			if k.Curve == c {
				return t, nil
			}
		}
	case *rsa.PublicKey:
		for t, n := range sizes {
			if k.N.BitLen() == n && k.E >= 65537 && k.E%2 == 1 {
				return t, nil
			}
		}
	case ed25519.PublicKey:
		return Ed25519, nil
	}
	return "", fault.Bad(field, "the key is none of ECDSA over P-256, P-384 or P-521, RSA of 2048, 3072 or 4096 bits with an exponent of 65537 at least, and Ed25519")
}

// wipe overwrites what of a key can be reached. Copies that the libraries made for themselves go with the garbage.
func wipe(key crypto.Signer) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		clear(k)
	case *rsa.PrivateKey:
		clear(k.D.Bits())
		for _, p := range k.Primes {
			clear(p.Bits())
		}
	case *ecdsa.PrivateKey:
		clear(k.D.Bits()) //nolint:staticcheck // the field is deprecated for arithmetic, which this is not
	}
}

// Secret is a private key, PKCS#8 in PEM. It prints as [redacted]; whoever sends it converts it to []byte on purpose.
type Secret []byte

// Zero overwrites s.
func (s Secret) Zero() { clear(s) }

// String, GoString, Format, LogValue, MarshalText and MarshalJSON keep the secret out of every kind of output.
func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(redacted)) // fmt reports what its writer refuses
}

const redacted = "[redacted]"

// secretOf encodes a key.
func secretOf(key crypto.Signer) (Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// sameKey reports whether two public keys are one.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
