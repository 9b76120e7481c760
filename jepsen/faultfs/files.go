package faultfs

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// files are those that are open, or have something to take back.
type files struct {
	clock atomic.Uint64
	mu    sync.Mutex // guards the rest; a file's own lock may be taken under it
	byIno map[uint64]*file
	open  map[*handle]struct{}
}

func (s *files) opened(h *handle, ino uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byIno[ino]
	if f == nil {
		f = &file{ino: ino, clock: &s.clock, fd: -1}
		s.byIno[ino] = f
	}
	f.refs++
	h.file = f
	s.open[h] = struct{}{}
}

func (s *files) closed(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, h)
	f := h.file
	f.refs--
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs == 0 && f.fd < 0 && s.byIno[f.ino] == f {
		delete(s.byIno, f.ino)
	}
}

// forget is told of an inode that no name leads to any more, nor can again: its number may be given to another.
func (s *files) forget(ino uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byIno[ino]
	if f == nil {
		return
	}
	delete(s.byIno, ino)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.forget()
}

func (s *files) syncAll() {
	for _, f := range s.all() {
		f.sync()
	}
}

func (s *files) all() []*file {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.byIno))
}

// restore leaves of all files what a power cut leaves.
func (s *files) restore(r *rand.Rand, how Cut, lost *Lost) error {
	all := s.all()
	slices.SortFunc(all, func(a, b *file) int { return cmp.Compare(a.since, b.since) }) // so that a seed decides the same again
	for _, f := range all {
		if err := f.restore(r, how, lost); err != nil {
			return err
		}
	}
	return nil
}

// close lets go of all of them, with the server at its end.
func (s *files) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.open {
		h.behind.Release(context.Background())
	}
	for _, f := range s.byIno {
		f.forget()
	}
	clear(s.open)
	clear(s.byIno)
}
