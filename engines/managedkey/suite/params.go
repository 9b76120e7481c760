package suite

import "github.com/trstctl/trstctl/fsm/fault"

// Params are Cryptographic Parameters (KMIP 1.4, section 3.6; KMIP 2.1, section 4.17), the request's laid over the object's. Zero fields are absent. What
// an operation has no use for it ignores, as one set of parameters stands at an object for all that it does.
type Params struct {
	Mode      Mode
	Padding   Padding
	Hash      Hash
	Signature SignatureAlgorithm
	Algorithm Algorithm // of the operation: a MAC's; otherwise the key's, or absent

	RandomIV              bool // an IV is made where the caller gives none
	IVLength              int  // bits
	TagLength             int  // bytes
	FixedFieldLength      int  // bits; with RandomIV not done here
	InvocationFieldLength int  // bits; with RandomIV not done here
	CounterLength         int  // bits, CTR and SP 800-108
	InitialCounter        *int // CTR; 1 if it is absent and CounterLength is not

	SaltLength        *int // bytes, RSASSA-PSS
	MaskGenerator     MaskGenerator
	MaskGeneratorHash Hash   // Hash if it is absent, as in the published cases
	PSource           []byte // label of OAEP

	Allow Allow // what the server's own policy opens; no message carries it
}

// Allow is what is refused unless somebody opened it. The zero value opens nothing.
type Allow uint8

// What can be opened.
const (
	ShortTags          Allow = 1 << iota // GCM tags of 4 to 11 bytes
	PKCS1v15Decryption                   // RSAES-PKCS1-v1_5 decryption and unwrapping: an oracle for who may ask often enough (RFC 8017, section 7.2)
	SmallRSA                             // generation of RSA keys of 1024 bits
)

// goesWith refuses parameters that name another algorithm than the key's.
func (p *Params) goesWith(k *Key) error {
	if p.Algorithm != 0 && p.Algorithm.family() != k.alg.family() {
		return fault.Bad("cryptographic_algorithm", "the parameters say %s, the key is %s", p.Algorithm, k.alg)
	}
	return nil
}

// mgf returns the hash of the mask generator.
func (p *Params) mgf() (hashing, error) {
	if p.MaskGenerator != 0 && p.MaskGenerator != MGF1 {
		return hashing{}, fault.Bad("mask_generator", "MGF1 is the mask generator that exists")
	}
	if p.MaskGeneratorHash != 0 {
		return p.MaskGeneratorHash.find()
	}
	return p.Hash.find()
}

// family is what algorithms have in common that share keys: the three names of elliptic curve keys are one.
func (a Algorithm) family() Algorithm {
	if a == ECDSA || a == ECDH {
		return EC
	}
	return a
}
