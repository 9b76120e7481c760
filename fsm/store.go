package fsm

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// The first byte of every key in Pebble. Lower case is replicated: it is the same on every node at the same index, travels
// in snapshots and counts in digests. Upper case is the node's own.
const (
	spaceEvents   = 'e' // sequence -> hash, record
	spaceKEKs     = 'k' // KEK id, digest -> binding: which values a key still wraps; KEK id -> nothing: it is retired
	spaceMeta     = 'm' // -> meta
	spaceOutbox   = 'o' // sequence, position -> message
	spacePayloads = 'p' // digest -> sealed bytes
	spaceReceipts = 'r' // tenant, kind, … -> see receipt.go
	spaceStreams  = 's' // tenant, stream -> version
	spaceTables   = 't' // table, key -> row
	spaceFirst    = 'a'
	spaceEnd      = 'z' + 1
)

var metaKey = []byte{spaceMeta}

// meta is what the state says about itself; it is written with every batch.
type meta struct {
	Index uint64   `cbor:"1,keyasint"` // of the last applied Raft entry
	Term  uint64   `cbor:"2,keyasint"` // of that entry
	At    Time     `cbor:"3,keyasint"` // of the last record
	Seq   uint64   `cbor:"4,keyasint"` // of the last record
	Head  [32]byte `cbor:"5,keyasint"` // hash of the last record

	Version uint32 `cbor:"6,keyasint,omitempty"` // of the cluster: which formats and behaviour are on; 0 before it was first raised
	Epoch   uint32 `cbor:"7,keyasint,omitempty"` // of the cluster's history; 0 stands for the first
}

// Options tune a Store. The zero value is fit for tests.
type Options struct {
	Log      *slog.Logger // nil discards
	CacheMiB int64        // of Pebble's blocks and, within that, of tables in memory that are not written out yet, 16 MiB each; 0 means 48
	FS       vfs.FS       // that holds the tables: one in memory for simulations, which crash it; nil: the disk. CheckTables reads the disk
}

// Store is the state machine's tables and event log in Pebble, and the FSM that Raft drives.
type Store struct {
	dir string
	reg *Registry
	log *slog.Logger
	opt Options

	applied    atomic.Uint64
	epoch      atomic.Uint32
	began      atomic.Uint64 // term whose opening entry has been applied
	stepsBegun atomic.Uint64 // of applying
	stepsEnded atomic.Uint64

	mu      sync.Mutex // guards the fields below; never held during I/O but a restore's swap
	db      *handle
	waiters []waiter

	failure failure
	broken  atomic.Bool              // Pebble could not go on
	marks   func(*View, DigestAsked) // set before Raft starts; nil for nobody
	fresh   bool                     // apply goroutine only: no entry applied yet since Open or Restore
}

// handle is an open Pebble database with its users; a restore replaces it while views still read the old one.
type handle struct {
	*pebble.DB
	hot  *hot
	dir  string
	refs sync.WaitGroup
}

// Open opens the tables below dir, creating them if dir holds none. Damage is a fault.Corrupt that names the directory
// and says what to do.
func Open(dir string, reg *Registry, opt Options) (*Store, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.FS == nil {
		opt.FS = vfs.Default
	}
	if err := opt.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create tables: %w", err)
	}
	if err := syncDir(opt.FS, filepath.Dir(dir)); err != nil { // its name, also when it was made by a start that was cut off
		return nil, err
	}
	n, err := currentGeneration(opt.FS, dir)
	if errors.Is(err, os.ErrNotExist) {
		n, err = 1, writeGeneration(opt.FS, dir, 1)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, reg: reg, log: opt.Log, opt: opt, fresh: true, failure: newFailure()}
	if s.db, err = s.openGeneration(n); err != nil {
		return nil, err
	}
	if err := s.loadMeta(); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, removeOthers(opt.FS, dir, n)
}

func (s *Store) loadMeta() error {
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Close()
	s.applied.Store(v.meta.Index)
	s.epoch.Store(v.meta.epoch())
	return nil
}

