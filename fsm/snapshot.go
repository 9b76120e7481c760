package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// A snapshot is magic, then frames, then a trailer frame. A frame is its length and CRC32C, 4 bytes each, and pairs of
// varint-prefixed key and value. The trailer is a frame of length 0 followed by the number of pairs and the SHA-256 over all
// frames' contents: a snapshot without it is not one.
const (
	snapshotMagic = "trstsnp1"
	frameTarget   = 256 << 10
	frameLimit    = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type snapshot struct {
	s *Store
	v *View
}

// Persist streams the pinned state and returns when the tables on disk cover it, so that Raft never truncates a log that a
// crash would still need.
func (p *snapshot) Persist(sink raft.SnapshotSink) error {
	chaos.Point(chaos.SnapshotTaken)
	err := p.v.export(sink, func(key []byte) bool { return !mutant.ReceiptsLostInSnapshots || key[0] != spaceReceipts })
	if err == nil {
		chaos.Point(chaos.SnapshotStreamed)
		err = p.s.flush()
	}
	if err != nil {
		return errors.Join(err, sink.Cancel())
	}
	chaos.Point(chaos.SnapshotFlushed)
	if err = sink.Close(); err == nil {
		chaos.Point(chaos.SnapshotRenamed)
	}
	return err
}

// Release unpins the state.
func (p *snapshot) Release() {
	if err := p.v.Close(); err != nil {
		p.s.log.Error("snapshot not released", "err", err)
	}
}

func (s *Store) flush() error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	return h.Flush()
}

// Sync makes everything that has been applied durable. After an error the store is good for nothing: Pebble cannot go on when it cannot write.
func (s *Store) Sync() (err error) {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return h.LogData(nil, pebble.Sync)
}

// Export writes the state at the view's index as a snapshot.
func (v *View) Export(w io.Writer) error {
	return v.export(w, func([]byte) bool { return true })
}

func (v *View) export(w io.Writer, counts func(key []byte) bool) error {
	out := snapshotWriter{w: bufio.NewWriterSize(w, frameTarget), sum: sha256.New()}
	if _, err := out.w.WriteString(snapshotMagic); err != nil {
		return err
	}
	err := scan(v, []byte{spaceFirst}, []byte{spaceEnd}, false, func(k, val []byte) (bool, error) {
		if !counts(k) {
			return true, nil
		}
		return true, out.pair(k, val)
	})
	if err != nil {
		return err
	}
	return out.close()
}

type snapshotWriter struct {
	w     *bufio.Writer
	frame []byte
	sum   hash.Hash
	pairs uint64
}

func (o *snapshotWriter) pair(k, v []byte) error {
	o.pairs++
	o.frame = append(binary.AppendUvarint(o.frame, uint64(len(k))), k...)
	o.frame = append(binary.AppendUvarint(o.frame, uint64(len(v))), v...)
	if len(o.frame) < frameTarget {
		return nil
	}
	return o.flush()
}

func (o *snapshotWriter) flush() error {
	if len(o.frame) == 0 {
		return nil
	}
	o.sum.Write(o.frame)
	head := binary.BigEndian.AppendUint32(nil, uint32(len(o.frame)))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(o.frame, castagnoli))
	_, err := o.w.Write(head)
	if err == nil {
		_, err = o.w.Write(o.frame)
	}
	chaos.Point(chaos.SnapshotFrame)
	o.frame = o.frame[:0]
	return err
}

func (o *snapshotWriter) close() error {
	if err := o.flush(); err != nil {
		return err
	}
	tail := binary.BigEndian.AppendUint64(make([]byte, 8), o.pairs)
	if _, err := o.w.Write(o.sum.Sum(tail)); err != nil {
		return err
	}
	return o.w.Flush()
}

// readSnapshot calls pair for each pair of a snapshot and fails unless the trailer confirms all of them.
func readSnapshot(r io.Reader, pair func(k, v []byte) error) error {
	in := bufio.NewReaderSize(r, frameTarget)
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return cutShort(err)
	}
	if string(magic) != snapshotMagic {
		return broken("it does not begin as one")
	}
	sum, pairs := sha256.New(), uint64(0)
	for {
		frame, last, err := readFrame(in)
		if err != nil {
			return err
		}
		if last {
			return checkTrailer(in, pairs, sum.Sum(nil))
		}
		sum.Write(frame)
		for len(frame) > 0 {
			var k, v []byte
			if k, frame, err = cutField(frame); err != nil {
				return err
			}
			if v, frame, err = cutField(frame); err != nil {
				return err
			}
			pairs++
			if err := pair(k, v); err != nil {
				return err
			}
		}
	}
}

