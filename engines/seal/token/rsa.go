//go:build cgo

package token

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"math/big"

	"github.com/miekg/pkcs11"
)

type oaepHash struct {
	new       func() hash.Hash
	hash, mgf uint
}

var oaepHashes = map[string]oaepHash{
	"sha1":   {sha1.New, pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1},
	"sha256": {sha256.New, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	"sha384": {sha512.New384, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	"sha512": {sha512.New, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// sealOAEP encrypts here, under the modulus that the private key itself tells: a public key object beside it could be anybody's. The label
// stays empty, since tokens take none; the associated data is bound inside.
//
// Whoever knows the public key can make a blob that opens. What it holds must prove itself by other means.
func (s *session) sealOAEP(k *keys, plaintext, aad []byte) ([]byte, error) {
	h, ok := oaepHashes[s.set.Hash]
	if !ok {
		return nil, refusef("the hash %q is not known", s.set.Hash)
	}
	public, err := s.public(k.main)
	if err != nil {
		return nil, err
	}
	b := bound(OAEP, plaintext, aad)
	defer clear(b)
	out, err := rsa.EncryptOAEP(h.new(), rand.Reader, public, b, nil)
	if err != nil {
		return nil, refusef("encrypt under the token's public key: %w", err)
	}
	return out, nil
}

func (s *session) openOAEP(k *keys, sealed, aad []byte) ([]byte, error) {
	public, err := s.public(k.main)
	if err != nil {
		return nil, err
	}
	if len(sealed) != public.Size() {
		return nil, fmt.Errorf("a blob of %d bytes is not this key's: %w", len(sealed)+headSize, errWrongKey)
	}
	h := oaepHashes[s.set.Hash]
	params := pkcs11.NewOAEPParams(h.hash, h.mgf, pkcs11.CKZ_DATA_SPECIFIED, nil)
	b, err := s.decrypt(k.main, pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_OAEP, params), sealed)
	if err != nil {
		return nil, err
	}
	return unbound(OAEP, b, aad)
}

func (s *session) public(private pkcs11.ObjectHandle) (*rsa.PublicKey, error) {
	n, err := s.number(private, pkcs11.CKA_MODULUS)
	if err != nil {
		return nil, err
	}
	e, err := s.number(private, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, err
	}
	if n.BitLen() < minRSABits || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		return nil, refusef("the RSA key has %d bits and the exponent %d: at least %d bits are needed", n.BitLen(), e, minRSABits)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (s *session) number(o pkcs11.ObjectHandle, attribute uint) (*big.Int, error) {
	a, err := s.GetAttributeValue(s.handle, o, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	if err != nil {
		return nil, rv("read the public half of the key", err)
	}
	return new(big.Int).SetBytes(a[0].Value), nil
}