// Close closes the tables after every view.
func (s *Store) Close() error {
	s.mu.Lock()
	h := s.db
	s.db = nil
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	if s.broken.Load() { // whoever was writing then holds Pebble's locks for ever
		return errors.New("the tables were not closed: Pebble could not go on, see the log")
	}
	h.refs.Wait()
	return h.Close()
}

// acquire returns the open database; the caller must call refs.Done.
func (s *Store) acquire() (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil, fault.New(fault.NotDone, "the node is stopping")
	}
	s.db.refs.Add(1)
	return s.db, nil
}

func (s *Store) openGeneration(n int) (*handle, error) {
	dir := filepath.Join(s.dir, strconv.Itoa(n))
	cache := pebble.NewCache(max(s.opt.CacheMiB, 48) << 20)
	defer cache.Unref()
	opt := &pebble.Options{
		FS: s.opt.FS, Cache: cache, MemTableSize: 16 << 20, MaxOpenFiles: 512, FormatMajorVersion: pebble.FormatWALSyncChunks,
		Logger: pebbleLog{s.log, &s.broken}, EventListener: quietEvents(),
		L0CompactionThreshold: 4, L0StopWritesThreshold: 24,
	}
	opt.Levels[0].FilterPolicy = bloom.FilterPolicy(10) // and so below: every write asks for a receipt that is not there
	db, err := pebble.Open(dir, opt)
	if err != nil {
		return nil, corrupt(s.dir, err)
	}
	return &handle{DB: db, hot: newHot(), dir: dir}, nil
}

// corrupt names damaged tables and the way out.
func corrupt(dir string, err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EAGAIN) || strings.HasSuffix(err.Error(), "lock held by current process") {
		return fmt.Errorf("open tables in %s (is another node running on them?): %w", dir, err)
	}
	return fault.New(fault.Corrupt, "the tables in %s are damaged: move that directory aside and start again, "+
		"the node rebuilds them from its snapshot and log", dir).Because(err)
}

// currentGeneration reads which numbered directory holds the tables. The error is os.ErrNotExist when there are none yet.
func currentGeneration(fs vfs.FS, dir string) (int, error) {
	f, err := fs.Open(filepath.Join(dir, "CURRENT"))
	if err != nil {
		return 0, fmt.Errorf("read tables: %w", err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("read tables: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 {
		return 0, corrupt(dir, fmt.Errorf("CURRENT does not hold a number"))
	}
	return n, nil
}

// writeGeneration makes n current, durably and at once.
func writeGeneration(fs vfs.FS, dir string, n int) error {
	tmp := filepath.Join(dir, "CURRENT.new")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	_, err = fmt.Fprintln(f, n)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	chaos.Point(chaos.InstallPointing)
	if err := fs.Rename(tmp, filepath.Join(dir, "CURRENT")); err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	if mutant.SkippedDirectoryFsync {
		return nil
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeOthers deletes what an interrupted or finished restore left behind.
func removeOthers(fs vfs.FS, dir string, n int) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	for _, name := range names {
		if m, err := strconv.Atoi(name); err == nil && m != n {
			if err := fs.RemoveAll(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("remove old tables: %w", err)
			}
		}
	}
	return nil
}

// pebbleLog sends what Pebble says to the node's log. Fatalf must not return, and Pebble is good for nothing after it.
type pebbleLog struct {
	log    *slog.Logger
	broken *atomic.Bool
}

func (l pebbleLog) Infof(string, ...any) {}
func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("pebble reports an error", "detail", fmt.Sprintf(format, args...))
}
func (l pebbleLog) Fatalf(format string, args ...any) {
	l.broken.Store(true)
	l.log.Error("pebble cannot go on", "detail", fmt.Sprintf(format, args...))
	panic("pebble: " + fmt.Sprintf(format, args...))
}

func quietEvents() *pebble.EventListener {
	l := pebble.EventListener{}
	l.EnsureDefaults(nil)
	return &l
}
