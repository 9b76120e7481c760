// Package backup keeps the whole state of a cluster in one file, encrypted and authenticated, that needs nothing but a seal to be opened.
//
// A file, format 1, numbers in big endian:
//
//	8   magic, "trstbak1"
//	4   length of the header, at most 4 MiB
//	    header: Header as deterministic CBOR, in clear
//	32  HMAC-SHA-256 over all of the above, under a key derived from the file's own
//	    chunks: 4 bytes length, whose highest bit marks the last one, then AES-256-GCM of 64 KiB of content, the last of 1 byte to 64 KiB
//	8   "trstend1"
//	8   number of bytes before this trailer
//	32  SHA-256 of them
//
// The content is a snapshot of fsm, with a checksum and a trailer of its own. The key is random and of this file alone; it stands in the header,
// wrapped under the newest root KEK (keyring.BackupKeys), beside the root KEKs as every seal has wrapped them. A chunk's nonce is its number,
// 11 bytes, and a byte that is 1 for the last (the STREAM construction), and its associated data is the SHA-256 of everything before the chunks: chunks
// cannot be reordered, left out, cut off or taken from another file. The trailer has no key: it shows to whoever carries the file, and
// cannot open it, that it arrived as a whole; it proves nothing.
//
// It promises:
//   - What reads without an error is, byte for byte, the state of which Header.Digest is the digest.
//   - Whoever has no seal of the cluster learns of a backup what the header says, and how long it is.
//   - A reader uses memory that does not depend on what the file says.
package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	magic       = "trstbak1"
	endMagic    = "trstend1"
	headerLimit = 4 << 20
	macSize     = sha256.Size
	chunkSize   = 64 << 10
	tagSize     = 16
	finalBit    = 1 << 31
	trailerSize = len(endMagic) + 8 + sha256.Size
)

// Header is what a backup says of itself. Everybody can read it; that it is true is known once the file has been opened.
type Header struct {
	Cluster fsm.UID            `cbor:"1,keyasint"`
	Node    string             `cbor:"2,keyasint"`  // that wrote it
	Version uint32             `cbor:"3,keyasint"`  // of the cluster: a binary that does not read it must not restore it
	Epoch   uint32             `cbor:"4,keyasint"`  // of the cluster's history
	Index   uint64             `cbor:"5,keyasint"`  // up to which it holds everything
	Term    uint64             `cbor:"6,keyasint"`  // of the entry at that index
	At      fsm.Time           `cbor:"7,keyasint"`  // of the last record
	Taken   fsm.Time           `cbor:"8,keyasint"`  // by the clock of that node
	Records uint64             `cbor:"9,keyasint"`  // in the event log
	Head    [32]byte           `cbor:"10,keyasint"` // hash of the last one
	Digest  [32]byte           `cbor:"11,keyasint"` // fsm.Digest of the content
	Keys    keyring.BackupKeys `cbor:"12,keyasint"`
}

// front is everything before the chunks.
type front struct {
	header Header
	signed []byte // magic, length and header
	mac    [macSize]byte
}

func (f front) bytes() []byte { return append(f.signed[:len(f.signed):len(f.signed)], f.mac[:]...) }

// binding is the associated data of every chunk.
func (f front) binding() []byte {
	sum := sha256.Sum256(f.bytes())
	return sum[:]
}

func newFront(h Header, key *keyring.BackupKey) (f front, err error) {
	b, err := fsm.Encode(h)
	if err != nil {
		return f, err
	}
	if len(b) > headerLimit {
		return f, fault.New(fault.TooLarge, "the header of the backup would have %d bytes, at most %d are read", len(b), headerLimit)
	}
	f.header = h
	f.signed = append(binary.BigEndian.AppendUint32([]byte(magic), uint32(len(b))), b...)
	f.mac, err = key.MAC(f.signed)
	return f, err
}

func readFront(r io.Reader) (f front, err error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return f, cut(err, "before its header")
	}
	switch last := len(magic) - 1; {
	case string(head[:last]) != magic[:last]:
		return f, fault.New(fault.Corrupt, "that is not a backup of trstctl: it does not begin as one")
	case head[last] != magic[last]:
		return f, fault.New(fault.Invalid, "the backup has format %q, this binary reads %q: use a newer one", head[last], magic[last])
	}
	n := binary.BigEndian.Uint32(head[len(magic):])
	if n == 0 || n > headerLimit {
		return f, damaged("its header has an impossible length")
	}
	f.signed = head
	if f.signed, err = appendFrom(f.signed, r, int(n)); err != nil {
		return f, cut(err, "in its header")
	}
	if _, err := io.ReadFull(r, f.mac[:]); err != nil {
		return f, cut(err, "in its header")
	}
	if err := fsm.Decode(f.signed[len(head):], &f.header); err != nil {
		return f, fault.New(fault.Corrupt, "the backup is damaged: its header cannot be read").Because(err)
	}
	return f, nil
}

// appendFrom reads n bytes in steps, so that memory follows what is there and not what a length claims.
func appendFrom(b []byte, r io.Reader, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, chunkSize)
		at := len(b)
		b = append(b, make([]byte, step)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return b, err
		}
		n -= step
	}
	return b, nil
}

func damaged(format string, args ...any) error {
	return fault.New(fault.Corrupt, "the backup is damaged: %s", fmt.Sprintf(format, args...))
}

// cut names a file that ends too early; any other error is the disk's or the network's.
func cut(err error, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Corrupt, "the backup is not complete: it ends %s", where)
	}
	return fmt.Errorf("read the backup: %w", err)
}
