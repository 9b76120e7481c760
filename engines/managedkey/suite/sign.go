package suite

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"slices"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Signed is what Sign and SignatureVerify are given (KMIP 1.4, sections 4.31 and 4.32): data, or its digest.
type Signed struct {
	Data    []byte
	Digest  []byte // Digested Data, of the hash that the parameters say
	Partial bool   // there is more: refused
}

// signatureWay is a row of the table that says what signs: a scheme of a family of keys and a hash, with KMIP's name for it if it has one.
type signatureWay struct {
	family  Algorithm
	padding Padding
	hash    Hash
	name    SignatureAlgorithm
	verify  bool // verify only: SHA-1
}

var signatures = []signatureWay{
	{RSA, PKCS1v15, SHA1, SHA1WithRSA, true},
	{RSA, PKCS1v15, SHA224, SHA224WithRSA, false},
	{RSA, PKCS1v15, SHA256, SHA256WithRSA, false},
	{RSA, PKCS1v15, SHA384, SHA384WithRSA, false},
	{RSA, PKCS1v15, SHA512, SHA512WithRSA, false},
	{RSA, PSS, SHA1, RSASSAPSS, true},
	{RSA, PSS, SHA224, RSASSAPSS, false},
	{RSA, PSS, SHA256, RSASSAPSS, false},
	{RSA, PSS, SHA384, RSASSAPSS, false},
	{RSA, PSS, SHA512, RSASSAPSS, false},
	{EC, 0, SHA1, ECDSAWithSHA1, true},
	{EC, 0, SHA224, ECDSAWithSHA224, false},
	{EC, 0, SHA256, ECDSAWithSHA256, false},
	{EC, 0, SHA384, ECDSAWithSHA384, false},
	{EC, 0, SHA512, ECDSAWithSHA512, false},
	{Ed25519, 0, 0, 0, false},
}

// Sign signs with a private key, as Digital Signature Algorithm says or padding and hash: RSASSA-PKCS1-v1_5 or RSASSA-PSS (RFC 8017, section 8; MGF1 with
// the same hash, a salt as long as the hash unless the parameters say otherwise), ECDSA in DER (FIPS 186-5; the hash that goes with the curve if none
// is said), Ed25519 (RFC 8032).
func Sign(k *Key, p Params, in Signed) ([]byte, error) {
	if err := k.use("sign", PrivateKey); err != nil {
		return nil, err
	}
	w, digest, err := signatureFor(k, &p, &in)
	if err != nil {
		return nil, err
	}
	if w.verify {
		return nil, fault.Bad("hashing_algorithm", "%s makes no signatures any more", w.hash)
	}
	switch w.family {
	case RSA:
		return signRSA(k, w, &p, digest)
	case EC:
		return k.ec.curve.on.sign(k.ec.scalar, digest)
	}
	return ed25519.Sign(k.ed, in.Data), nil
}

// VerifySignature reports whether the signature is one of the data, under a public key. Without a salt length PSS takes any. A malformed signature is as
// wrong as any other; an error means that the question was.
func VerifySignature(k *Key, p Params, in Signed, signature []byte) (bool, error) {
	if err := k.use("verify", PublicKey); err != nil {
		return false, err
	}
	w, digest, err := signatureFor(k, &p, &in)
	if err != nil {
		return false, err
	}
	if err := tooLong("a signature", signature, MaxMaterial); err != nil {
		return false, err
	}
	switch w.family {
	case RSA:
		return verifyRSA(k, w, &p, digest, signature)
	case EC:
		return k.ec.curve.on.verify(k.ec.public, digest, signature), nil
	}
	return ed25519.Verify(k.edPublic, in.Data, signature), nil
}

// signatureFor finds the row and makes the digest; Ed25519 hashes by itself.
func signatureFor(k *Key, p *Params, in *Signed) (*signatureWay, []byte, error) {
	if in.Partial {
		return nil, nil, fault.Bad("correlation_value", "data comes in one piece here")
	}
	if err := tooLong("data", in.Data, MaxData); err != nil {
		return nil, nil, err
	}
	w, err := signatureOf(k, *p)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case w.hash == 0 && len(in.Digest) != 0:
		return nil, nil, fault.Bad("digested_data", "a key of type %s signs the data itself", k.alg)
	case w.hash == 0:
		return w, nil, nil
	case len(in.Digest) == 0:
		digest, err := Sum(w.hash, in.Data)
		return w, digest, err
	case len(in.Data) != 0 || len(in.Digest) != w.hash.Size():
		return nil, nil, fault.Bad("digested_data", "a digest stands for the data, and %s has %d bytes", w.hash, w.hash.Size())
	}
	return w, in.Digest, nil
}

