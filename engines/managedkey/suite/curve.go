package suite

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// arithmetic is what is done on a curve. Scalars are big endian in the full width of the order, public keys 04 ‖ x ‖ y.
type arithmetic interface {
	generate() ([]byte, error)
	public(scalar []byte) ([]byte, bool) // false: the scalar is not 1 to n-1
	valid(public []byte) bool
	sign(scalar, digest []byte) ([]byte, error) // ECDSA-Sig-Value in DER (RFC 3279, section 2.2.3)
	verify(public, digest, signature []byte) bool
	shared(scalar, public []byte) ([]byte, error) // x of the product (SP 800-56A, section 5.7.1.2)
}

type curve struct {
	id   Curve
	name string
	oid  asn1.ObjectIdentifier // RFC 5480, section 2.1.1.1; SEC 2, appendix A.2
	bits int
	hash Hash // what ECDSA uses if nothing else is asked for
	on   arithmetic
}

var curves = []*curve{
	{P224, "P-224", asn1.ObjectIdentifier{1, 3, 132, 0, 33}, 224, SHA224, nist{elliptic.P224()}},
	{P256, "P-256", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, 256, SHA256, nist{elliptic.P256()}},
	{P384, "P-384", asn1.ObjectIdentifier{1, 3, 132, 0, 34}, 384, SHA384, nist{elliptic.P384()}},
	{P521, "P-521", asn1.ObjectIdentifier{1, 3, 132, 0, 35}, 521, SHA512, nist{elliptic.P521()}},
	{SECP256K1, "secp256k1", asn1.ObjectIdentifier{1, 3, 132, 0, 10}, 256, SHA256, koblitz{}},
}

// width is the bytes of a scalar.
func (c *curve) width() int { return (c.bits + 7) / 8 }

// find returns the curve with this number.
func (c Curve) find() (*curve, error) {
	for _, known := range curves {
		if known.id == c {
			return known, nil
		}
	}
	return nil, fault.Bad("recommended_curve", "this curve is not done here: P-224, P-256, P-384, P-521 and SECP256K1 are")
}

// curveOf reads the parameters of an algorithm identifier: a named curve, nothing else.
func curveOf(parameters []byte) (*curve, error) {
	var oid asn1.ObjectIdentifier
	if err := unmarshal(parameters, &oid); err != nil {
		return nil, err
	}
	for _, known := range curves {
		if known.oid.Equal(oid) {
			return known, nil
		}
	}
	return nil, fault.Bad("recommended_curve", "this curve is not done here: P-224, P-256, P-384, P-521 and SECP256K1 are")
}

func (c *curve) parameters() asn1.RawValue {
	der, _ := asn1.Marshal(c.oid) // the table's own
	return asn1.RawValue{FullBytes: der}
}

// point is an elliptic curve key: public, and with a scalar if it is private.
type point struct {
	curve  *curve
	scalar []byte
	public []byte
}

// newPoint checks a scalar of at most the full width: old software leaves zeros at its beginning out.
func newPoint(c *curve, scalar []byte) (*point, bool) {
	if len(scalar) == 0 || len(scalar) > c.width() {
		return nil, false
	}
	full := make([]byte, c.width())
	copy(full[len(full)-len(scalar):], scalar)
	public, ok := c.on.public(full)
	if !ok {
		clear(full)
		return nil, false
	}
	return &point{c, full, public}, true
}

// nist are the curves of FIPS 186 in the standard library.
type nist struct{ curve elliptic.Curve }

func (n nist) generate() ([]byte, error) {
	k, err := ecdsa.GenerateKey(n.curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate an elliptic curve key: %w", err)
	}
	defer wipeInts(k.D)
	return k.Bytes()
}

func (n nist) public(scalar []byte) ([]byte, bool) {
	k, err := ecdsa.ParseRawPrivateKey(n.curve, scalar)
	if err != nil {
		return nil, false
	}
	defer wipeInts(k.D)
	public, err := k.PublicKey.Bytes()
	return public, err == nil
}

func (n nist) valid(public []byte) bool {
	_, err := ecdsa.ParseUncompressedPublicKey(n.curve, public)
	return err == nil
}

func (n nist) sign(scalar, digest []byte) ([]byte, error) {
	k, err := ecdsa.ParseRawPrivateKey(n.curve, scalar)
	if err != nil {
		return nil, ErrFailed
	}
	defer wipeInts(k.D)
	return ecdsa.SignASN1(rand.Reader, k, digest)
}

func (n nist) verify(public, digest, signature []byte) bool {
	k, err := ecdsa.ParseUncompressedPublicKey(n.curve, public)
	return err == nil && ecdsa.VerifyASN1(k, digest, signature)
}

// shared is not done on P-224, which crypto/ecdh does not have.
func (n nist) shared(scalar, public []byte) ([]byte, error) {
	private, errPrivate := ecdsa.ParseRawPrivateKey(n.curve, scalar)
	other, errPublic := ecdsa.ParseUncompressedPublicKey(n.curve, public)
	if errPrivate != nil || errPublic != nil {
		return nil, ErrFailed
	}
	defer wipeInts(private.D)
	ours, errPrivate := private.ECDH()
	theirs, errPublic := other.ECDH()
	if errPrivate != nil || errPublic != nil {
		return nil, fault.Bad("derivation_method", "keys of this curve do not derive")
	}
	secret, err := ours.ECDH(theirs)
	if err != nil {
		return nil, ErrFailed
	}
	return secret, nil
}

// same reports whether a public key that came with a private one is its own: uncompressed, or compressed.
func (p *point) same(public []byte) bool {
	half := 1 + (len(p.public)-1)/2
	compressed := append([]byte{2 | p.public[len(p.public)-1]&1}, p.public[1:half]...)
	return bytes.Equal(public, p.public) || bytes.Equal(public, compressed)
}
