package suite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// identifier is AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
type identifier struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

// pkcs8 is OneAsymmetricKey (RFC 5958, section 2).
type pkcs8 struct {
	Version    int
	Algorithm  identifier
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	Public     asn1.BitString `asn1:"optional,tag:1"`
}

// spki is SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
type spki struct {
	Algorithm identifier
	Public    asn1.BitString
}

var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RFC 8017, appendix A.1
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}     // RFC 5480, section 2.1.1
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}             // RFC 8410, section 3
	derNull    = asn1.RawValue{FullBytes: []byte{5, 0}}
)

// unmarshal reads one element with nothing behind it.
func unmarshal(der []byte, to any) error {
	rest, err := asn1.Unmarshal(der, to)
	if err != nil || len(rest) != 0 {
		return badMaterial()
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	der, err := asn1.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return der, nil
}

func (k *Key) readPKCS8() error {
	var p pkcs8
	if err := unmarshal(k.source.Material, &p); err != nil {
		return err
	}
	defer clear(p.PrivateKey)
	if err := k.takePKCS8(&p); err != nil {
		return err
	}
	public := p.Public.Bytes
	switch {
	case p.Public.BitLength == 0:
		return nil
	case p.Version != 1 || k.ec != nil && !k.ec.same(public) || k.ed != nil && !bytes.Equal(public, k.edPublic):
		return badMaterial()
	case k.rsa != nil && !bytes.Equal(public, x509.MarshalPKCS1PublicKey(k.rsaPublic)):
		return badMaterial()
	}
	return nil
}

func (k *Key) takePKCS8(p *pkcs8) error {
	id := p.Algorithm
	switch {
	case p.Version != 0 && p.Version != 1:
		return badMaterial()
	case id.Algorithm.Equal(oidRSA) && bytes.Equal(id.Parameters.FullBytes, derNull.FullBytes):
		return k.takePKCS1(p.PrivateKey)
	case id.Algorithm.Equal(oidEC):
		return k.takeSEC1(p.PrivateKey, id.Parameters.FullBytes)
	case id.Algorithm.Equal(oidEd25519) && len(id.Parameters.FullBytes) == 0:
		var seed []byte
		if err := unmarshal(p.PrivateKey, &seed); err != nil {
			return err
		}
		defer clear(seed)
		return k.takeEd(seed)
	}
	return badMaterial()
}

func (k *Key) readSPKI() error {
	var p spki
	if err := unmarshal(k.source.Material, &p); err != nil {
		return err
	}
	id, public := p.Algorithm, p.Public.Bytes
	switch {
	case p.Public.BitLength != 8*len(public):
		return badMaterial()
	case id.Algorithm.Equal(oidRSA) && bytes.Equal(id.Parameters.FullBytes, derNull.FullBytes):
		return k.takePKCS1Public(public)
	case id.Algorithm.Equal(oidEC):
		c, err := curveOf(id.Parameters.FullBytes)
		if err != nil {
			return err
		}
		return k.takePoint(c, public)
	case id.Algorithm.Equal(oidEd25519) && len(id.Parameters.FullBytes) == 0:
		return k.takeEd(public)
	}
	return badMaterial()
}

func (k *Key) writePKCS8(b *Block) (err error) {
	p := pkcs8{}
	switch k.alg.family() {
	case RSA:
		p.Algorithm, p.PrivateKey = identifier{oidRSA, derNull}, x509.MarshalPKCS1PrivateKey(k.rsa)
	case EC:
		p.Algorithm = identifier{oidEC, k.ec.curve.parameters()}
		p.PrivateKey, err = k.ec.sec1(false)
	default:
		p.Algorithm = identifier{Algorithm: oidEd25519}
		p.PrivateKey, err = marshal([]byte(k.ed[:ed25519.SeedSize]))
	}
	if err != nil {
		return err
	}
	defer clear(p.PrivateKey)
	b.Material, err = marshal(p)
	return err
}

func (k *Key) writeSPKI(b *Block) (err error) {
	b.Material, err = k.spki()
	return err
}

// spki is the public key of any asymmetric key.
func (k *Key) spki() ([]byte, error) {
	var p spki
	switch k.alg.family() {
	case RSA:
		p.Algorithm, p.Public.Bytes = identifier{oidRSA, derNull}, x509.MarshalPKCS1PublicKey(k.rsaPublic)
	case EC:
		p.Algorithm, p.Public.Bytes = identifier{oidEC, k.ec.curve.parameters()}, k.ec.public
	default:
		p.Algorithm, p.Public.Bytes = identifier{Algorithm: oidEd25519}, k.edPublic
	}
	p.Public.BitLength = 8 * len(p.Public.Bytes)
	return marshal(p)
}

// identity is what two keys are compared by.
func (k *Key) identity() ([]byte, error) {
	switch {
	case !k.usable:
		return nil, badFormat()
	case k.class == SymmetricKey:
		return bytes.Clone(k.secret), nil
	}
	return k.spki()
}

// Public returns the public key of a private one, in the default format of its kind: PKCS#1 for RSA, X.509 for the others.
func (k *Key) Public() (*Key, error) {
	if err := k.use("have a public key", PrivateKey); err != nil {
		return nil, err
	}
	der, err := k.spki()
	if err != nil {
		return nil, err
	}
	f := X509
	if k.alg == RSA {
		f, der = PKCS1, x509.MarshalPKCS1PublicKey(k.rsaPublic)
	}
	return Parse(Block{Class: PublicKey, Format: f, Algorithm: k.alg, Length: k.bits, Material: der})
}

// Pair reports whether two keys are the halves of one pair.
func Pair(private, public *Key) bool {
	return private.class == PrivateKey && public.class == PublicKey && private.same(public)
}
