// Package logstore keeps Raft's log and its few stable values on disk, in one of two libraries behind one interface.
//
// It promises, for both:
//   - Every entry and every stable value carries CRC32C over all that Raft reads of it, checked at each read. A mismatch is a
//     fault.Corrupt that names directory and index, never a wrong entry.
//   - What StoreLogs has returned from is on the disk.
//   - Recent entries, 16 MiB of them, are served from memory: a leader reads each of them once for every follower.
package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"

	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// The kinds of store.
const (
	Bolt = "bolt" // raft-boltdb: one B+ tree in one file
	WAL  = "wal"  // raft-wal: segments that are only appended to
)

// Options are what the caller gives to a store; all are optional.
type Options struct {
	Log    *slog.Logger
	OnSync func(time.Duration) // called with how long each StoreLogs took
}

// inner is what both libraries do.
type inner interface {
	raft.LogStore
	Set(key, value []byte) error
	Get(key []byte) ([]byte, error)
	Close() error
}

// Open opens the store of this kind in dir, creating it if there is none of any kind.
func Open(kind, dir string, opt Options) (*Store, error) {
	found, err := Kind(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && found != kind:
		return nil, fault.New(fault.Conflict, "the Raft log in %s is of kind %q, the configuration says %q: "+
			"raft.log_store of a node cannot be changed, join as a new node", dir, found, kind)
	}
	s := &Store{dir: dir, kind: kind, opt: opt}
	if err := durable.MakeDir(filepath.Join(dir, kind)); err != nil {
		return nil, fmt.Errorf("create the Raft log: %w", err)
	}
	err = s.guard(0, func() (err error) {
		s.in, err = opener(kind)(filepath.Join(dir, kind))
		return err
	})
	if err == nil { // the libraries sync what is in their files, not all of them the files' names
		err = durable.SyncDir(filepath.Join(dir, kind))
	}
	return s, err
}

// Kind says what dir holds; the error is fs.ErrNotExist when it holds no store.
func Kind(dir string) (string, error) {
	for _, kind := range []string{Bolt, WAL} {
		if _, err := os.Stat(filepath.Join(dir, kind)); err == nil {
			return kind, nil
		}
	}
	return "", fmt.Errorf("no Raft log in %s: %w", dir, fs.ErrNotExist)
}

func opener(kind string) func(dir string) (inner, error) {
	switch kind {
	case Bolt:
		return openBolt
	case WAL:
		return openWAL
	}
	return func(string) (inner, error) { return nil, fmt.Errorf("there is no log store %q", kind) }
}

// openWAL opens raft-wal with a metadata store that is closed with it: the library leaves its own open.
func openWAL(dir string) (inner, error) {
	if mutant.AckBeforeFsync {
		return openUnsynced(dir)
	}
	meta := &metadb.BoltMetaDB{}
	if err := reopenTail(dir, meta); err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	w, err := wal.Open(dir, wal.WithMetaStore(meta))
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	return &walStore{w, meta}, nil
}

type walStore struct {
	*wal.WAL
	meta *metadb.BoltMetaDB
}

// Close closes both.
func (s *walStore) Close() error { return errors.Join(s.WAL.Close(), s.meta.Close()) }

// guard runs f and turns what the libraries say, or panic with, about damage into fault.Corrupt. A damaged page of a mapped file can also
// fault, which is made a panic here.
func (s *Store) guard(index uint64, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = s.corrupt(index, fmt.Errorf("panic: %v", p))
		}
	}()
	if err = f(); err != nil && isDamage(err) {
		err = s.corrupt(index, err)
	}
	return err
}

func isDamage(err error) bool {
	if errors.Is(err, wal.ErrCorrupt) || errors.Is(err, bbolt.ErrChecksum) || errors.Is(err, bbolt.ErrInvalid) || errors.Is(err, bbolt.ErrVersionMismatch) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "corrupt") || strings.Contains(text, "checksum") || strings.Contains(text, "msgpack") || strings.Contains(text, "decode")
}

// corrupt names the damage and the way out: a log that was damaged must never vote again under the same id.
func (s *Store) corrupt(index uint64, cause error) error {
	where := ""
	if index > 0 {
		where = fmt.Sprintf(" at index %d", index)
	}
	return fault.New(fault.Corrupt, "the Raft log in %s is damaged%s: move the data directory aside and join as a new node", s.dir, where).Because(cause)
}
