package seal

import (
	"bytes"
	"context"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Shamir is a Seal that people hold: its key pair is of HPKE (RFC 9180; KEM X-Wing, that is ML-KEM-768 with X25519; HKDF-SHA-256,
// AES-256-GCM). The public half is known to every node, so that a new root key is wrapped without anyone; the 32-byte seed of the private half is
// split into shares and kept nowhere.
type Shamir struct {
	name    string
	public  hpke.PublicKey
	private hpke.PrivateKey // nil until enough shares have come
}

const (
	seedSize   = 32
	shamirInfo = "trstctl seal shamir v1"

	// MaxShares is how many shares a key may be split into.
	MaxShares = 32
)

func shamirKEM() hpke.KEM { return hpke.MLKEM768X25519() }

// NewShares makes a key pair and splits it: any threshold of the shares open it. The caller zeroes the shares.
func NewShares(name string, count, threshold int) (s *Shamir, shares []Share, err error) {
	switch {
	case count < 1 || count > MaxShares:
		return nil, nil, fault.New(fault.Invalid, "shares: 1 to %d, not %d", MaxShares, count)
	case threshold < 1 || threshold > count:
		return nil, nil, fault.New(fault.Invalid, "threshold: 1 to the number of shares (%d), not %d", count, threshold)
	case threshold == 1 && count > 1:
		return nil, nil, fault.New(fault.Invalid, "threshold: with 1 each of the %d shares would be the whole key: give 2 at least, or one share", count)
	}
	seed := make([]byte, seedSize)
	defer clear(seed)
	rand.Read(seed)
	private, err := shamirKEM().NewPrivateKey(seed)
	if err != nil {
		return nil, nil, fmt.Errorf("make the shares' key: %w", err)
	}
	s = &Shamir{name: name, public: private.PublicKey()}
	points, err := split(seed, count, threshold)
	if err != nil {
		return nil, nil, err
	}
	for i, y := range points {
		shares = append(shares, Share{Set: s.set(), X: byte(i + 1), Count: byte(count), Threshold: byte(threshold), y: [seedSize]byte(y)})
		clear(y)
	}
	return s, shares, nil
}

// ForShares is the seal of a public key. It wraps, and unwraps nothing.
func ForShares(name string, public []byte) (*Shamir, error) {
	p, err := shamirKEM().NewPublicKey(public)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the public key of seal %q cannot be read", name).Because(err)
	}
	return &Shamir{name: name, public: p}, nil
}

// errShares says as little as is true: which of the shares is wrong cannot be known.
func errShares() error {
	return fault.New(fault.Denied, "these shares do not open the seal: begin again with other ones")
}

// WithShares is the seal with its private half, put together from exactly as many shares as it takes. fault.Denied says that one of
// them or more is wrong.
func (s *Shamir) WithShares(shares []Share) (*Shamir, error) {
	xs, ys, set := []byte{}, [][]byte{}, s.set()
	for i := range shares { // in place: a copy would not be zeroed
		p := &shares[i]
		if p.X == 0 || p.Set != set || bytes.IndexByte(xs, p.X) >= 0 {
			return nil, errShares()
		}
		xs, ys = append(xs, p.X), append(ys, p.y[:])
	}
	if len(xs) == 0 || len(xs) != int(shares[0].Threshold) {
		return nil, errShares()
	}
	seed := combine(xs, ys)
	defer clear(seed)
	private, err := shamirKEM().NewPrivateKey(seed)
	if err != nil || !bytes.Equal(private.PublicKey().Bytes(), s.public.Bytes()) {
		return nil, errShares()
	}
	return &Shamir{s.name, s.public, private}, nil
}

// set tells the shares of one splitting from others: it is the beginning of the hash of the public key.
func (s *Shamir) set() [setSize]byte {
	h := sha256.Sum256(append([]byte("trstctl set of shares v1"), s.public.Bytes()...))
	return [setSize]byte(h[:])
}

// Fits reports whether a share is of the set that opens this seal.
func (s *Shamir) Fits(p Share) bool { return p.Set == s.set() }

// Public returns the public key.
func (s *Shamir) Public() []byte { return s.public.Bytes() }

// Name and Kind implement Seal.
func (s *Shamir) Name() string { return s.name }
func (s *Shamir) Kind() string { return KindShamir }

// Wrap implements Seal: encapsulated key, ciphertext and tag.
func (s *Shamir) Wrap(_ context.Context, plaintext, aad []byte) ([]byte, error) {
	key, sender, err := hpke.NewSender(s.public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(shamirInfo))
	if err != nil {
		return nil, fmt.Errorf("wrap for the holders of shares: %w", err)
	}
	sealed, err := sender.Seal(aad, plaintext)
	if err != nil {
		return nil, fmt.Errorf("wrap for the holders of shares: %w", err)
	}
	return append(key, sealed...), nil
}

// Unwrap implements Seal.
func (s *Shamir) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	if s.private == nil {
		return nil, fault.New(fault.Sealed, "seal %q waits for its shares: give them with `trstctl operator unseal`", s.name)
	}
	if len(wrapped) < encapsulated {
		return nil, fmt.Errorf("a wrapped key of %d bytes: %w", len(wrapped), ErrWrongKey)
	}
	r, err := hpke.NewRecipient(wrapped[:encapsulated], s.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(shamirInfo))
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", s.name, ErrWrongKey)
	}
	out, err := r.Open(aad, wrapped[encapsulated:])
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", s.name, ErrWrongKey)
	}
	return out, nil
}

const encapsulated = 1120 // bytes of an X-Wing encapsulated key

// Close forgets the private half; the library gives no way to overwrite it.
func (s *Shamir) Close() { s.private = nil }

// Format keeps the private half out of every formatter.
func (s *Shamir) Format(f fmt.State, _ rune) { io.WriteString(f, "seal shamir "+s.name) }
