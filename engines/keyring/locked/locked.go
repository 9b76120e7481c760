// Package locked has memory for keys: outside of Go's heap, so that no collector copies or forgets it, locked, so that it is not swapped, left out of
// core dumps, and empty in a child process.
//
// It promises that Free zeroes what it takes back, and that memory which the system does not let it lock is given out all the same and counted: see Held.
package locked

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"syscall"
	"unsafe"
)

const (
	least   = 6       // bits of the smallest piece: 64 bytes
	most    = 13      // bits of the largest: 8 KiB
	slab    = 1 << 16 // bytes that are asked of the system at once
	maxSize = 1 << most

	dontDump   = 16 // MADV_DONTDUMP
	wipeOnFork = 18 // MADV_WIPEONFORK
)

// pool is the memory of this process. What was asked of the system is kept for the next key.
var pool struct {
	sync.Mutex
	free     [most + 1][]*byte // pieces of 1<<i bytes, all zero
	locked   int
	unlocked int
	refused  error // why the last slab could not be locked
}

// Copy returns a copy of b, of at most 8 KiB, which must be given to Free and to nobody afterwards. It fails only when the system has no memory.
func Copy(b []byte) ([]byte, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("locked memory comes in pieces of at most %d bytes, not %d", maxSize, len(b))
	}
	class := classOf(len(b))
	pool.Lock()
	defer pool.Unlock()
	if len(pool.free[class]) == 0 {
		if err := grow(class); err != nil {
			return nil, err
		}
	}
	last := len(pool.free[class]) - 1
	piece := pool.free[class][last]
	pool.free[class] = pool.free[class][:last]
	out := unsafe.Slice(piece, 1<<class)[:len(b)]
	copy(out, b)
	return out, nil
}

// Free zeroes what Copy returned, as it was returned or shorter, and takes it back. Nothing is no piece.
func Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	whole := b[:cap(b)]
	clear(whole)
	pool.Lock()
	defer pool.Unlock()
	class := classOf(len(whole))
	pool.free[class] = append(pool.free[class], &whole[0])
}

// Held returns how many bytes the process has that are locked, how many it could not lock, and why not.
func Held() (locked, unlocked int, why error) {
	pool.Lock()
	defer pool.Unlock()
	return pool.locked, pool.unlocked, pool.refused
}

func classOf(size int) int { return max(least, bits.Len(uint(max(size, 1)-1))) }

// grow asks the system for another slab, in pieces of one class.
func grow(class int) error {
	m, err := syscall.Mmap(-1, 0, slab, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("get memory for keys: %w", err)
	}
	if err := syscall.Mlock(m); err != nil {
		pool.unlocked, pool.refused = pool.unlocked+slab, err
	} else {
		pool.locked += slab
	}
	// An old kernel that knows neither loses a precaution, not the memory; core dumps are off for the whole process besides.
	if err := errors.Join(syscall.Madvise(m, dontDump), syscall.Madvise(m, wipeOnFork)); err != nil && pool.refused == nil {
		pool.refused = err
	}
	for at := 0; at < slab; at += 1 << class {
		pool.free[class] = append(pool.free[class], &m[at])
	}
	return nil
}
