// Package suite is the cryptography that KMIP operations ask for (KMIP 1.4 and 2.1): keys are parsed, written in another format and generated;
// they encrypt, sign, MAC, derive, wrap and are split. It has no state, stores nothing, knows no message and asks no policy: whether a key may do
// what is asked (state, usage mask, role) is decided before anything here is called.
//
// It promises:
//   - What fails after the parameters were found good fails with ErrFailed and nothing else: a padding, a tag, a wrapped key, a set of parts. How long
//     that takes does not say what was wrong, as far as the standard library allows.
//   - Parameters that do not fit are Invalid faults that name the field, and are found before any secret is touched.
//   - No error and no formatter shows anything of a key, a plaintext or a derived key.
//   - No input makes it panic, and none makes it use much more memory than the input has.
//   - Ways lists all combinations that exist, from the tables that the code looks them up in.
//
// What it returns that is secret is the caller's to wipe; it clears its own copies. Key.Wipe says what Go gives no way to clear.
package suite

import (
	"crypto/rand"

	"github.com/trstctl/trstctl/fsm/fault"
)

// ErrFailed says that a cryptographic operation failed, and never why: KMIP's Cryptographic Failure.
var ErrFailed error = fault.New(fault.Invalid, "the cryptographic operation failed")

// Limits of one call, in bytes.
const (
	MaxData       = 16 << 20  // of a plaintext, ciphertext or message
	MaxAssociated = 64 << 10  // of authenticated additional data, an OAEP label
	MaxMaterial   = 64 << 10  // of key material, parsed or wrapped
	MaxRandom     = 128 << 10 // of RNG Retrieve
)

// Random returns n bytes, 1 to MaxRandom, of the operating system's generator, for RNG Retrieve (KMIP 1.4, section 4.35). They are the caller's to wipe.
func Random(n int) ([]byte, error) {
	if n < 1 || n > MaxRandom {
		return nil, fault.Bad("data_length", "1 to %d random bytes can be had at once", MaxRandom)
	}
	return random(n), nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// tooLong refuses data that is over its limit.
func tooLong(what string, data []byte, most int) error {
	if len(data) > most {
		return fault.New(fault.TooLarge, "%s has %d bytes at most", what, most)
	}
	return nil
}
