package cluster

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// LogStore is what Raft needs of its log; *logstore.Store is one.
type LogStore interface {
	raft.LogStore
	raft.StableStore
	raft.MonotonicLogStore
}

// pulseStore lets the watchdog see the log being written, counts what is written, and refuses everything after the first failure: what an
// fsync that failed has lost, the kernel does not tell again, and Raft would go on as if nothing had happened.
type pulseStore struct {
	LogStore
	written atomic.Int64 // bytes since the last snapshot

	begun  atomic.Uint64 // writes
	ended  atomic.Uint64
	once   sync.Once
	failed chan struct{} // closed once err is set
	err    error
}

func newPulseStore(s LogStore) *pulseStore {
	return &pulseStore{LogStore: s, failed: make(chan struct{})}
}

// writing returns the number of the write that is under way, 0 for none. Raft writes one at a time.
func (s *pulseStore) writing() uint64 {
	if n := s.begun.Load(); n != s.ended.Load() {
		return n
	}
	return 0
}

func (s *pulseStore) write(f func() error) error {
	select {
	case <-s.failed:
		return s.err
	default:
	}
	s.begun.Add(1)
	defer s.ended.Add(1)
	err := f()
	if err != nil {
		s.once.Do(func() {
			s.err = err
			close(s.failed)
		})
	}
	return err
}

// StoreLogs implements raft.LogStore.
func (s *pulseStore) StoreLogs(logs []*raft.Log) error {
	return s.write(func() error {
		for _, l := range logs {
			s.written.Add(weight(l))
		}
		return s.LogStore.StoreLogs(logs)
	})
}

// weight is what an entry counts towards the next snapshot, in bytes.
func weight(l *raft.Log) int64 { return int64(len(l.Data)) + 64 }

// StoreLog implements raft.LogStore.
func (s *pulseStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// DeleteRange implements raft.LogStore.
func (s *pulseStore) DeleteRange(from, to uint64) error {
	return s.write(func() error { return s.LogStore.DeleteRange(from, to) })
}

// Set and SetUint64 implement raft.StableStore.
func (s *pulseStore) Set(key, value []byte) error {
	return s.write(func() error { return s.LogStore.Set(key, value) })
}

func (s *pulseStore) SetUint64(key []byte, v uint64) error {
	return s.write(func() error { return s.LogStore.SetUint64(key, v) })
}
