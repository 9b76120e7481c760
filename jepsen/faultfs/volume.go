package faultfs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// volume is the file system from power on to power off.
type volume struct {
	condition
	strict bool
	files  files
	names  *names
	root   *node
	server *fuse.Server
	served chan struct{} // closed when the server has ended
}

func newVolume(backing, shadow string, strict bool, faults Faults, dir string) (_ *volume, err error) {
	v := &volume{strict: strict, served: make(chan struct{})}
	v.condition.set(faults, false)
	v.files.byIno, v.files.open = map[uint64]*file{}, map[*handle]struct{}{}
	if v.names, err = newNames(shadow, v.files.forget); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Stat(backing, &st); err != nil {
		return nil, errors.Join(err, v.names.close())
	}
	data := &fs.LoopbackRoot{Path: backing, Dev: st.Dev}
	v.root = &node{LoopbackNode: fs.LoopbackNode{RootData: data}, vol: v}
	data.RootNode = v.root
	if err := v.mount(dir); err != nil {
		return nil, errors.Join(err, v.names.close())
	}
	return v, nil
}

// mount starts the server. All changes come through it, so the kernel may keep what it has read.
func (v *volume) mount(dir string) error {
	long := time.Hour
	o := &fs.Options{EntryTimeout: &long, AttrTimeout: &long, NegativeTimeout: &long, NullPermissions: true, MountOptions: fuse.MountOptions{
		FsName: "faultfs", Name: "faultfs", DirectMountStrict: true, AllowOther: true, Options: []string{"default_permissions"},
		DisableXAttrs: true, ExplicitDataCacheControl: true, Logger: log.New(io.Discard, "", 0),
		PanicHandler: func(what any) fuse.Status { panic(what) }, // a bug here must not look like a fault of a disk
	}}
	syscall.ForkLock.RLock() // a program started in between would hold the connection open after the end of this process, and hang
	server, err := fuse.NewServer(fs.NewNodeFS(v.root, o), dir, &o.MountOptions)
	if err == nil {
		err = closeOnExec("/dev/fuse")
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return errors.Join(err, ignore(unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH), unix.EINVAL))
	}
	v.server = server
	go func() {
		defer close(v.served)
		server.Serve()
	}()
	if err := server.WaitMount(); err != nil {
		return errors.Join(err, v.unmount(dir))
	}
	return nil
}

// closeOnExec marks all descriptors of a path, as the library does not.
func closeOnExec(path string) error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range fds {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err != nil || target != path {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		unix.CloseOnExec(fd)
	}
	return nil
}

func ignore(err error, which syscall.Errno) error {
	if errors.Is(err, which) {
		return nil
	}
	return err
}

// set changes the faults. Reads that are to fail must not be answered by the kernel.
func (v *volume) set(f Faults) {
	v.condition.set(f, false)
	if f.FailRead {
		forgetPages(v.root.EmbeddedInode())
	}
}

func forgetPages(n *fs.Inode) {
	if !n.IsDir() {
		n.NotifyContent(0, 0) // it may be gone
	}
	for _, c := range n.Children() {
		forgetPages(c)
	}
}

// unmount ends the server. Requests in flight fail; pages that were dirtied through a mapping are lost.
func (v *volume) unmount(dir string) error {
	v.condition.set(Faults{}, true)
	err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH) // force: also when another mount namespace still has it
	select {
	case <-v.served:
	case <-time.After(10 * time.Second):
		err = errors.Join(err, fmt.Errorf("the server of %s does not end", dir))
	}
	return err
}

// release lets go of all descriptors, when the server has ended.
func (v *volume) release() {
	v.files.close()
	_ = v.names.close()
}

// cut ends the volume and leaves what was durable.
func (v *volume) cut(dir string, r *rand.Rand, how Cut) (lost Lost, err error) {
	defer v.release()
	if err := v.unmount(dir); err != nil {
		return lost, err
	}
	if err := v.files.restore(r, how, &lost); err != nil {
		return lost, err
	}
	if how.Torn && r.IntN(2) == 0 {
		return lost, nil // the journal was written just before
	}
	return lost, v.names.restore(&lost)
}
