package primitive

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Encoding is how an ECDSA signature is written.
type Encoding string

// Scheme is a signature scheme of RSA keys.
type Scheme string

// Salt is how long the salt of RSASSA-PSS is.
type Salt string

// What a signature can be asked to be. The empty string is the first of each.
const (
	ASN1 Encoding = "asn1" // SEQUENCE of r and s in DER (RFC 3279, section 2.2.3)
	JWS  Encoding = "jws"  // r ‖ s, each in the full width of the curve's order (RFC 7518, section 3.4)

	PSS      Scheme = "pss"      // RSASSA-PSS, MGF1 with the same hash (RFC 8017, section 8.1)
	PKCS1v15 Scheme = "pkcs1v15" // RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2)

	SaltHash Salt = "hash" // as long as the hash, and nothing else verifies (RFC 7518, section 3.5)
	SaltAuto Salt = "auto" // as long as the key allows, and any length verifies
)

// Signing says how to sign. Its zero value is what goes with the key: Ed25519; ECDSA with SHA-256, 384 or 512 for P-256, 384 or 521, ASN.1; RSASSA-PSS
// with SHA-256 and a salt of 32 bytes.
type Signing struct {
	Hash      Hash     // SHA256, SHA384 or SHA512, with any ECDSA or RSA key
	Prehashed bool     // the input is the digest, of Hash; with an Ed25519 key of SHA-512, for Ed25519ph without a context, which is another scheme than Ed25519
	Encoding  Encoding // ECDSA
	Scheme    Scheme   // RSA
	Salt      Salt     // RSASSA-PSS
}

// Sign appends the signature of input, raw and not as a token, to dst.
func (k *Key) Sign(dst []byte, s Signing, input []byte) ([]byte, error) {
	if err := s.fill(k.alg); err != nil {
		return nil, err
	}
	input, err := s.digest(input)
	if err != nil {
		return nil, err
	}
	if err := k.hold(); err != nil {
		return nil, err
	}
	defer k.release()
	switch traits[k.alg].family {
	case edKey:
		return signEd(dst, k.ed, s, input)
	case ecdsaKey:
		return signECDSA(dst, k.ec, s, input)
	}
	return signRSA(dst, k.rsa, s, input)
}

// Verify reports whether signature is one of input. A signature that is malformed is as wrong as any other; an error means that the question was.
// An ECDSA signature (r, s) has a twin (r, n-s) that anybody can make and that verifies too (FIPS 186-5): a signature is no identity.
func (k *Key) Verify(s Signing, input, signature []byte) (bool, error) {
	if err := k.hold(); err != nil {
		return false, err
	}
	defer k.release()
	return verify(k.alg, k.public(), s, input, signature)
}

func verify(a Algorithm, public crypto.PublicKey, s Signing, input, signature []byte) (bool, error) {
	if err := s.fill(a); err != nil {
		return false, err
	}
	input, err := s.digest(input)
	if err != nil {
		return false, err
	}
	switch p := public.(type) {
	case ed25519.PublicKey:
		return verifyEd(p, s, input, signature), nil
	case *ecdsa.PublicKey:
		return verifyECDSA(p, s, input, signature), nil
	case *rsa.PublicKey:
		return verifyRSA(p, s, input, signature), nil
	}
	return false, a.cannot("verify signatures")
}

// fill puts what goes with a into what is empty, and refuses what does not.
func (s *Signing) fill(a Algorithm) (err error) {
	f := traits[a].family
	switch {
	case !a.Can(ToSign):
		return a.cannot("sign or verify signatures")
	case f != ecdsaKey && s.Encoding != "":
		return fault.Bad("encoding", "a signature of a key of type %s has one encoding", a)
	case f != rsaKey && s.Scheme != "":
		return fault.Bad("scheme", "a key of type %s has one signature scheme", a)
	case f == edKey && s.Prehashed:
		err = otherwise(&s.Hash, SHA512, "hash")
	case f == edKey:
		err = otherwise(&s.Hash, 0, "hash")
	default:
		s.Hash, err = s.Hash.forKeys(traits[a].hash)
	}
	if err != nil {
		return err
	}
	return s.fillNames(f)
}

func (s *Signing) fillNames(f family) error {
	if f == ecdsaKey {
		if err := otherwise(&s.Encoding, ASN1, "encoding", JWS); err != nil {
			return err
		}
	}
	if f == rsaKey {
		if err := otherwise(&s.Scheme, PSS, "scheme", PKCS1v15); err != nil {
			return err
		}
	}
	if s.Scheme == PSS {
		return otherwise(&s.Salt, SaltHash, "salt", SaltAuto)
	}
	return otherwise(&s.Salt, "", "salt")
}

// otherwise sets v to first if it is zero, and refuses it if it is neither first nor one of the rest.
func otherwise[T comparable](v *T, first T, field string, rest ...T) error {
	var zero T
	if *v == zero {
		*v = first
	}
	for _, allowed := range append(rest, first) {
		if *v == allowed {
			return nil
		}
	}
	return fault.Bad(field, "the %s does not go with the key or with the rest", field)
}

// digest is what the scheme signs: Ed25519 hashes by itself.
func (s *Signing) digest(input []byte) ([]byte, error) {
	switch {
	case s.Prehashed && len(input) != s.Hash.Size():
		return nil, fault.Bad("input", "a digest of %s has %d bytes, not %d", s.Hash, s.Hash.Size(), len(input))
	case s.Prehashed || s.Hash == 0:
		return input, nil
	}
	return Sum(make([]byte, 0, 64), s.Hash, input)
}
