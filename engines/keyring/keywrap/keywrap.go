// Package keywrap wraps keys under AES keys: AES-KW (RFC 3394, KW of NIST SP 800-38F) and AES-KWP (RFC 5649, KWP there).
//
// It promises:
//   - Nothing is returned of what did not pass the integrity check, and how long that check takes does not say what failed.
//   - No input makes it panic or use more than a few times its own size.
//
// Both are deterministic and take no associated data: who needs a wrap bound to a place puts that into what is wrapped.
package keywrap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm/fault"
)

// MaxSize is the most that is wrapped, in bytes.
const MaxSize = 1 << 20

const half = 8 // bytes of a semiblock

// ErrUnwrap says that a blob did not unwrap: another key, a changed blob, or the other of the two algorithms.
var ErrUnwrap error = fault.New(fault.Invalid, "the wrapped key does not unwrap")

var (
	initial     = [half]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6} // RFC 3394, section 2.2.3.1
	alternative = [half / 2]byte{0xa6, 0x59, 0x59, 0xa6}                     // RFC 5649, section 3; the size in bytes follows
)

// Wrap is AES-KW of 16 bytes to MaxSize, in multiples of 8, under a KEK of 16, 24 or 32. The result has 8 bytes more. It wipes nothing of the
// caller's.
func Wrap(kek, key []byte) ([]byte, error) {
	if len(key) < 2*half || len(key)%half != 0 || len(key) > MaxSize {
		return nil, fault.New(fault.Invalid, "AES-KW wraps 16 to %d bytes in multiples of 8, not %d: use AES-KWP", MaxSize, len(key))
	}
	block, err := cipherOf(kek)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, half+len(key)), initial[:]...)
	out = append(out, key...)
	forward(block, out)
	return out, nil
}

// Unwrap returns what Wrap wrapped, ErrUnwrap if that cannot be. The result is the caller's to wipe.
func Unwrap(kek, wrapped []byte) ([]byte, error) {
	block, err := cipherOf(kek)
	if err != nil {
		return nil, err
	}
	if len(wrapped) < 3*half || len(wrapped)%half != 0 || len(wrapped) > half+MaxSize {
		return nil, ErrUnwrap
	}
	b := append([]byte(nil), wrapped...)
	backward(block, b)
	if subtle.ConstantTimeCompare(b[:half], initial[:]) != 1 {
		clear(b)
		return nil, ErrUnwrap
	}
	return b[half:], nil
}

// WrapPadded is AES-KWP of 1 byte to MaxSize under a KEK of 16, 24 or 32. The result is padded to a multiple of 8 and has 8 bytes more. It wipes
// nothing of the caller's.
func WrapPadded(kek, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > MaxSize {
		return nil, fault.New(fault.Invalid, "AES-KWP wraps 1 to %d bytes, not %d", MaxSize, len(key))
	}
	block, err := cipherOf(kek)
	if err != nil {
		return nil, err
	}
	out := make([]byte, half+(len(key)+half-1)/half*half)
	copy(out, alternative[:])
	binary.BigEndian.PutUint32(out[4:], uint32(len(key)))
	copy(out[half:], key)
	if len(out) == aes.BlockSize {
		block.Encrypt(out, out)
	} else {
		forward(block, out)
	}
	return out, nil
}

// UnwrapPadded returns what WrapPadded wrapped, ErrUnwrap if that cannot be. The result is the caller's to wipe.
func UnwrapPadded(kek, wrapped []byte) ([]byte, error) {
	block, err := cipherOf(kek)
	if err != nil {
		return nil, err
	}
	if len(wrapped) < 2*half || len(wrapped)%half != 0 || len(wrapped) > half+MaxSize {
		return nil, ErrUnwrap
	}
	b := append([]byte(nil), wrapped...)
	if len(b) == aes.BlockSize {
		block.Decrypt(b, b)
	} else {
		backward(block, b)
	}
	size, good := padded(b)
	if !good {
		clear(b)
		return nil, ErrUnwrap
	}
	return b[half : half+size], nil
}

// padded checks what RFC 5649, section 3, says of b: the constant, a size that ends in the last semiblock, zeros behind it. It goes through all of
// them whatever it finds.
func padded(b []byte) (size int, good bool) {
	declared := uint64(binary.BigEndian.Uint32(b[4:]))
	pad := uint64(len(b)-half) - declared // 0 to 7
	bad := pad &^ 7
	for i, c := range alternative {
		bad |= uint64(b[i] ^ c)
	}
	for i, c := range b[len(b)-half:] {
		beyond := subtle.ConstantTimeLessOrEq(half-int(pad&7), i)
		bad |= uint64(c & -byte(beyond))
	}
	return int(declared), bad == 0
}

func cipherOf(kek []byte) (cipher.Block, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fault.New(fault.Invalid, "a key that wraps has 16, 24 or 32 bytes, not %d", len(kek))
	}
	return block, nil
}

// forward is the wrapping function W of SP 800-38F, section 6.1, in place: b is the check value and n >= 2 semiblocks.
func forward(block cipher.Block, b []byte) {
	n := uint64(len(b)/half - 1)
	x := make([]byte, aes.BlockSize)
	defer clear(x)
	copy(x, b[:half])
	for t := range 6 * n {
		r := b[half+half*(t%n):][:half]
		copy(x[half:], r)
		block.Encrypt(x, x)
		copy(r, x[half:])
		count(x, t+1)
	}
	copy(b, x[:half])
}

// backward undoes forward.
func backward(block cipher.Block, b []byte) {
	n := uint64(len(b)/half - 1)
	x := make([]byte, aes.BlockSize)
	defer clear(x)
	copy(x, b[:half])
	for t := 6 * n; t > 0; t-- {
		r := b[half+half*((t-1)%n):][:half]
		copy(x[half:], r)
		count(x, t)
		block.Decrypt(x, x)
		copy(r, x[half:])
	}
	copy(b, x[:half])
}

// count adds the step's number to the check value.
func count(x []byte, t uint64) {
	binary.BigEndian.PutUint64(x, binary.BigEndian.Uint64(x)^t)
}
