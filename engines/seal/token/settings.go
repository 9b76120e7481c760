package token

import "fmt"

// Settings say which token and key are meant. Nothing in them is secret.
type Settings struct {
	Module    string    // absolute path of the library
	Reserved  string    // given to C_Initialize as reserved parameters, for NSS
	Token     string    // label
	Label     string    // of the key; empty when ID says which
	ID        []byte    // CKA_ID of the key
	Mechanism Mechanism //
	MACLabel  string    // label of the HMAC key that AES_CBC_PAD needs
	Hash      string    // of RSA_OAEP: sha1, sha256, sha384, sha512
}

// Info is what an opened token says about itself.
type Info struct {
	Serial   string
	CountLow bool // a wrong PIN was entered since the last login
	FinalTry bool // one more wrong PIN locks it
	Locked   bool
	Expired  bool // the PIN has to be changed first
}

// Mechanism is how a key wraps. Its number stands in every blob.
type Mechanism byte

// The mechanisms.
const (
	GCM  Mechanism = 1 // CKM_AES_GCM
	KWP  Mechanism = 2 // CKM_AES_KEY_WRAP_PAD
	CBC  Mechanism = 3 // CKM_AES_CBC_PAD, then CKM_SHA256_HMAC
	OAEP Mechanism = 4 // CKM_RSA_PKCS_OAEP
)

var mechanismNames = map[Mechanism]string{GCM: "AES_GCM", KWP: "AES_KEY_WRAP_PAD", CBC: "AES_CBC_PAD", OAEP: "RSA_OAEP"}

// String returns the name that stands in configurations.
func (m Mechanism) String() string {
	if name, ok := mechanismNames[m]; ok {
		return name
	}
	return fmt.Sprintf("mechanism %d", byte(m))
}

// ParseMechanism returns the mechanism of a configuration's name.
func ParseMechanism(name string) (Mechanism, bool) {
	for m, n := range mechanismNames {
		if n == name {
			return m, true
		}
	}
	return 0, false
}
