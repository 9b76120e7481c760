package primitive

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"

	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	maxImport      = 16 << 10 // bytes
	primalityTests = 20       // Miller-Rabin rounds, behind which math/big puts a Baillie-PSW test
)

// Import makes a key of material that was made elsewhere, of which it keeps nothing but its own form:
//
//	AEAD      the key in raw bytes, of exactly its size
//	HMAC      32 to 512 raw bytes
//	Ed25519   the seed in 32 raw bytes, or PKCS#8 (RFC 8410)
//	ECDSA     PKCS#8 or SEC 1 (RFC 5915), of the named curve; a public key that comes along must be the private key's
//	RSA       PKCS#8 or PKCS#1, two primes of half the size each, an odd exponent of at least 65537
//	ML-KEM    d ‖ z in 64 raw bytes, or PKCS#8 with the seed alone (RFC 9935)
//
// PKCS#8, SEC 1 and PKCS#1 come in DER or as one block of PEM, unencrypted, with nothing behind them. What does not fit is Invalid; the error
// tells nothing of the material. Nothing of the caller's is wiped.
func Import(a Algorithm, material []byte) (*Key, error) {
	if !a.known() {
		return nil, fault.Bad("algorithm", "no such algorithm")
	}
	if len(material) > maxImport {
		return nil, fault.New(fault.TooLarge, "a key has %d bytes at most", maxImport)
	}
	body, err := bodyOf(a, material)
	if err != nil {
		return nil, err
	}
	k, err := newKey(a, body)
	if err != nil {
		return nil, unfit(a)
	}
	return k, nil
}

func unfit(a Algorithm) error {
	return fault.Bad("key", "this is no key of type %s, or not in a form that is taken", a)
}

// bodyOf returns the body of the form at rest, in memory of its own.
func bodyOf(a Algorithm, material []byte) ([]byte, error) {
	if f := traits[a].family; f != ecdsaKey && f != rsaKey && fits(a, material) {
		return bytes.Clone(material), nil
	}
	if !a.Asymmetric() {
		return nil, fault.Bad("key", "a key of type %s has another size than these %d bytes", a, len(material))
	}
	der, form, ok := unarmored(material)
	defer clear(der)
	if !ok || !whole(der) {
		return nil, unfit(a)
	}
	body, ok := parsed(a, der, form)
	if !ok {
		clear(body)
		return nil, unfit(a)
	}
	return body, nil
}

func parsed(a Algorithm, der []byte, form string) ([]byte, bool) {
	switch traits[a].family {
	case edKey:
		return edBody(der, form)
	case ecdsaKey:
		return ecdsaBody(a, der, form)
	case rsaKey:
		return rsaBody(a, der, form)
	}
	return kemBody(der, form)
}

// The types of PEM blocks; DER does not say what it is.
const (
	inPKCS8 = "PRIVATE KEY"
	inSEC1  = "EC PRIVATE KEY"
	inPKCS1 = "RSA PRIVATE KEY"
	inDER   = ""
)

// unarmored returns the DER in PEM or a copy of what is no PEM.
func unarmored(material []byte) (der []byte, form string, ok bool) {
	begin, text := []byte("-----BEGIN"), bytes.TrimSpace(material)
	if !bytes.HasPrefix(text, begin) {
		return bytes.Clone(material), inDER, true
	}
	block, rest := pem.Decode(text)
	if block == nil || len(block.Headers) != 0 || len(rest) != 0 || bytes.Count(text, begin) != 1 {
		return nil, inDER, false
	}
	return block.Bytes, block.Type, block.Type == inPKCS8 || block.Type == inSEC1 || block.Type == inPKCS1
}

// whole reports whether der is one element and nothing else.
func whole(der []byte) bool {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(der, &v)
	return err == nil && len(rest) == 0
}

func edBody(der []byte, form string) ([]byte, bool) {
	if form != inPKCS8 && form != inDER {
		return nil, false
	}
	found, _ := x509.ParsePKCS8PrivateKey(der)
	k, ok := found.(ed25519.PrivateKey)
	if !ok {
		return nil, false
	}
	defer clear(k)
	return k.Seed(), true
}

func ecdsaBody(a Algorithm, der []byte, form string) ([]byte, bool) {
	k, sec1 := parseECDSA(der, form)
	defer clear(sec1)
	if k == nil || k.Curve != a.curve() || !sameEC(k, sec1) {
		return nil, false
	}
	defer wipeInts(k.D)
	body, err := k.Bytes()
	return body, err == nil
}

// parseECDSA also returns the SEC 1 form, which stands alone or inside PKCS#8.
func parseECDSA(der []byte, form string) (*ecdsa.PrivateKey, []byte) {
	if form == inPKCS8 || form == inDER {
		found, _ := x509.ParsePKCS8PrivateKey(der)
		var outer pkcs8
		if k, ok := found.(*ecdsa.PrivateKey); ok {
			if _, err := asn1.Unmarshal(der, &outer); err == nil {
				return k, outer.PrivateKey
			}
		}
	}
	if form == inSEC1 || form == inDER {
		if k, err := x509.ParseECPrivateKey(der); err == nil {
			return k, der
		}
	}
	return nil, nil
}

// sameEC checks what crypto/x509 does not: that a public key beside the private one is its own.
func sameEC(k *ecdsa.PrivateKey, sec1 []byte) bool {
	var s struct {
		Version int
		Private []byte
		Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}
	rest, err := asn1.Unmarshal(sec1, &s)
	if err != nil || len(rest) != 0 {
		return false
	}
	defer clear(s.Private)
	public, err := k.PublicKey.Bytes()
	if err != nil {
		return false
	}
	compressed := append([]byte{2 | public[len(public)-1]&1}, public[1:1+len(public)/2]...)
	return s.Public.BitLength == 0 || bytes.Equal(s.Public.Bytes, public) || bytes.Equal(s.Public.Bytes, compressed)
}

func rsaBody(a Algorithm, der []byte, form string) ([]byte, bool) {
	k := parseRSA(der, form)
	if k == nil {
		return nil, false
	}
	defer wipeRSA(k)
	if !soundRSA(k, traits[a].size) {
		return nil, false
	}
	return x509.MarshalPKCS1PrivateKey(k), true
}

func parseRSA(der []byte, form string) *rsa.PrivateKey {
	if form == inPKCS8 || form == inDER {
		found, _ := x509.ParsePKCS8PrivateKey(der)
		if k, ok := found.(*rsa.PrivateKey); ok {
			return k
		}
	}
	if form == inPKCS1 || form == inDER {
		if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return k
		}
	}
	return nil
}

// soundRSA checks what crypto/rsa does not: sizes, exponent, and that the primes are. That they multiply to the modulus, are not close, and go with
// both exponents was checked when the key was parsed.
func soundRSA(k *rsa.PrivateKey, bits int) bool {
	if k.N.BitLen() != bits || k.E < 65537 || k.E%2 == 0 || len(k.Primes) != 2 {
		return false
	}
	for _, p := range k.Primes {
		if p.BitLen() != bits/2 || !p.ProbablyPrime(primalityTests) {
			return false
		}
	}
	return true
}
