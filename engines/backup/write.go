package backup

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
)

// Keys makes the key of a backup; *keyring.Keyring does.
type Keys interface {
	SealBackup(r fsm.Reader) (keyring.BackupKeys, *keyring.BackupKey, error)
}

// Backup is a view that is about to be written. It must be closed; the view stays the caller's.
type Backup struct {
	front front
	key   *keyring.BackupKey
	view  *fsm.View
}

// Prepare reads the whole view once for its digest and makes the header.
func Prepare(ctx context.Context, v *fsm.View, keys Keys, cluster fsm.UID, node string, taken fsm.Time) (*Backup, error) {
	digest, err := fsm.Digest(ctx, v)
	if err != nil {
		return nil, err
	}
	records, head := v.Head()
	h := Header{Cluster: cluster, Node: node, Version: v.Version(), Epoch: fsm.Epoch(v), Index: v.Index(), Term: v.Term(), At: v.Now(), Taken: taken,
		Records: records, Head: head, Digest: digest}
	b := &Backup{view: v}
	if h.Keys, b.key, err = keys.SealBackup(v); err != nil {
		return nil, err
	}
	if b.front, err = newFront(h, b.key); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Header returns what the file will say of itself.
func (b *Backup) Header() Header { return b.front.header }

// Close zeroes the key.
func (b *Backup) Close() { b.key.Close() }

// Write writes the file, once. What was written is a backup only when it returns nil.
func (b *Backup) Write(ctx context.Context, to io.Writer) error {
	aead, err := b.key.Stream()
	if err != nil {
		return err
	}
	w := &writer{to: to, sum: sha256.New(), ctx: ctx}
	if err := w.put(b.front.bytes()); err != nil {
		return err
	}
	s := &sealer{w: w, aead: aead, binding: b.front.binding(), plain: make([]byte, 0, chunkSize)}
	if err := b.view.Export(s); err != nil {
		return err
	}
	if err := s.chunk(true); err != nil {
		return err
	}
	return w.trailer()
}

// writer counts and sums what it passes on.
type writer struct {
	to  io.Writer
	sum hash.Hash
	n   uint64
	ctx context.Context
}

func (w *writer) put(b []byte) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	w.sum.Write(b)
	w.n += uint64(len(b))
	if _, err := w.to.Write(b); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

func (w *writer) trailer() error {
	b := binary.BigEndian.AppendUint64([]byte(endMagic), w.n)
	return w.put(w.sum.Sum(b))
}

// sealer cuts what is written to it into chunks. It holds a full one back until it knows whether that is the last.
type sealer struct {
	w       *writer
	aead    cipher.AEAD
	binding []byte
	number  uint64
	plain   []byte
	out     []byte
}

func (s *sealer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(s.plain) == chunkSize {
			if err := s.chunk(false); err != nil {
				return n, err
			}
		}
		take := min(len(b), chunkSize-len(s.plain))
		s.plain = append(s.plain, b[:take]...)
		b, n = b[take:], n+take
	}
	return n, nil
}

func (s *sealer) chunk(last bool) error {
	length := uint32(len(s.plain) + tagSize)
	if last {
		length |= finalBit
	}
	s.out = binary.BigEndian.AppendUint32(s.out[:0], length)
	s.out = s.aead.Seal(s.out, nonce(s.number, last), s.plain, s.binding)
	s.number++
	s.plain = s.plain[:0]
	return s.w.put(s.out)
}

// nonce is never used twice: the number grows, and its key is of this file alone.
func nonce(number uint64, last bool) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint64(b[3:], number)
	if last {
		b[11] = 1
	}
	return b
}
