package faultfs

import (
	"context"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// node is a file or directory as the kernel knows it.
type node struct {
	fs.LoopbackNode
	vol *volume
}

var _ interface {
	fs.NodeWrapChilder
	fs.NodeStatfser
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeOpendirHandler
	fs.NodeSetattrer
	fs.NodeFsyncer
	fs.NodeRenamer
} = (*node)(nil)

// WrapChild makes the nodes beneath this one of its kind.
func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: ops.(*fs.LoopbackNode).RootData}, vol: n.vol}
}

func (n *node) path() string    { return n.Path(n.Root()) }
func (n *node) backing() string { return filepath.Join(n.RootData.Path, n.path()) }

// faults are those for the node; for those of a name in it, see under.
func (n *node) faults() Faults { return n.vol.at(n.path) }

func (n *node) under(name string) func() string {
	return func() string { return filepath.Join(n.path(), name) }
}

// Statfs gives the numbers of the backing file system, or of a full one.
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	errno := n.LoopbackNode.Statfs(ctx, out)
	if n.faults().Full {
		out.Bfree, out.Bavail, out.Ffree = 0, 0, 0
	}
	return errno
}

// adding makes a name.
func (n *node) adding(name string, make func() syscall.Errno) syscall.Errno {
	if n.vol.at(n.under(name)).Full {
		return syscall.ENOSPC
	}
	return fs.ToErrno(n.vol.names.add(n.backing(), name, func() error {
		if errno := make(); errno != 0 {
			return errno
		}
		return nil
	}))
}

// Mkdir makes a directory.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.adding(name, func() (errno syscall.Errno) {
		child, errno = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return errno
	})
	return child, errno
}

// Mknod makes a socket, pipe or file.
func (n *node) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.adding(name, func() (errno syscall.Errno) {
		child, errno = n.LoopbackNode.Mknod(ctx, name, mode, dev, out)
		return errno
	})
	return child, errno
}

// Symlink makes a symbolic link.
func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.adding(name, func() (errno syscall.Errno) {
		child, errno = n.LoopbackNode.Symlink(ctx, target, name, out)
		return errno
	})
	return child, errno
}

// Link gives a file one more name.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.adding(name, func() (errno syscall.Errno) {
		child, errno = n.LoopbackNode.Link(ctx, target, name, out)
		return errno
	})
	return child, errno
}

// Tmpfile is refused: a file without a name could not come back.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.EOPNOTSUPP
}

// CopyFileRange is left to the kernel, which reads and writes.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

// Unlink removes a name.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return fs.ToErrno(n.vol.names.unlink(n.backing(), name))
}

// Rmdir removes an empty directory.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return fs.ToErrno(n.vol.names.rmdir(n.backing(), name))
}

// Rename moves a name.
func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	parent, ok := to.(*node)
	if !ok {
		return syscall.EXDEV
	}
	return fs.ToErrno(n.vol.names.rename(n.backing(), name, parent.backing(), newName, uint(flags)))
}

// stripped are flags that are the business of the kernel's side of a file, or of ours.
const stripped = unix.O_APPEND | unix.O_DIRECT | unix.O_TRUNC | unix.O_SYNC | unix.O_DSYNC | unix.O_NOATIME | fuse.FMODE_EXEC

// behind turns the flags a file is opened with into those for what is behind it: one that is written to must be readable too.
func behind(flags uint32) int {
	f := int(flags) &^ stripped
	if f&unix.O_ACCMODE != unix.O_RDONLY {
		f = f&^unix.O_ACCMODE | unix.O_RDWR
	}
	return f | unix.O_NOFOLLOW | unix.O_CLOEXEC
}

// Create makes a file and opens it.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (child *fs.Inode, h fs.FileHandle, _ uint32, errno syscall.Errno) {
	errno = n.adding(name, func() (errno syscall.Errno) {
		child, h, _, errno = n.LoopbackNode.Create(ctx, name, uint32(behind(flags)), mode, out)
		return errno
	})
	if errno != 0 {
		return nil, nil, 0, errno
	}
	own, ok := child.Operations().(*node)
	if !ok {
		return nil, nil, 0, syscall.EIO
	}
	n.vol.names.bear(n.backing(), name, out.Ino)
	return child, own.handle(h.(*fs.LoopbackFile), out.Ino, flags), fuse.FOPEN_KEEP_CACHE, 0
}

// Open opens a file.
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fd, err := unix.Open(n.backing(), behind(flags), 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, 0, fs.ToErrno(err)
	}
	h := n.handle(fs.NewLoopbackFile(fd).(*fs.LoopbackFile), st.Ino, flags)
	if flags&unix.O_TRUNC != 0 {
		if errno := h.truncate(0); errno != 0 {
			h.Release(ctx)
			return nil, 0, errno
		}
	}
	return h, fuse.FOPEN_KEEP_CACHE, 0
}

// Setattr changes the size through the journal and the rest at once.
func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		h, opened := f.(*handle)
		if !opened {
			other, _, errno := n.Open(ctx, unix.O_RDWR)
			if errno != 0 {
				return errno
			}
			h = other.(*handle)
			defer h.Release(ctx)
		}
		if errno := h.truncate(int64(size)); errno != 0 {
			return errno
		}
		in.Valid &^= fuse.FATTR_SIZE
	}
	return n.LoopbackNode.Setattr(ctx, f, in, out)
}

// entries is an open directory. It leaves out the fsync of the backing directory, so that Fsync is asked.
type entries interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
}

// OpendirHandle opens a directory.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	d, f, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return struct{ entries }{d.(entries)}, f, 0
}

// Fsync makes a file's contents, or a directory's names, durable.
func (n *node) Fsync(ctx context.Context, f fs.FileHandle, _ uint32) syscall.Errno {
	caller, _ := fuse.FromContext(ctx)
	errno := n.vol.sync(n.path, caller.Pid)
	if h, ok := f.(*handle); ok {
		return h.sync(errno)
	}
	if errno == 0 {
		errno = fs.ToErrno(n.vol.names.sync(n.backing()))
	}
	return errno
}