func readFrame(in io.Reader) (frame []byte, last bool, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, false, cutShort(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 && head == [8]byte{} {
		return nil, true, nil
	}
	if n == 0 || n > frameLimit {
		return nil, false, broken("a frame's length is none")
	}
	frame = make([]byte, n)
	if _, err := io.ReadFull(in, frame); err != nil {
		return nil, false, cutShort(err)
	}
	if crc32.Checksum(frame, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, false, broken("a frame's checksum differs")
	}
	return frame, false, nil
}

func checkTrailer(in io.Reader, pairs uint64, sum []byte) error {
	var tail [40]byte
	if _, err := io.ReadFull(in, tail[:]); err != nil {
		return cutShort(err)
	}
	if binary.BigEndian.Uint64(tail[:]) != pairs || string(tail[8:]) != string(sum) {
		return broken("its trailer differs from its content")
	}
	switch _, err := io.ReadFull(in, tail[:1]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return cutShort(err)
	}
	return broken("something follows its trailer")
}

func cutField(b []byte) (field, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, broken("a pair is cut short")
	}
	return b[w : w+int(n)], b[w+int(n):], nil
}

// cutShort names a snapshot that ends too early. Any other error is what it was read from: a disk, or a backup that knows better what is wrong.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return broken("it is cut short")
	}
	return fmt.Errorf("read the snapshot: %w", err)
}

func broken(why string) error { return fault.New(fault.Corrupt, "the snapshot is damaged: %s", why) }

// Restore reads a snapshot into a new generation of tables, verifies it to the end, then makes it the current one. The old
// tables stay in place when anything fails.
func (s *Store) Restore(r io.Reader) error { return s.restore(r, 0) }

// restore refuses what stands before least.
func (s *Store) restore(r io.Reader, least uint64) error {
	s.mu.Lock()
	old := s.db
	s.mu.Unlock()
	if old == nil {
		return fault.New(fault.NotDone, "the node is stopping")
	}
	n, err := strconv.Atoi(filepath.Base(old.dir))
	if err != nil {
		return fmt.Errorf("number of the current tables: %w", err)
	}
	h, err := s.fill(n+1, r, least)
	if err != nil {
		return errors.Join(err, s.opt.FS.RemoveAll(filepath.Join(s.dir, strconv.Itoa(n+1))))
	}
	chaos.Point(chaos.InstallFilled)
	if err := writeGeneration(s.opt.FS, s.dir, n+1); err != nil {
		return errors.Join(err, h.Close())
	}
	chaos.Point(chaos.InstallPointed)
	return s.swap(old, h)
}

func (s *Store) fill(n int, r io.Reader, least uint64) (*handle, error) {
	if err := s.opt.FS.RemoveAll(filepath.Join(s.dir, strconv.Itoa(n))); err != nil {
		return nil, err
	}
	h, err := s.openGeneration(n)
	if err != nil {
		return nil, err
	}
	b := h.NewBatch()
	err = readSnapshot(r, func(k, v []byte) error {
		if len(k) == 0 || k[0] < spaceFirst || k[0] >= spaceEnd {
			return broken("it holds a key that is not replicated")
		}
		if err := b.Set(k, v, nil); err != nil || b.Len() < 4<<20 {
			return err
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			return err
		}
		b.Reset()
		return nil
	})
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	chaos.Point(chaos.InstallFilling)
	if err = errors.Join(err, b.Close()); err == nil {
		err = errors.Join(h.reaches(least), h.Flush())
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// reaches refuses tables that stand before an index.
func (h *handle) reaches(least uint64) error {
	var m meta
	b, found, err := fetch(h.DB, metaKey)
	if err == nil && found {
		err = Decode(b, &m)
	}
	if err == nil && m.Index < least {
		err = fmt.Errorf("the snapshot stands at index %d, the tables at %d", m.Index, least)
	}
	return err
}

func (s *Store) swap(old, h *handle) error {
	s.mu.Lock()
	s.db = h
	s.mu.Unlock()
	s.fresh = true
	if err := s.loadMeta(); err != nil {
		return err
	}
	chaos.Point(chaos.InstallSwapped)
	s.wake()
	go func() { // views of the old tables may live on for a moment; a start removes what this leaves behind
		old.refs.Wait()
		if err := errors.Join(old.Close(), s.opt.FS.RemoveAll(old.dir)); err != nil {
			s.log.Warn("old tables not removed", "err", err)
		}
	}()
	return nil
}

// SnapshotIndex returns the index inside a snapshot's content.
func SnapshotIndex(r io.Reader) (uint64, error) {
	var m meta
	found := false
	err := readSnapshot(r, func(k, v []byte) error {
		if string(k) != string(metaKey) {
			return nil
		}
		found = true
		return Decode(v, &m)
	})
	if err == nil && !found {
		err = broken("it does not say its index")
	}
	return m.Index, err
}
