package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
)

// File is a backup that is being read, from its beginning to its end, once.
type File struct {
	front front
	chunk chunks
}

// Read reads the header.
func Read(r io.Reader) (*File, error) {
	f := &File{chunk: chunks{in: bufio.NewReaderSize(r, chunkSize), sum: sha256.New()}}
	var err error
	if f.front, err = readFront(f.chunk.in); err != nil {
		return nil, err
	}
	f.chunk.count(f.front.bytes())
	return f, nil
}

// Header returns what the file says of itself. Before Content has been opened nobody knows whether that is true.
func (f *File) Header() Header { return f.front.header }

// Check reads the rest without a key and fails unless the file is complete and as it was written, as far as a checksum can tell.
func (f *File) Check() error {
	for {
		_, last, err := f.chunk.next()
		if err != nil {
			return err
		}
		if last {
			return f.chunk.trailer()
		}
	}
}

// Unlock checks the header with the file's key and returns the content, which is verified as it is read: only the io.EOF at its end says that
// it is all of it and true.
func (f *File) Unlock(key *keyring.BackupKey) (io.Reader, error) {
	want, err := key.MAC(f.front.signed)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(want[:], f.front.mac[:]) {
		return nil, damaged("its header was changed after it was written")
	}
	aead, err := key.Stream()
	if err != nil {
		return nil, err
	}
	return &opener{chunk: &f.chunk, aead: aead, binding: f.front.binding()}, nil
}

// Open is Unlock with the key that seals give.
func (f *File) Open(ctx context.Context, seals ...seal.Seal) (io.Reader, error) {
	key, err := keyring.OpenBackup(ctx, f.front.header.Cluster, f.front.header.Keys, seals...)
	if err != nil {
		return nil, err
	}
	defer key.Close()
	return f.Unlock(key)
}

// chunks takes the file apart behind the header.
type chunks struct {
	in  *bufio.Reader
	sum hash.Hash
	n   uint64
	buf []byte
}

func (c *chunks) count(b []byte) {
	c.sum.Write(b)
	c.n += uint64(len(b))
}

// next returns the next chunk, sealed; it is valid until the next call.
func (c *chunks) next() (sealed []byte, last bool, err error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, false, cut(err, "before its last chunk")
	}
	n := binary.BigEndian.Uint32(head[:])
	last = n&finalBit != 0
	n &^= finalBit
	if n <= tagSize || n > chunkSize+tagSize || !last && n != chunkSize+tagSize {
		return nil, false, damaged("a chunk has an impossible length")
	}
	if c.buf == nil {
		c.buf = make([]byte, chunkSize+tagSize)
	}
	if _, err := io.ReadFull(c.in, c.buf[:n]); err != nil {
		return nil, false, cut(err, "inside a chunk")
	}
	c.count(head[:])
	c.count(c.buf[:n])
	return c.buf[:n], last, nil
}

// trailer checks what stands behind the last chunk.
func (c *chunks) trailer() error {
	want := binary.BigEndian.AppendUint64([]byte(endMagic), c.n)
	want = c.sum.Sum(want)
	got := make([]byte, trailerSize)
	if _, err := io.ReadFull(c.in, got); err != nil {
		return cut(err, "before its end marker")
	}
	if !bytes.Equal(got, want) {
		return damaged("its checksum differs")
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return cut(err, "")
		}
		return damaged("something follows its end")
	}
	return nil
}

// opener opens chunk after chunk.
type opener struct {
	chunk   *chunks
	aead    cipher.AEAD
	binding []byte
	number  uint64
	plain   []byte
	last    bool
	err     error // of a read before: there is no going on
}

func (o *opener) Read(b []byte) (int, error) {
	for len(o.plain) == 0 && o.err == nil {
		o.plain, o.err = o.open()
	}
	if len(o.plain) == 0 {
		return 0, o.err
	}
	n := copy(b, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

// open returns the next chunk's content; io.EOF once the whole file has been found in order.
func (o *opener) open() ([]byte, error) {
	if o.last {
		if err := o.chunk.trailer(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	sealed, last, err := o.chunk.next()
	if err != nil {
		return nil, err
	}
	plain, err := o.aead.Open(sealed[:0], nonce(o.number, last), sealed, o.binding)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the backup is damaged: chunk %d does not open, it was changed, moved or is of another file", o.number)
	}
	o.number++
	o.last = last
	return plain, nil
}
