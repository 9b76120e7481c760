// Package faultfs is a disk that fails on demand: a FUSE file system, served by this process, that a node's data directory lives on.
//
// It passes everything on to a backing directory and remembers what was not yet made durable, as a pessimistic reading of POSIX has it:
//
//   - The contents and the size of a file are durable as of the last fsync or fdatasync that succeeded, of any descriptor of it.
//   - A name in a directory is durable as of the last fsync of that directory. A rename is one step: when either of its names becomes durable,
//     both do. An fsync of a file makes the name durable under which it was created, if nothing else happened to that name since, as ext4 does
//     in practice; with StrictNames it does not. It never makes a rename durable, nor the directory that the file is in.
//   - A failed fsync of a file gives up what was dirty, as Linux does: readers see it as long as the power stays on, a later fsync that succeeds
//     does not make it durable, only writing it again does (as a page of 4096 bytes). A failed fsync of a directory leaves its names to the next.
//
// Modes, owners and times are durable at once. There are no extended attributes, no O_TMPFILE, no device files, and a file that has lost a name
// that is not yet durable counts one link more than it should. Nothing is synced on the real disk, which is expected to stay up.
//
// What serves a file system must not depend on it. This process may read and write files in it, but must not map one to memory, nor start a
// program from it or in it: the page fault would hold up the thread that has to answer it. Programs of their own may do all of that.
package faultfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Option changes what a file system promises.
type Option func(*FS)

// StrictNames has only the fsync of a directory make names durable.
func StrictNames(f *FS) { f.strict = true }

// FS is a mounted file system. Its methods may be called at the same time.
type FS struct {
	backing, dir, shadow string
	strict               bool

	mu     sync.Mutex // guards the rest
	faults Faults
	vol    *volume // nil when closed, or after a power cut that failed
}

// Available says why a file system cannot be mounted here; nil: it can.
func Available() error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("a faulty disk takes root on Linux")
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("a faulty disk takes FUSE: open /dev/fuse: %w", err)
	}
	return unix.Close(fd)
}

// Mount serves the directory backing at the directory dir until Close. It keeps files that may have to come back in a directory beside
// backing, named with ".shadow" behind, which it empties first. All that backing holds at this time counts as durable.
func Mount(backing, dir string, options ...Option) (*FS, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	f := &FS{dir: dir}
	for _, o := range options {
		o(f)
	}
	var err error
	if f.backing, err = filepath.EvalSymlinks(backing); err != nil {
		return nil, fmt.Errorf("mount a faulty disk: %w", err)
	}
	if f.backing, err = filepath.Abs(f.backing); err != nil {
		return nil, err
	}
	f.shadow = f.backing + ".shadow"
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.powerOn(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(f.shadow))
	}
	return f, nil
}

func (f *FS) powerOn() (err error) {
	if err = os.RemoveAll(f.shadow); err == nil {
		err = os.Mkdir(f.shadow, 0o700)
	}
	if err == nil {
		f.vol, err = newVolume(f.backing, f.shadow, f.strict, f.faults, f.dir)
	}
	if err != nil {
		return fmt.Errorf("mount a faulty disk at %s: %w", f.dir, err)
	}
	return nil
}

// Set replaces the faults; none heals. They stay in force over a power cut.
func (f *FS) Set(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
	if f.vol != nil {
		f.vol.set(faults)
	}
}

// Sync makes durable all that was done up to now, as sync(2) would: for files that the harness itself puts there.
func (f *FS) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.vol == nil {
		return errClosed
	}
	f.vol.files.syncAll()
	return f.vol.names.commitAll()
}

// PowerCut takes back what was not durable, and mounts what remains. Processes that still have files open there get errors for them. When it
// fails, the file system is not mounted.
func (f *FS) PowerCut(r *rand.Rand, how Cut) (Lost, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.vol == nil {
		return Lost{}, errClosed
	}
	lost, err := f.vol.cut(f.dir, r, how)
	f.vol = nil
	if err != nil {
		return lost, fmt.Errorf("cut the power of %s: %w", f.dir, err)
	}
	return lost, f.powerOn()
}

// Close unmounts, also from under processes that are in it, and leaves in the backing directory what readers saw last. A second Close
// does nothing.
func (f *FS) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.vol == nil {
		return os.RemoveAll(f.shadow)
	}
	err := f.vol.unmount(f.dir)
	f.vol.release()
	f.vol = nil
	return errors.Join(err, os.RemoveAll(f.shadow))
}

var errClosed = errors.New("the faulty disk is not mounted")
