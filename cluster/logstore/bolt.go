package logstore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/trstctl/trstctl/fsm/mutant"
)

// mappedBytes is how much of the log passes through bbolt's map before its pages are given back.
const mappedBytes = 16 << 20

// boltStore gives the pages of bbolt's map back, which would else be as resident as the log is long: up to 350 MiB. They stay in the
// kernel's cache and come back at the next touch.
//
// The map must not move meanwhile, or something else would be thrown away that stands there now. It moves only in what changes the
// file, and all that does holds mu.
type boltStore struct {
	*raftboltdb.BoltStore
	path   string
	mu     sync.Mutex
	passed atomic.Int64 // bytes
}

// openBolt opens bbolt without the freelist on disk, which it would rewrite at each commit, and with a map that need not grow
// while the log stays within its bounds.
func openBolt(dir string) (inner, error) {
	dir, err := filepath.EvalSymlinks(dir) // /proc/self/maps names files so
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the Raft log: %w", err)
	}
	path := filepath.Join(dir, "raft.db")
	s, err := raftboltdb.New(raftboltdb.Options{Path: path, NoSync: mutant.AckBeforeFsync, BoltOptions: &bbolt.Options{
		Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30}})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("%s is locked: is another node running on it?", dir)
	}
	if err != nil {
		return nil, err
	}
	return &boltStore{BoltStore: s, path: path}, nil
}

// GetLog implements raft.LogStore.
func (s *boltStore) GetLog(index uint64, l *raft.Log) error {
	err := s.BoltStore.GetLog(index, l)
	if s.passed.Add(int64(len(l.Data))) > mappedBytes && s.mu.TryLock() { // a reader does not wait for a disk
		defer s.mu.Unlock()
		s.release()
	}
	return err
}

// StoreLog implements raft.LogStore.
func (s *boltStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (s *boltStore) StoreLogs(logs []*raft.Log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range logs {
		s.passed.Add(int64(len(l.Data)))
	}
	if s.passed.Load() > mappedBytes {
		s.release()
	}
	return s.BoltStore.StoreLogs(logs)
}

// DeleteRange implements raft.LogStore.
func (s *boltStore) DeleteRange(from, to uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.release() // it walks through all that it deletes
	return s.BoltStore.DeleteRange(from, to)
}

// Set implements raft.StableStore.
func (s *boltStore) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.BoltStore.Set(key, value)
}

// Close waits for what changes the file.
func (s *boltStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.BoltStore.Close()
}

// release gives the pages back; the caller holds mu. Where it cannot, they stay, and nothing else is lost.
func (s *boltStore) release() {
	s.passed.Store(0)
	for _, m := range mapsOf(s.path) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}

type span struct{ from, to uintptr }

// mapsOf returns where this process has mapped a file: none when the system has no /proc/self/maps (proc(5)).
func mapsOf(path string) (found []span) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, ours := strings.CutSuffix(lines.Text(), " "+path)
		if !ours {
			continue
		}
		from, rest, _ := strings.Cut(line, "-")
		to, _, _ := strings.Cut(rest, " ")
		a, err := strconv.ParseUint(from, 16, 64)
		b, err2 := strconv.ParseUint(to, 16, 64)
		if err == nil && err2 == nil && a < b {
			found = append(found, span{uintptr(a), uintptr(b)})
		}
	}
	return found
}
