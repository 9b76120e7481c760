package primitive

import (
	"crypto/elliptic"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Algorithm is what a key is for. The numbers are part of the form at rest: they are never changed and never reused.
type Algorithm uint8

// The algorithms, with their sources.
const (
	AES256GCM         Algorithm = iota + 1 // NIST SP 800-38D
	AES128GCM                              // NIST SP 800-38D
	ChaCha20Poly1305                       // RFC 8439
	XChaCha20Poly1305                      // draft-irtf-cfrg-xchacha-03
	Ed25519                                // RFC 8032
	ECDSAP256                              // FIPS 186-5
	ECDSAP384                              // FIPS 186-5
	ECDSAP521                              // FIPS 186-5
	RSA2048                                // RFC 8017
	RSA3072                                // RFC 8017
	RSA4096                                // RFC 8017
	HMACSHA256                             // RFC 2104
	HMACSHA384                             // RFC 2104
	HMACSHA512                             // RFC 2104
	MLKEM768                               // FIPS 203
)

// Use is one thing that keys can do, or several.
type Use uint8

// What keys can do.
const (
	ToEncrypt     Use = 1 << iota // and decrypt
	ToSign                        // and verify
	ToMAC                         // and verify
	ToDerive                      // a working key for each context
	ToEncapsulate                 // and decapsulate data keys
)

// NonceBound is how many messages one key with ShortNonces may encrypt: at 2^32 random nonces of 96 bits two are equal with a probability of 2^-33
// (SP 800-38D, section 8.3, allows 2^-32).
const NonceBound = 1 << 32

type family uint8

const (
	aeadKey family = iota + 1
	edKey
	ecdsaKey
	rsaKey
	hmacKey
	kemKey
)

type trait struct {
	name   string
	family family
	size   int  // bytes of a symmetric key, a seed or an ECDSA scalar; bits of an RSA modulus
	hash   Hash // an HMAC key's own; what a signature uses if nothing else is asked for
	uses   Use
}

var traits = [...]trait{
	AES256GCM:         {"aes256-gcm", aeadKey, 32, 0, ToEncrypt | ToDerive},
	AES128GCM:         {"aes128-gcm", aeadKey, 16, 0, ToEncrypt | ToDerive},
	ChaCha20Poly1305:  {"chacha20-poly1305", aeadKey, 32, 0, ToEncrypt | ToDerive},
	XChaCha20Poly1305: {"xchacha20-poly1305", aeadKey, 32, 0, ToEncrypt | ToDerive},
	Ed25519:           {"ed25519", edKey, 32, 0, ToSign},
	ECDSAP256:         {"ecdsa-p256", ecdsaKey, 32, SHA256, ToSign},
	ECDSAP384:         {"ecdsa-p384", ecdsaKey, 48, SHA384, ToSign},
	ECDSAP521:         {"ecdsa-p521", ecdsaKey, 66, SHA512, ToSign},
	RSA2048:           {"rsa-2048", rsaKey, 2048, SHA256, ToEncrypt | ToSign},
	RSA3072:           {"rsa-3072", rsaKey, 3072, SHA256, ToEncrypt | ToSign},
	RSA4096:           {"rsa-4096", rsaKey, 4096, SHA256, ToEncrypt | ToSign},
	HMACSHA256:        {"hmac-sha256", hmacKey, 32, SHA256, 0},
	HMACSHA384:        {"hmac-sha384", hmacKey, 48, SHA384, 0},
	HMACSHA512:        {"hmac-sha512", hmacKey, 64, SHA512, 0},
	MLKEM768:          {"ml-kem-768", kemKey, 64, 0, ToEncapsulate},
}

// Algorithms returns all of them, in the order of their numbers.
func Algorithms() []Algorithm {
	all := make([]Algorithm, 0, len(traits)-1)
	for a := AES256GCM; a.known(); a++ {
		all = append(all, a)
	}
	return all
}

// ParseAlgorithm returns the algorithm with this name.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range Algorithms() {
		if traits[a].name == name {
			return a, nil
		}
	}
	return 0, fault.Bad("algorithm", "no such algorithm: one of %v is", Algorithms())
}

// UnmarshalText reads a name as ParseAlgorithm does.
func (a *Algorithm) UnmarshalText(name []byte) (err error) {
	*a, err = ParseAlgorithm(string(name))
	return err
}

// Describe names what is wanted.
func (Algorithm) Describe() string { return fmt.Sprintf("one of %v", Algorithms()) }

// String returns the name: "aes256-gcm".
func (a Algorithm) String() string {
	if !a.known() {
		return "unknown"
	}
	return traits[a].name
}

// Can reports whether keys of this algorithm can do all of u. Every key can MAC.
func (a Algorithm) Can(u Use) bool { return a.known() && u&^(traits[a].uses|ToMAC) == 0 }

// Operations names what keys of this algorithm do, as the routes and policies call it.
func (a Algorithm) Operations() []string {
	var all []string
	for _, u := range []struct {
		use   Use
		names []string
	}{
		{ToEncrypt, []string{"encrypt", "decrypt", "rewrap", "datakey", "datakey-plaintext"}},
		{ToEncapsulate, []string{"datakey", "datakey-plaintext", "decrypt"}},
		{ToSign, []string{"sign"}},
		{ToMAC, []string{"verify", "hmac"}},
	} {
		if a.Can(u.use) {
			all = append(all, u.names...)
		}
	}
	return all
}

// ShortNonces reports whether keys of this algorithm encrypt under random nonces of 96 bits, so that NonceBound holds for them.
func (a Algorithm) ShortNonces() bool {
	return a == AES256GCM || a == AES128GCM || a == ChaCha20Poly1305
}

// Asymmetric reports whether keys of this algorithm have a public key.
func (a Algorithm) Asymmetric() bool {
	return a.known() && traits[a].family != aeadKey && traits[a].family != hmacKey
}

func (a Algorithm) known() bool { return a >= AES256GCM && int(a) < len(traits) }

// cannot refuses a use.
func (a Algorithm) cannot(what string) error {
	return fault.New(fault.Invalid, "a key of type %s cannot %s", a, what)
}

func (a Algorithm) curve() elliptic.Curve {
	switch a {
	case ECDSAP256:
		return elliptic.P256()
	case ECDSAP384:
		return elliptic.P384()
	}
	return elliptic.P521()
}
