package primitive

import (
	"bytes"
	"crypto/mlkem"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// The forms of ML-KEM keys of RFC 9935, which crypto/x509 does not have: the private key is its seed alone, [0] IMPLICIT OCTET STRING; there is
// no algorithm parameter.
var kemOID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 2} // id-alg-ml-kem-768

const kemSeedTag = "\x80\x40" // context-specific 0, 64 bytes

// pkcs8 is OneAsymmetricKey of RFC 5958 up to what is optional.
type pkcs8 struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
}

// spki is SubjectPublicKeyInfo of RFC 5280.
type spki struct {
	Algorithm pkix.AlgorithmIdentifier
	PublicKey asn1.BitString
}

func kemBody(der []byte, form string) ([]byte, bool) {
	var p pkcs8
	if form != inPKCS8 && form != inDER {
		return nil, false
	}
	_, err := asn1.Unmarshal(der, &p)
	if err != nil {
		return nil, false
	}
	defer clear(p.PrivateKey)
	seed, ok := bytes.CutPrefix(p.PrivateKey, []byte(kemSeedTag))
	bare := len(p.Algorithm.Parameters.FullBytes) == 0 && p.Version >= 0 && p.Version <= 1
	return bytes.Clone(seed), ok && bare && p.Algorithm.Algorithm.Equal(kemOID) && len(seed) == mlkem.SeedSize
}

// kemPrivate returns what the caller wipes.
func kemPrivate(seed []byte) ([]byte, error) {
	inner := append([]byte(kemSeedTag), seed...)
	defer clear(inner)
	der, err := asn1.Marshal(pkcs8{Algorithm: pkix.AlgorithmIdentifier{Algorithm: kemOID}, PrivateKey: inner})
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return der, nil
}

func kemPublic(p *mlkem.EncapsulationKey768) ([]byte, error) {
	b := p.Bytes()
	der, err := asn1.Marshal(spki{pkix.AlgorithmIdentifier{Algorithm: kemOID}, asn1.BitString{Bytes: b, BitLength: 8 * len(b)}})
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	return der, nil
}
