package primitive

import (
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync"

	"github.com/trstctl/trstctl/engines/keyring/locked"
	"github.com/trstctl/trstctl/fsm/fault"
)

// ErrWiped says that a key was wiped before it could be used: whoever has its sealed form may load it and try again.
var ErrWiped error = fault.New(fault.NotDone, "the key was dropped from memory; try again")

// Key is one version of a key, ready for use. It is safe for concurrent use, and no formatter prints it.
type Key struct {
	alg Algorithm // never changes

	mu     sync.RWMutex // guards the rest, which nothing changes but Wipe; held for reading while a key is in use
	secret []byte       // the body of the form at rest, in locked memory; nil once wiped

	// One of them, as the family of alg says.
	aead cipher.AEAD
	macs *sync.Pool // of hash.Hash, keyed and reset
	ed   ed25519.PrivateKey
	ec   *ecdsa.PrivateKey
	rsa  *rsa.PrivateKey
	kem  *mlkem.DecapsulationKey768
}

// String, GoString, Format, LogValue and MarshalJSON show nothing.
func (*Key) String() string               { return "[redacted]" }
func (*Key) GoString() string             { return "[redacted]" }
func (*Key) Format(f fmt.State, _ rune)   { io.WriteString(f, "[redacted]") }
func (*Key) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (*Key) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Generate makes a new key. RSA takes from a tenth of a second (2048) to several seconds (4096).
func Generate(a Algorithm) (*Key, error) {
	if !a.known() {
		return nil, fault.Bad("algorithm", "no such algorithm")
	}
	secret, err := fresh(a)
	if err != nil {
		return nil, fmt.Errorf("generate a key of type %s: %w", a, err)
	}
	return newKey(a, secret)
}

// fresh makes the body of a new key. A seed is as good as a key: what is uniform is read from the generator.
func fresh(a Algorithm) ([]byte, error) {
	switch traits[a].family {
	case ecdsaKey:
		k, err := ecdsa.GenerateKey(a.curve(), rand.Reader)
		if err != nil {
			return nil, err
		}
		defer wipeInts(k.D)
		return k.Bytes()
	case rsaKey:
		k, err := rsa.GenerateKey(rand.Reader, traits[a].size)
		if err != nil {
			return nil, err
		}
		defer wipeRSA(k)
		return x509.MarshalPKCS1PrivateKey(k), nil
	}
	b := make([]byte, traits[a].size)
	rand.Read(b)
	return b, nil
}

// newKey takes ownership of secret, a body as Marshal writes it, of which it keeps a copy in locked memory, and prepares its use.
func newKey(a Algorithm, secret []byte) (*Key, error) {
	defer clear(secret)
	held, err := locked.Copy(secret)
	if err != nil {
		return nil, err
	}
	k := &Key{alg: a, secret: held}
	if err := k.prepare(); err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

func (k *Key) prepare() (err error) {
	switch traits[k.alg].family {
	case aeadKey:
		k.aead, err = newAEAD(k.alg, k.secret)
	case hmacKey:
		k.macs = newMACs(traits[k.alg].hash, k.secret)
	case edKey:
		k.ed = ed25519.NewKeyFromSeed(k.secret)
	case ecdsaKey:
		k.ec, err = ecdsa.ParseRawPrivateKey(k.alg.curve(), k.secret)
	case rsaKey:
		k.rsa, err = x509.ParsePKCS1PrivateKey(k.secret)
	case kemKey:
		k.kem, err = mlkem.NewDecapsulationKey768(k.secret)
	}
	return err
}

// Algorithm is the key's, also when it was wiped.
func (k *Key) Algorithm() Algorithm { return k.alg }

// Wipe waits for the calls that use the key, then zeroes what can be zeroed: the secret bytes, the Ed25519 key, the numbers of RSA and ECDSA keys.
// It drops what Go gives no way to zero, or to lock, which stays in memory until the collector has reused it: expanded AES and ChaCha20 keys, the inner and
// outer HMAC states, the forms that crypto/rsa, crypto/ecdsa and crypto/mlkem keep for themselves, copies that math/big and the
// runtime made. Every later use fails with ErrWiped.
func (k *Key) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	locked.Free(k.secret)
	clear(k.ed)
	if k.ec != nil {
		wipeInts(k.ec.D)
	}
	if k.rsa != nil {
		wipeRSA(k.rsa)
	}
	k.secret, k.aead, k.macs, k.ed, k.ec, k.rsa, k.kem = nil, nil, nil, nil, nil, nil, nil
}

// hold keeps the key from being wiped until release.
func (k *Key) hold() error {
	k.mu.RLock()
	if k.secret == nil {
		k.mu.RUnlock()
		return ErrWiped
	}
	return nil
}

func (k *Key) release() { k.mu.RUnlock() }

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
