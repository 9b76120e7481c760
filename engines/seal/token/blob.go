package token

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// errWrongKey says that a blob was not made by this key, or was changed.
var errWrongKey = errors.New("the blob was not made by this key, or was changed")

// A blob is its version, its mechanism, and then, by mechanism:
//
//	AES_GCM           nonce (12), ciphertext, tag (16); associated data: head, aad
//	AES_KEY_WRAP_PAD  RFC 5649 (or the module's own format) over bound(plaintext)
//	AES_CBC_PAD       IV (16), ciphertext, HMAC-SHA-256 (32) over head, length of aad (8), aad, IV, ciphertext
//	RSA_OAEP          ciphertext of bound(plaintext)
//
// The lengths that a ciphertext may have follow from these: whatever follows the last part would be a part of it.
const (
	blobVersion = 1
	headSize    = 2
	nonceSize   = 12
	tagSize     = 16
	blockSize   = 16
	macSize     = sha256.Size
	maxBlob     = 16 << 10
)

func head(m Mechanism) []byte { return []byte{blobVersion, byte(m)} }

// body returns what follows the head of a blob that m made.
func body(blob []byte, m Mechanism) ([]byte, error) {
	switch {
	case len(blob) < headSize || len(blob) > maxBlob || blob[0] != blobVersion:
		return nil, fmt.Errorf("%d bytes that are no blob of version %d: %w", len(blob), blobVersion, errWrongKey)
	case blob[1] != byte(m):
		return nil, fmt.Errorf("it was wrapped by %s, configured is %s: %w", Mechanism(blob[1]), m, errWrongKey)
	}
	return blob[headSize:], nil
}

// split cuts fixed sizes off the front and the end of b; what is between has at least one byte.
func split(b []byte, front, end int) (first, middle, last []byte, err error) {
	if len(b) <= front+end {
		return nil, nil, nil, fmt.Errorf("a blob of %d bytes is too short: %w", len(b)+headSize, errWrongKey)
	}
	return b[:front], b[front : len(b)-end], b[len(b)-end:], nil
}

// bound is what mechanisms without associated data encrypt: a digest of head, associated data and plaintext, the plaintext's length (4), the
// plaintext.
func bound(m Mechanism, plaintext, aad []byte) []byte {
	sum := digest(m, plaintext, aad)
	b := make([]byte, 0, len(sum)+4+len(plaintext))
	return append(binary.BigEndian.AppendUint32(append(b, sum[:]...), uint32(len(plaintext))), plaintext...)
}

// unbound gives the plaintext back if the digest fits. It zeroes what it was given. Up to seven zero bytes may follow: SoftHSM 2.6 leaves the
// padding of AES_KEY_WRAP_PAD where it is.
func unbound(m Mechanism, b, aad []byte) ([]byte, error) {
	defer clear(b)
	const front = sha256.Size + 4
	if len(b) < front {
		return nil, fmt.Errorf("it holds %d bytes: %w", len(b), errWrongKey)
	}
	n := uint64(binary.BigEndian.Uint32(b[sha256.Size:]))
	rest := uint64(len(b) - front)
	if n > rest || rest-n > 7 || len(bytes.Trim(b[front+n:], "\x00")) > 0 {
		return nil, fmt.Errorf("it says that it holds %d bytes of %d: %w", n, rest, errWrongKey)
	}
	plaintext := b[front : front+n]
	sum := digest(m, plaintext, aad)
	if subtle.ConstantTimeCompare(b[:sha256.Size], sum[:]) != 1 {
		return nil, fmt.Errorf("its digest differs: %w", errWrongKey)
	}
	return bytes.Clone(plaintext), nil
}

func digest(m Mechanism, plaintext, aad []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(head(m), uint64(len(aad))))
	h.Write(aad)
	h.Write(plaintext)
	h.Sum(sum[:0])
	return sum
}

// authenticated is what the MAC of AES_CBC_PAD covers.
func authenticated(aad, iv, ciphertext []byte) []byte {
	b := binary.BigEndian.AppendUint64(head(CBC), uint64(len(aad)))
	return append(append(append(b, aad...), iv...), ciphertext...)
}