// signatureOf finds the one row that the parameters mean.
func signatureOf(k *Key, p Params) (*signatureWay, error) {
	family := k.alg.family()
	switch {
	case family != RSA && family != EC && family != Ed25519 || k.alg == ECDH:
		return nil, k.cannot("sign or verify")
	case p.goesWith(k) != nil:
		return nil, p.goesWith(k)
	case family == EC && p.Hash == 0:
		p.Hash = p.Signature.hash(k.ec.curve.hash)
	case family == Ed25519:
		p.Hash = 0
	}
	if p.Hash == 0 {
		p.Hash = p.Signature.hash(0)
	}
	if family != RSA {
		p.Padding = 0
	} else if p.Padding == 0 {
		p.Padding = p.Signature.padding()
	}
	return p.signature(family)
}

func (p *Params) signature(family Algorithm) (*signatureWay, error) {
	i := slices.IndexFunc(signatures, func(w signatureWay) bool {
		return w.family == family && w.padding == p.Padding && w.hash == p.Hash && (p.Signature == 0 || w.name == p.Signature)
	})
	switch {
	case i >= 0 && (p.Padding != PSS || p.plainPSS()):
		return &signatures[i], nil
	case i >= 0:
		return nil, fault.Bad("mask_generator_hashing_algorithm", "RSASSA-PSS is done with MGF1 and the hash of the signature")
	case p.Signature != 0:
		return nil, fault.Bad("digital_signature_algorithm", "this signature is not done with the key, or not with the padding and hash that are given")
	case family == RSA && p.Padding != PSS && p.Padding != PKCS1v15:
		return nil, fault.Bad("padding_method", "RSA keys sign with PSS or PKCS1 v1.5 padding: say which")
	}
	return nil, fault.Bad("hashing_algorithm", "signatures are made with SHA-224, SHA-256, SHA-384 or SHA-512: say which")
}

// plainPSS reports whether the mask generator is the one that the standard library does.
func (p *Params) plainPSS() bool {
	return (p.MaskGenerator == 0 || p.MaskGenerator == MGF1) && (p.MaskGeneratorHash == 0 || p.MaskGeneratorHash == p.Hash)
}

// hash is the hash that the name says, or otherwise.
func (s SignatureAlgorithm) hash(otherwise Hash) Hash {
	for _, w := range signatures {
		if s != 0 && s != RSASSAPSS && w.name == s {
			return w.hash
		}
	}
	return otherwise
}

func (s SignatureAlgorithm) padding() Padding {
	for _, w := range signatures {
		if s != 0 && w.name == s {
			return w.padding
		}
	}
	return 0
}

// salt is what the parameters say, or otherwise; 0 bytes cannot be asked for, as crypto/rsa has no word for it.
func (p *Params) salt(k *Key, h hashing, otherwise int) (*rsa.PSSOptions, error) {
	if p.SaltLength == nil {
		return &rsa.PSSOptions{SaltLength: otherwise}, nil
	}
	most := (k.bits+6)/8 - h.in.Size() - 2 // RFC 8017, section 9.1.1
	if *p.SaltLength < 1 || *p.SaltLength > most {
		return nil, fault.Bad("salt_length", "with this key and hash a salt has 1 to %d bytes", max(most, 0))
	}
	return &rsa.PSSOptions{SaltLength: *p.SaltLength}, nil
}

func signRSA(k *Key, w *signatureWay, p *Params, digest []byte) ([]byte, error) {
	h, err := w.hash.find()
	if err != nil {
		return nil, err
	}
	if w.padding == PKCS1v15 {
		return rsa.SignPKCS1v15(nil, k.rsa, h.in, digest)
	}
	o, err := p.salt(k, h, rsa.PSSSaltLengthEqualsHash)
	if err != nil {
		return nil, err
	}
	return rsa.SignPSS(rand.Reader, k.rsa, h.in, digest, o)
}

func verifyRSA(k *Key, w *signatureWay, p *Params, digest, signature []byte) (bool, error) {
	h, err := w.hash.find()
	if err != nil {
		return false, err
	}
	if w.padding == PKCS1v15 {
		return rsa.VerifyPKCS1v15(k.rsaPublic, h.in, digest, signature) == nil, nil
	}
	o, err := p.salt(k, h, rsa.PSSSaltLengthAuto)
	if err != nil {
		return false, err
	}
	return rsa.VerifyPSS(k.rsaPublic, h.in, digest, signature, o) == nil, nil
}
