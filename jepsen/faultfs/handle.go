package faultfs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// handle is an open file.
type handle struct {
	node   *node
	file   *file
	behind *fs.LoopbackFile
	fd     int  // of behind
	synced bool // every write is made durable before it returns
}

var _ interface {
	fs.FileReader
	fs.FileWriter
	fs.FileAllocater
	fs.FileLseeker
	fs.FileGetattrer
	fs.FileStatxer
	fs.FileSetattrer
	fs.FileFlusher
	fs.FileReleaser
} = (*handle)(nil)

func (n *node) handle(behind *fs.LoopbackFile, ino uint64, flags uint32) *handle {
	fd, _ := behind.PassthroughFd() // it was opened just now
	h := &handle{node: n, behind: behind, fd: fd, synced: flags&unix.O_DSYNC != 0}
	n.vol.files.opened(h, ino)
	return h
}

// Read reads from the backing file.
func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.node.faults().FailRead {
		return nil, syscall.EIO
	}
	return fuse.ReadResultFd(uintptr(h.fd), off, len(dest)), 0
}

// Write writes to the backing file, and notes how to take it back.
func (h *handle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	faults := h.node.faults()
	if faults.FailWrite {
		return 0, syscall.EIO
	}
	n, err := h.file.write(h.fd, data, off, faults.Full)
	if err == nil && h.synced {
		return uint32(n), h.node.Fsync(ctx, h, 0)
	}
	return uint32(n), fs.ToErrno(err)
}

func (h *handle) truncate(size int64) syscall.Errno {
	if h.node.faults().FailWrite {
		return syscall.EIO
	}
	return fs.ToErrno(h.file.truncate(h.fd, size))
}

// Allocate reserves space or punches holes.
func (h *handle) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	switch faults := h.node.faults(); {
	case faults.FailWrite:
		return syscall.EIO
	case faults.Full && mode&unix.FALLOC_FL_PUNCH_HOLE == 0:
		return syscall.ENOSPC
	}
	return fs.ToErrno(h.file.allocate(h.fd, mode, int64(off), int64(size)))
}

// sync ends an fsync as the disk did.
func (h *handle) sync(errno syscall.Errno) syscall.Errno {
	switch errno {
	case 0:
		h.file.sync()
		if !h.node.vol.strict {
			return fs.ToErrno(h.node.vol.names.named(h.file.ino))
		}
	case syscall.EIO:
		if err := h.file.fail(); err != nil {
			return fs.ToErrno(err)
		}
	}
	return errno
}

// Flush is not needed: the kernel stops asking.
func (h *handle) Flush(context.Context) syscall.Errno { return syscall.ENOSYS }

// Release closes the file.
func (h *handle) Release(ctx context.Context) syscall.Errno {
	h.node.vol.files.closed(h)
	return h.behind.Release(ctx)
}

// Lseek finds data and holes.
func (h *handle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	return h.behind.Lseek(ctx, off, whence)
}

// Getattr asks the backing file.
func (h *handle) Getattr(ctx context.Context, out *fuse.AttrOut) syscall.Errno {
	return h.behind.Getattr(ctx, out)
}

// Statx asks the backing file.
func (h *handle) Statx(ctx context.Context, flags, mask uint32, out *fuse.StatxOut) syscall.Errno {
	return h.behind.Statx(ctx, flags|unix.AT_EMPTY_PATH, mask, out)
}

// Setattr changes what is durable at once; the size is no part of it.
func (h *handle) Setattr(ctx context.Context, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return h.behind.Setattr(ctx, in, out)
}
