package primitive

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
)

func edOptions(s Signing) *ed25519.Options {
	if s.Prehashed {
		return &ed25519.Options{Hash: crypto.SHA512}
	}
	return &ed25519.Options{}
}

func signEd(dst []byte, k ed25519.PrivateKey, s Signing, input []byte) ([]byte, error) {
	signature, err := k.Sign(nil, input, edOptions(s))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return append(dst, signature...), nil
}

// verifyEd checks without the cofactor and refuses s >= L, as RFC 8032, section 5.1.7, lets it.
func verifyEd(p ed25519.PublicKey, s Signing, input, signature []byte) bool {
	return ed25519.VerifyWithOptions(p, input, signature, edOptions(s)) == nil
}

// width is the bytes of a number below the curve's order.
func width(p *ecdsa.PublicKey) int { return (p.Curve.Params().N.BitLen() + 7) / 8 }

func signECDSA(dst []byte, k *ecdsa.PrivateKey, s Signing, digest []byte) ([]byte, error) {
	if s.Encoding == ASN1 {
		signature, err := ecdsa.SignASN1(rand.Reader, k, digest)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		return append(dst, signature...), nil
	}
	r, t, err := ecdsa.Sign(rand.Reader, k, digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	w := width(&k.PublicKey)
	both := make([]byte, 2*w)
	r.FillBytes(both[:w])
	t.FillBytes(both[w:])
	return append(dst, both...), nil
}

// verifyECDSA takes strict DER without anything behind it, or exactly two numbers in full width; both must be 1 to n-1.
func verifyECDSA(p *ecdsa.PublicKey, s Signing, digest, signature []byte) bool {
	if s.Encoding == ASN1 {
		return ecdsa.VerifyASN1(p, digest, signature)
	}
	w := width(p)
	if len(signature) != 2*w {
		return false
	}
	r, t := new(big.Int).SetBytes(signature[:w]), new(big.Int).SetBytes(signature[w:])
	return ecdsa.Verify(p, digest, r, t)
}

func pssOptions(s Signing) *rsa.PSSOptions {
	if s.Salt == SaltAuto {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}
	}
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
}

func signRSA(dst []byte, k *rsa.PrivateKey, s Signing, digest []byte) (signature []byte, err error) {
	if s.Scheme == PSS {
		signature, err = rsa.SignPSS(rand.Reader, k, hashes[s.Hash].in, digest, pssOptions(s))
	} else {
		signature, err = rsa.SignPKCS1v15(nil, k, hashes[s.Hash].in, digest)
	}
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return append(dst, signature...), nil
}

func verifyRSA(p *rsa.PublicKey, s Signing, digest, signature []byte) bool {
	if s.Scheme == PSS {
		return rsa.VerifyPSS(p, hashes[s.Hash].in, digest, signature, pssOptions(s)) == nil
	}
	return rsa.VerifyPKCS1v15(p, hashes[s.Hash].in, digest, signature) == nil
}
