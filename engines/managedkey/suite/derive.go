package suite

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits of derivation: bytes that come out; rounds of PBKDF2; rounds times blocks that come out, which is what the time goes into.
const (
	MaxDerived    = 1024
	MaxIterations = 2_000_000
	maxRounds     = MaxIterations
)

// Derivation is a derivation method and its parameters (KMIP 1.4, section 4.6).
type Derivation struct {
	Method     Method
	Params     Params // the hash; for EncryptMethod the base key's algorithm, mode and padding
	IV         []byte // EncryptMethod; Feedback108, may be absent
	Data       []byte // Derivation Data
	Salt       []byte // PBKDF2; HKDF, may be absent
	Iterations int    // PBKDF2
}

// derivations are the methods that a secret is derived with; AsymmetricKey is Agree.
var derivations = []struct {
	method Method
	derive func(base []byte, d *Derivation, size int) ([]byte, error)
}{
	{PBKDF2, derivePBKDF2},
	{HashMethod, deriveHash},
	{HMACMethod, deriveHMAC},
	{EncryptMethod, deriveEncrypt},
	{Counter108, derive108},
	{Feedback108, derive108},
	{Pipeline108, derive108},
	{HKDF, deriveHKDF},
}

// Derive makes size bytes from the bytes of a base key or secret data, the caller's to wipe:
//
//	PBKDF2         RFC 8018, section 5.2, HMAC; no derivation data
//	HASH           the digest of the base key; no derivation data, which would leave the key out
//	HMAC           the HMAC of the derivation data
//	ENCRYPT        the derivation data encrypted; without authentication and with the IV that is given
//	NIST800-108    counter, feedback and double pipeline mode (SP 800-108r1, section 4) with HMAC or AES-CMAC, the derivation data being all of the fixed
//	               input, behind a counter of 32 bits or as many as Counter Length says
//	HKDF           RFC 5869, the derivation data being the info
//
// A method that gives more than size is cut; one that gives less is refused.
func Derive(base []byte, d Derivation, size int) ([]byte, error) {
	switch {
	case size < 1 || size > MaxDerived:
		return nil, fault.Bad("cryptographic_length", "1 to %d bytes are derived", MaxDerived)
	case len(base) == 0 || len(base) > MaxMaterial:
		return nil, fault.New(fault.Invalid, "the key that is derived from has 1 to %d bytes", MaxMaterial)
	case len(d.Data) > MaxAssociated || len(d.Salt) > MaxAssociated || len(d.IV) > MaxAssociated:
		return nil, fault.New(fault.TooLarge, "derivation data, salt and IV have %d bytes at most", MaxAssociated)
	}
	for _, w := range derivations {
		if w.method == d.Method {
			return w.derive(base, &d, size)
		}
	}
	return nil, fault.Bad("derivation_method", "nothing is derived with this method here")
}

// cut gives out the beginning and clears the rest.
func cut(b []byte, size int) ([]byte, error) {
	if len(b) < size {
		clear(b)
		return nil, fault.Bad("cryptographic_length", "the method gives %d bytes, %d are asked for", len(b), size)
	}
	clear(b[size:])
	return b[:size:size], nil
}

// hash is the parameters' own, or that of the HMAC that they name.
func (d *Derivation) hash() (hashing, error) {
	named := d.Params.Algorithm.hmac()
	if named == 0 || d.Params.Hash == named {
		return d.Params.Hash.find()
	}
	if d.Params.Hash != 0 {
		return hashing{}, fault.Bad("hashing_algorithm", "%s has its own hash", d.Params.Algorithm)
	}
	return named.find()
}

// takes refuses what the method has no use for: a caller who gives it means something else.
func (d *Derivation) takes(data, salt, iv bool) error {
	switch {
	case !data && len(d.Data) != 0:
		return fault.Bad("derivation_data", "this method takes no derivation data")
	case !salt && len(d.Salt) != 0:
		return fault.Bad("salt", "this method takes no salt")
	case !iv && len(d.IV) != 0:
		return fault.Bad("initialization_vector", "this method takes no IV")
	case d.Iterations != 0 && d.Method != PBKDF2:
		return fault.Bad("iteration_count", "this method does not iterate")
	}
	return nil
}

