package logstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Store implements raft.LogStore, raft.StableStore and raft.MonotonicLogStore.
type Store struct {
	dir    string
	kind   string
	opt    Options
	in     inner
	recent cache
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumSize = 4

// sum covers everything that Raft reads of an entry but AppendedAt, which is for metrics.
func sum(l *raft.Log, data []byte) uint32 {
	var h [17]byte
	binary.BigEndian.PutUint64(h[:], l.Index)
	binary.BigEndian.PutUint64(h[8:], l.Term)
	h[16] = byte(l.Type)
	c := crc32.Update(0, castagnoli, h[:])
	c = crc32.Update(c, castagnoli, l.Extensions)
	return crc32.Update(c, castagnoli, data)
}

// sealed returns l with its checksum behind the data.
func sealed(l *raft.Log) *raft.Log {
	out := *l
	out.Data = binary.BigEndian.AppendUint32(append(make([]byte, 0, len(l.Data)+sumSize), l.Data...), sum(l, l.Data))
	return &out
}

// opened takes the checksum off l, in place.
func opened(index uint64, l *raft.Log) error {
	n := len(l.Data) - sumSize
	if n < 0 {
		return errors.New("the entry is shorter than its checksum")
	}
	if l.Index != index {
		return fmt.Errorf("the entry says that it is %d", l.Index)
	}
	if binary.BigEndian.Uint32(l.Data[n:]) != sum(l, l.Data[:n]) {
		return errors.New("the entry does not have its checksum")
	}
	if l.Data = l.Data[:n:n]; n == 0 {
		l.Data = nil
	}
	return nil
}

// FirstIndex and LastIndex implement raft.LogStore.
func (s *Store) FirstIndex() (n uint64, err error) {
	err = s.guard(0, func() (err error) { n, err = s.in.FirstIndex(); return err })
	return n, err
}

// LastIndex returns the last index written, 0 for none.
func (s *Store) LastIndex() (n uint64, err error) {
	err = s.guard(0, func() (err error) { n, err = s.in.LastIndex(); return err })
	return n, err
}

// GetLog implements raft.LogStore.
func (s *Store) GetLog(index uint64, l *raft.Log) error {
	if s.recent.get(index, l) {
		return nil
	}
	return s.read(index, l)
}

func (s *Store) read(index uint64, l *raft.Log) error {
	*l = raft.Log{}
	if first, err := s.FirstIndex(); err != nil || index < first { // raft-wal still reads what it has dropped from a segment's head
		return cmp.Or(err, raft.ErrLogNotFound)
	}
	if err := s.guard(index, func() error { return s.in.GetLog(index, l) }); err != nil {
		if errors.Is(err, raft.ErrLogNotFound) || fault.Is(err, fault.Corrupt) {
			return err
		}
		return fmt.Errorf("read entry %d of the Raft log in %s: %w", index, s.dir, err)
	}
	if err := opened(index, l); err != nil {
		return s.corrupt(index, err)
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (s *Store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: it returns when the entries are on the disk.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	out := make([]*raft.Log, len(logs))
	for i, l := range logs {
		out[i] = sealed(l)
	}
	begin := time.Now()
	err := s.guard(0, func() error { return s.in.StoreLogs(out) })
	if s.opt.OnSync != nil {
		s.opt.OnSync(time.Since(begin))
	}
	if err != nil {
		s.recent.clear()
		return err
	}
	chaos.Point(chaos.LogStored)
	s.recent.add(logs)
	return nil
}

// DeleteRange implements raft.LogStore.
func (s *Store) DeleteRange(from, to uint64) error {
	s.recent.remove(from, to)
	chaos.Point(chaos.LogTruncating)
	err := s.guard(from, func() error { return s.in.DeleteRange(from, to) })
	if err == nil {
		chaos.Point(chaos.LogTruncated)
	}
	return err
}

// IsMonotonic implements raft.MonotonicLogStore. It holds for both: bolt would bear a hole between what a snapshot from the leader covers
// and what comes after it, but a hole that is normal could not be told from one that is damage.
func (s *Store) IsMonotonic() bool { return true }

// errNotFound is what Raft looks for, by its text.
var errNotFound = errors.New("not found")

// Set implements raft.StableStore.
func (s *Store) Set(key, value []byte) error {
	c := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, len(value)+sumSize), value...), c)
	return s.guard(0, func() error { return s.in.Set(key, b) })
}

// Get implements raft.StableStore.
func (s *Store) Get(key []byte) ([]byte, error) {
	var b []byte
	err := s.guard(0, func() (err error) { b, err = s.in.Get(key); return err })
	if err != nil && err.Error() != errNotFound.Error() {
		return nil, err
	}
	if err != nil || len(b) == 0 {
		return nil, errNotFound
	}
	n := len(b) - sumSize
	if n < 0 || binary.BigEndian.Uint32(b[n:]) != crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, b[:n]) {
		return nil, s.corrupt(0, fmt.Errorf("stable value %q does not have its checksum", key))
	}
	return append([]byte(nil), b[:n]...), nil
}

// SetUint64 implements raft.StableStore.
func (s *Store) SetUint64(key []byte, v uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, v))
}

// GetUint64 implements raft.StableStore.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, s.corrupt(0, fmt.Errorf("stable value %q is no number", key))
	}
	return binary.BigEndian.Uint64(b), nil
}

// Check reads every entry from an index to the end and returns the first damage. Raft may write and truncate meanwhile.
func (s *Store) Check(ctx context.Context, from uint64) error {
	return s.Scan(ctx, from, func(*raft.Log) {})
}

// Scan is Check that shows each entry to visit.
func (s *Store) Scan(ctx context.Context, from uint64, visit func(*raft.Log)) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	if first == 0 {
		return nil
	}
	for i := max(first, from); i <= last; i++ {
		l, err := s.checkEntry(i)
		if err != nil {
			return err
		}
		visit(&l)
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry finds damage, also that an entry within the log's bounds is not there.
func (s *Store) checkEntry(index uint64) (l raft.Log, err error) {
	if err = s.read(index, &l); !errors.Is(err, raft.ErrLogNotFound) {
		return l, err
	}
	first, err := s.FirstIndex()
	if err != nil {
		return l, err
	}
	last, err := s.LastIndex()
	if err != nil || index < first || index > last { // truncated meanwhile
		return l, err
	}
	return l, s.corrupt(index, errors.New("the entry is missing"))
}

// Bytes returns what the store takes on disk.
func (s *Store) Bytes() (n int64, err error) {
	err = filepath.WalkDir(filepath.Join(s.dir, s.kind), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// Close closes the store.
func (s *Store) Close() error {
	if s.in == nil {
		return nil
	}
	return s.guard(0, s.in.Close)
}
