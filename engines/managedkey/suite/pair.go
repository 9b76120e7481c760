package suite

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Wanted is what Create Key Pair asks for (KMIP 1.4, section 4.2).
type Wanted struct {
	Algorithm Algorithm
	Length    int   // bits: of an RSA modulus; may be absent for curves, and says which of P-224 to P-521 if no curve is given
	Curve     Curve // may be absent
	Allow     Allow
}

// GeneratePair makes an RSA key of 2048, 3072 or 4096 bits (public exponent 65537; 1024 bits only with SmallRSA), a key on one of the curves, or an
// Ed25519 key. RSA takes from a tenth of a second to several. Both are in their default formats, and the private one is the caller's to wipe.
func GeneratePair(w Wanted) (private, public *Key, err error) {
	b := Block{Class: PrivateKey, Algorithm: w.Algorithm}
	switch w.Algorithm.family() {
	case RSA:
		b.Format = PKCS1
		b.Material, err = freshRSA(w)
	case EC:
		b.Format = ECPrivateKey
		b.Material, err = freshEC(w)
	case Ed25519:
		b.Format = Raw
		b.Material, err = freshEd(w)
	default:
		return nil, nil, fault.Bad("cryptographic_algorithm", "key pairs of this algorithm are not made here")
	}
	if err != nil {
		return nil, nil, err
	}
	defer b.Wipe()
	return halves(b)
}

// halves parses what was made. Ed25519 keys are given out as others read them.
func halves(b Block) (private, public *Key, err error) {
	if private, err = Parse(b); err != nil {
		return nil, nil, err
	}
	if b.Format == Raw {
		der, err := private.Block(PKCS8)
		if err != nil {
			return nil, nil, err
		}
		defer der.Wipe()
		private.Wipe()
		if private, err = Parse(der); err != nil {
			return nil, nil, err
		}
	}
	public, err = private.Public()
	return private, public, err
}

func freshRSA(w Wanted) ([]byte, error) {
	good := w.Length == 2048 || w.Length == 3072 || w.Length == 4096 || w.Length == 1024 && w.Allow&SmallRSA != 0
	if !good || w.Curve != 0 {
		return nil, fault.Bad("cryptographic_length", "RSA keys are made with 2048, 3072 or 4096 bits")
	}
	k, err := rsa.GenerateKey(rand.Reader, w.Length)
	if err != nil {
		return nil, fmt.Errorf("generate an RSA key: %w", err)
	}
	defer wipeRSA(k)
	return x509.MarshalPKCS1PrivateKey(k), nil
}

func freshEC(w Wanted) ([]byte, error) {
	if w.Curve == 0 {
		w.Curve = map[int]Curve{224: P224, 256: P256, 384: P384, 521: P521}[w.Length]
	}
	c, err := w.Curve.find()
	if err != nil {
		return nil, err
	}
	if w.Length != 0 && w.Length != c.bits {
		return nil, badLength()
	}
	scalar, err := c.on.generate()
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	p, ok := newPoint(c, scalar)
	if !ok {
		return nil, ErrFailed
	}
	defer clear(p.scalar)
	return p.sec1(true)
}

func freshEd(w Wanted) ([]byte, error) {
	if w.Length != 0 && w.Length != edBits || w.Curve != 0 {
		return nil, badLength()
	}
	return random(edBits / 8), nil
}