func derivePBKDF2(base []byte, d *Derivation, size int) ([]byte, error) {
	h, err := d.hash()
	if err == nil {
		err = d.takes(false, true, false)
	}
	if err != nil {
		return nil, err
	}
	blocks := (size + h.in.Size() - 1) / h.in.Size()
	switch {
	case len(d.Salt) == 0:
		return nil, fault.Bad("salt", "PBKDF2 needs a salt")
	case d.Iterations < 1 || d.Iterations > MaxIterations || d.Iterations > maxRounds/blocks:
		return nil, fault.Bad("iteration_count", "PBKDF2 takes 1 to %d iterations, less for long keys", MaxIterations)
	}
	out, err := pbkdf2.Key(h.new, string(base), d.Salt, d.Iterations, size) // the library wants a string, which nobody can clear
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return out, nil
}

func deriveHash(base []byte, d *Derivation, size int) ([]byte, error) {
	h, err := d.Params.Hash.find()
	if err == nil {
		err = d.takes(false, false, false)
	}
	if err != nil {
		return nil, err
	}
	return cut(h.sum(base), size)
}

func deriveHMAC(base []byte, d *Derivation, size int) ([]byte, error) {
	h, err := d.hash()
	if err == nil {
		err = d.takes(true, false, false)
	}
	if err != nil {
		return nil, err
	}
	if len(d.Data) == 0 {
		return nil, fault.Bad("derivation_data", "HMAC needs derivation data")
	}
	f, err := hmacOf(h.id, base)
	if err != nil {
		return nil, err
	}
	return cut(f(d.Data), size)
}

func deriveEncrypt(base []byte, d *Derivation, size int) ([]byte, error) {
	if err := d.takes(true, false, true); err != nil {
		return nil, err
	}
	if _, known := blockModes[d.Params.Mode]; !known {
		return nil, fault.Bad("block_cipher_mode", "keys are derived by encryption in the modes ECB, CBC, CTR, CFB and OFB")
	}
	k, err := Parse(Block{Class: SymmetricKey, Format: Raw, Algorithm: d.Params.Algorithm, Material: base})
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	p := d.Params
	p.RandomIV = false
	out, err := Encrypt(k, p, Message{Data: d.Data, IV: d.IV})
	if err != nil {
		return nil, err
	}
	return cut(out.Data, size)
}

func deriveHKDF(base []byte, d *Derivation, size int) ([]byte, error) {
	h, err := d.hash()
	if err == nil {
		err = d.takes(true, true, false)
	}
	if err != nil {
		return nil, err
	}
	if most := 255 * h.in.Size(); size > most {
		return nil, fault.Bad("cryptographic_length", "the method gives %d bytes, %d are asked for", most, size)
	}
	out, err := hkdf.Key(h.new, base, d.Salt, string(d.Data), size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return out, nil
}

// Agree is the derivation method Asymmetric Key: the beginning of the Diffie-Hellman secret of a private and a public key on one curve, P-224 not among them
// (SP 800-56A, section 5.7.1.2). It is the caller's to wipe, and better derived from again than used as it is.
func Agree(private, public *Key, size int) ([]byte, error) {
	if err := private.use("derive", PrivateKey); err != nil {
		return nil, err
	}
	if err := public.use("derive", PublicKey); err != nil {
		return nil, err
	}
	switch {
	case private.ec == nil || private.alg == ECDSA:
		return nil, private.cannot("derive")
	case public.ec == nil || public.alg == ECDSA || public.ec.curve != private.ec.curve:
		return nil, fault.New(fault.Invalid, "the public key is not of the private key's curve, or not for this")
	case size < 1:
		return nil, badLength()
	}
	secret, err := private.ec.curve.on.shared(private.ec.scalar, public.ec.public)
	if err != nil {
		return nil, err
	}
	return cut(secret, size)
}
