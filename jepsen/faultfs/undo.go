package faultfs

import (
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// Cut is how the power goes.
type Cut struct {
	// Torn: an arbitrary part of what was not durable remains. In each file that is the writes up to an arbitrary one (the kernel passes a write on in several when it
	// does not begin at a page), and either that one remains
	// in part or all of them do, in arbitrary sectors of 512 bytes; where the file grew, zeros are in place of sectors that are not there. The
	// directories keep either all names or those that were durable.
	// Otherwise nothing of it remains.
	Torn bool `json:"torn,omitempty"`
}

// Lost is what a power cut took.
type Lost struct {
	Files  int   `json:"files"`  // whose contents changed
	Writes int   `json:"writes"` // that were not durable
	Torn   int   `json:"torn"`   // those of them that remained, at least in part
	Bytes  int64 `json:"bytes"`  // that the others had written
	Names  int   `json:"names"`  // directory entries that changed
}

const (
	sector = 512
	page   = 4096 // what the kernel writes at a time, and gives up when it cannot
)

// sync makes the contents durable. Of pages that were given up, that makes those durable that were written to again.
func (f *file) sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.pending {
		for p := w.off / page; p*page < w.off+w.n; p++ {
			delete(f.given, p)
		}
	}
	f.pending, f.size = nil, f.live
	for p, b := range f.given { // nor does the disk have more than the file has
		clear(b[min(page, max(0, f.live-p*page)):])
	}
	if len(f.given) == 0 {
		f.forget()
	}
}

// fail gives up what is pending: its pages are clean now, and not on the disk.
func (f *file) fail() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) == 0 {
		return nil
	}
	on := map[int64][]byte{} // the disk's pages
	for _, w := range slices.Backward(f.pending) {
		for p := w.off / page; p*page < w.off+w.n; p++ {
			if err := f.load(on, p); err != nil {
				return err
			}
			w.takeBack(on[p], p*page)
		}
	}
	if f.given == nil {
		f.given = map[int64][]byte{}
	}
	for p, b := range on {
		if _, earlier := f.given[p]; !earlier {
			f.given[p] = b
		}
	}
	f.pending = nil
	return nil
}

// load reads a page as readers see it.
func (f *file) load(into map[int64][]byte, p int64) error {
	if into[p] != nil {
		return nil
	}
	into[p] = make([]byte, page)
	return readFull(f.fd, into[p][:max(0, min(page, f.live-p*page))], p*page)
}

// takeBack restores what the write changed in b, which lies at off.
func (w write) takeBack(b []byte, off int64) {
	from, to := max(w.off, off), min(w.off+w.n, off+int64(len(b)))
	if from >= to {
		return
	}
	hit := b[from-off : to-off]
	clear(hit)
	if skip := from - w.off; skip < int64(len(w.old)) {
		copy(hit, w.old[skip:])
	}
}

// undo takes a write back in the file, up to size, except for sectors that are kept.
func (w write) undo(fd int, size int64, kept func(int64) bool) error {
	end := min(w.off+w.n, size)
	for off := w.off; off < end; {
		stop := off
		for stop < end && !kept(stop/sector) {
			stop = min((stop/sector+1)*sector, end)
		}
		if stop == off {
			off = (off/sector + 1) * sector
			continue
		}
		b := make([]byte, stop-off)
		w.takeBack(b, off)
		if _, err := unix.Pwrite(fd, b, off); err != nil {
			return err
		}
		off = stop
	}
	return nil
}

func none(int64) bool { return false }

// restore leaves in the file what a power cut does.
func (f *file) restore(r *rand.Rand, how Cut, lost *Lost) error {
	if f.fd < 0 {
		return nil
	}
	remain, whole := 0, 0 // so many writes remain at all, and so many entirely
	if how.Torn {
		remain = r.IntN(len(f.pending) + 1)
		if whole = max(0, remain-1); r.IntN(2) == 0 {
			whole = 0
		}
	}
	for _, w := range f.pending[remain:] {
		lost.Bytes += w.n
	}
	lost.Files++
	lost.Writes += len(f.pending)
	lost.Torn += remain
	return f.rewind(r, remain, whole)
}

func (f *file) rewind(r *rand.Rand, remain, whole int) error {
	size := f.live
	for _, w := range slices.Backward(f.pending[remain:]) {
		if err := w.undo(f.fd, w.size, none); err != nil {
			return err
		}
		size = w.size
	}
	if remain == 0 {
		size = f.size
	}
	if err := unix.Ftruncate(f.fd, size); err != nil {
		return err
	}
	coins := map[int64]bool{}
	tossed := func(s int64) bool {
		up, ok := coins[s]
		if !ok {
			up = r.IntN(2) == 0
			coins[s] = up
		}
		return up
	}
	for _, w := range slices.Backward(f.pending[whole:remain]) {
		if err := w.undo(f.fd, size, tossed); err != nil {
			return err
		}
	}
	return f.giveUp(size, func(s int64) bool {
		return coins[s] || slices.ContainsFunc(f.pending[:whole], func(w write) bool { return w.off < (s+1)*sector && s*sector < w.off+w.n })
	})
}

// giveUp puts back what the disk has in pages that were given up, except for sectors that were written since and remain.
func (f *file) giveUp(size int64, kept func(int64) bool) error {
	for p, b := range f.given {
		w := write{off: p * page, n: page, old: b}
		if err := w.undo(f.fd, size, kept); err != nil {
			return err
		}
	}
	return nil
}
