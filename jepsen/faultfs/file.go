package faultfs

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// file remembers what was done to an inode since its contents were last durable. The backing file always has what readers see.
type file struct {
	ino   uint64
	clock *atomic.Uint64
	refs  int // open handles; guarded by the lock of files

	mu      sync.Mutex // guards the rest, and orders what is done to the backing file
	gone    bool       // no name leads to it, nor ever will
	fd      int        // of the backing file, while there is something to remember; or -1
	since   uint64     // when by the clock there came to be something
	size    int64      // durable size; both sizes are known while fd is there
	live    int64      // the size that readers see
	pending []write
	given   map[int64][]byte // pages that a failed sync gave up: what the disk has instead
}

// write is how to take one change back.
type write struct {
	off, n int64  // what it touched
	old    []byte // what was there, as far as the file went
	size   int64  // of the file before
}

// note adds a change that is about to be made.
func (f *file) note(fd int, off, n int64) error {
	if f.gone || n <= 0 {
		return nil
	}
	if err := f.remember(fd); err != nil {
		return err
	}
	w := write{off: off, n: n, size: f.live}
	if off < f.live {
		w.old = make([]byte, min(n, f.live-off))
		if err := readFull(f.fd, w.old, off); err != nil {
			return err
		}
	}
	f.pending = append(f.pending, w)
	return nil
}

// remember begins, at the first change.
func (f *file) remember(fd int) (err error) {
	if f.fd >= 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if f.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		f.fd = -1
		return err
	}
	f.since, f.size, f.live = f.clock.Add(1), st.Size, st.Size
	return nil
}

// forget ends it.
func (f *file) forget() {
	if f.fd >= 0 {
		_ = unix.Close(f.fd)
	}
	f.fd, f.pending, f.given = -1, nil, nil
}

func readFull(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pread(fd, b, off)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%d bytes at %d: %w", len(b), off, io.ErrUnexpectedEOF)
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

func (f *file) write(fd int, data []byte, off int64, full bool) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if full {
		if err := fits(fd, off, int64(len(data))); err != nil {
			return 0, err
		}
	}
	if err := f.note(fd, off, int64(len(data))); err != nil {
		return 0, err
	}
	n, err := unix.Pwrite(fd, data, off)
	if err != nil {
		return 0, err
	}
	f.live = max(f.live, off+int64(n))
	return n, nil
}

// fits reports ENOSPC for a write that needs space: behind the end, or in a hole. A file with as many blocks as its size takes has no
// hole, though the system may call space that was reserved and never written one.
func fits(fd int, off, n int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if off+n > st.Size {
		return unix.ENOSPC
	}
	if st.Blocks*512 >= st.Size {
		return nil
	}
	if hole, err := unix.Seek(fd, off, unix.SEEK_HOLE); err == nil && hole < off+n {
		return unix.ENOSPC
	}
	return nil
}

func (f *file) truncate(fd int, size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := f.note(fd, min(size, st.Size), max(size, st.Size)-min(size, st.Size)); err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		return err
	}
	f.live = size
	return nil
}

// allocate notes a change where contents or size change.
func (f *file) allocate(fd int, mode uint32, off, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	from, end := st.Size, st.Size
	if mode&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 {
		from = min(off, st.Size)
		end = min(off+n, st.Size)
	}
	if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		end = max(end, off+n)
	}
	switch mode &^ unix.FALLOC_FL_KEEP_SIZE {
	case 0, unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_ZERO_RANGE:
	default:
		return unix.EOPNOTSUPP
	}
	if err := f.note(fd, from, end-from); err != nil {
		return err
	}
	if err := unix.Fallocate(fd, mode, off, n); err != nil {
		return err
	}
	f.live = max(st.Size, end)
	return nil
}
