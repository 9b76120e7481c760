package suite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"math/big"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Block is what a key block says in clear (KMIP 1.4, section 2.1.3): the key material is a byte string, or fields if the format is a transparent one.
type Block struct {
	Class     Class
	Format    Format
	Algorithm Algorithm // may be absent where the material says it: PKCS#8, X.509, EC
	Length    int       // Cryptographic Length, in bits; may be absent where the material says it
	Material  []byte
	Fields    Fields
}

// Fields are the material of transparent formats (KMIP 1.4, section 2.1.7). Big integers are in two's complement, big endian: what is written here has a
// multiple of 8 bytes and no more than that takes; what is read may have more zeros.
type Fields struct {
	Key []byte // symmetric

	Modulus, PrivateExponent, PublicExponent, P, Q, PrimeExponentP, PrimeExponentQ, CRTCoefficient []byte // RSA, big integers

	Curve   Curve
	D       []byte // EC private, a big integer
	QString []byte // EC public: 04 ‖ x ‖ y
}

// Wipe zeroes the material that is secret.
func (b *Block) Wipe() {
	clear(b.Material)
	f := &b.Fields
	for _, secret := range [][]byte{f.Key, f.PrivateExponent, f.P, f.Q, f.PrimeExponentP, f.PrimeExponentQ, f.CRTCoefficient, f.D} {
		clear(secret)
	}
}

func (b *Block) clone() Block {
	c, f := *b, &b.Fields
	c.Material = bytes.Clone(b.Material)
	c.Fields = Fields{
		Key: bytes.Clone(f.Key), Modulus: bytes.Clone(f.Modulus), PrivateExponent: bytes.Clone(f.PrivateExponent),
		PublicExponent: bytes.Clone(f.PublicExponent), P: bytes.Clone(f.P), Q: bytes.Clone(f.Q), PrimeExponentP: bytes.Clone(f.PrimeExponentP),
		PrimeExponentQ: bytes.Clone(f.PrimeExponentQ), CRTCoefficient: bytes.Clone(f.CRTCoefficient), Curve: f.Curve, D: bytes.Clone(f.D),
		QString: bytes.Clone(f.QString),
	}
	return c
}

// Key is key material that was parsed. It may be used by many at once, but not while Wipe runs or after it. No formatter prints it.
type Key struct {
	class  Class
	alg    Algorithm
	bits   int
	source Block // as it came, in memory of its own
	usable bool  // false: stored and given back, and nothing else

	// What goes with alg.
	secret    []byte // symmetric
	rsa       *rsa.PrivateKey
	rsaPublic *rsa.PublicKey
	ec        *point // with its scalar if the key is private
	ed        ed25519.PrivateKey
	edPublic  ed25519.PublicKey
}

// String, GoString, Format, LogValue and MarshalJSON show nothing.
func (*Key) String() string               { return "[redacted]" }
func (*Key) GoString() string             { return "[redacted]" }
func (*Key) Format(f fmt.State, _ rune)   { io.WriteString(f, "[redacted]") }
func (*Key) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (*Key) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Class is the kind of object that the key is.
func (k *Key) Class() Class { return k.class }

// Algorithm is what the block said or, if it said nothing, what the material says.
func (k *Key) Algorithm() Algorithm { return k.alg }

// Length is the Cryptographic Length in bits, 0 if nothing says it: an AES key's size, 112 or 168 for 3DES, the size of an RSA modulus or of a curve.
func (k *Key) Length() int { return k.bits }

// Curve is an elliptic curve key's, 0 of others.
func (k *Key) Curve() Curve {
	if k.ec == nil {
		return 0
	}
	return k.ec.curve.id
}

// Usable reports whether operations can use the key. Keys in the format Opaque and keys of algorithms that nothing is done with here are stored only.
func (k *Key) Usable() bool { return k.usable }

// Wipe zeroes what can be zeroed: the bytes, the numbers of RSA keys, the scalar. What crypto/rsa, crypto/ecdsa and math/big keep for themselves and the
// expanded keys of ciphers stay in memory until the collector has reused it.
func (k *Key) Wipe() {
	k.source.Wipe()
	clear(k.secret)
	clear(k.ed)
	if k.ec != nil {
		clear(k.ec.scalar)
	}
	if k.rsa != nil {
		wipeRSA(k.rsa)
	}
	k.usable = false
}

func wipeRSA(k *rsa.PrivateKey) {
	wipeInts(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
	wipeInts(k.Primes...)
}

// wipeInts zeroes the words of numbers that nobody uses again.
func wipeInts(ints ...*big.Int) {
	for _, i := range ints {
		if i != nil {
			words := i.Bits()
			clear(words[:cap(words)])
			i.SetInt64(0)
		}
	}
}

// use refuses a key that is not of the class and can do nothing.
func (k *Key) use(what string, classes ...Class) error {
	for _, c := range classes {
		if k.class == c && k.usable {
			return nil
		}
	}
	if !k.usable {
		return fault.New(fault.Invalid, "the key is stored only: nothing here can %s with a key of this algorithm or format", what)
	}
	return fault.New(fault.Invalid, "a key of this object type does not %s", what)
}

// cannot refuses an algorithm for a use.
func (k *Key) cannot(what string) error {
	return fault.New(fault.Invalid, "a key of type %s cannot %s", k.alg, what)
}
