package primitive

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Format is how private material leaves.
type Format string

// The formats. Import takes all of them back.
const (
	Raw   Format = "raw"   // symmetric keys; the seeds of Ed25519 and ML-KEM
	PKCS8 Format = "pkcs8" // DER (RFC 5958); asymmetric keys
	PEM   Format = "pem"   // the same in a block PRIVATE KEY (RFC 7468)
)

const inSPKI = "PUBLIC KEY"

// Export returns the private material, which is the caller's to wipe. Whether a key may leave is the engine's to decide.
func (k *Key) Export(f Format) ([]byte, error) {
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	switch {
	case f == Raw && k.ec == nil && k.rsa == nil:
		return bytes.Clone(k.secret), nil
	case f == PKCS8 && k.alg.Asymmetric():
		return k.pkcs8()
	case f == PEM && k.alg.Asymmetric():
		der, err := k.pkcs8()
		if err != nil {
			return nil, err
		}
		defer clear(der)
		return pem.EncodeToMemory(&pem.Block{Type: inPKCS8, Bytes: der}), nil
	}
	return nil, fault.Bad("format", "a key of type %s is not exported in this format", k.alg)
}

func (k *Key) pkcs8() (der []byte, err error) {
	switch traits[k.alg].family {
	case kemKey:
		return kemPrivate(k.secret)
	case edKey:
		der, err = x509.MarshalPKCS8PrivateKey(k.ed)
	case ecdsaKey:
		der, err = x509.MarshalPKCS8PrivateKey(k.ec)
	default:
		der, err = x509.MarshalPKCS8PrivateKey(k.rsa)
	}
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return der, nil
}

// public is nil of symmetric keys. The key is held.
func (k *Key) public() crypto.PublicKey {
	switch traits[k.alg].family {
	case edKey:
		return k.ed.Public()
	case ecdsaKey:
		return &k.ec.PublicKey
	case rsaKey:
		return &k.rsa.PublicKey
	case kemKey:
		return k.kem.EncapsulationKey()
	}
	return nil
}

// PublicDER returns the public key as SubjectPublicKeyInfo (RFC 5280; RFC 8410 Ed25519, RFC 9935 ML-KEM).
func (k *Key) PublicDER() ([]byte, error) {
	if !k.alg.Asymmetric() {
		return nil, k.alg.cannot("be published")
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	if k.kem != nil {
		return kemPublic(k.kem.EncapsulationKey())
	}
	der, err := x509.MarshalPKIXPublicKey(k.public())
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	return der, nil
}

// PublicPEM returns PublicDER in a block PUBLIC KEY (RFC 7468).
func (k *Key) PublicPEM() ([]byte, error) {
	der, err := k.PublicDER()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: inSPKI, Bytes: der}), nil
}

// JWK is a public key as RFC 7517, RFC 7518 and RFC 8037 write it.
type JWK struct {
	Type     string `json:"kty"` // EC, RSA, OKP
	Curve    string `json:"crv,omitempty"`
	X        string `json:"x,omitempty"` // base64url without padding, as the rest
	Y        string `json:"y,omitempty"`
	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`
}

// PublicJWK returns the public key as JWK. ML-KEM has none: no RFC says how.
func (k *Key) PublicJWK() (JWK, error) {
	if err := k.hold(); err != nil {
		return JWK{}, err
	}
	defer k.release()
	text := base64.RawURLEncoding.EncodeToString
	switch p := k.public().(type) {
	case ed25519.PublicKey:
		return JWK{Type: "OKP", Curve: "Ed25519", X: text(p)}, nil
	case *rsa.PublicKey:
		return JWK{Type: "RSA", Modulus: text(p.N.Bytes()), Exponent: text(big.NewInt(int64(p.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		point, err := p.Bytes()
		if err != nil {
			return JWK{}, fmt.Errorf("encode a public key: %w", err)
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		return JWK{Type: "EC", Curve: p.Curve.Params().Name, X: text(x), Y: text(y)}, nil
	}
	return JWK{}, fault.New(fault.Invalid, "there is no JWK of a key of type %s", k.alg)
}
