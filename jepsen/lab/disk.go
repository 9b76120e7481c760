package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/trstctl/trstctl/jepsen/faultfs"
)

const (
	smallMiB   = 512
	reserveMiB = 16
)

// makeDisk makes what the node's data directory is on.
func (n *Node) makeDisk() (err error) {
	n.Data = filepath.Join(n.path(""), "data")
	if err := makeDir(n.path("")); err != nil {
		return err
	}
	switch n.lab.opt.Disk {
	case Faulty:
		n.from = n.path(".disk")
		if err = makeDir(n.from); err == nil {
			n.FS, err = faultfs.Mount(n.from, n.path(""))
		}
	case Small:
		if err = syscall.Mount("tmpfs", n.path(""), "tmpfs", 0, fmt.Sprintf("size=%dm", smallMiB)); err == nil {
			n.disk = n.path("")
		}
	}
	if err != nil {
		return fmt.Errorf("a disk for %s: %w", n.ID, err)
	}
	return nil
}

func (n *Node) closeDisk() (err error) {
	if n.FS != nil {
		err = n.FS.Close()
	}
	if n.disk != "" {
		err = errors.Join(err, syscall.Unmount(n.disk, syscall.MNT_DETACH))
	}
	n.FS, n.disk = nil, ""
	return err
}

// Fill leaves only so many MiB of a small disk, or none when its node is faster; Drain gives them back.
func (n *Node) Fill(leave int) error {
	f, err := os.Create(filepath.Join(n.disk, "filler"))
	if err != nil {
		return err
	}
	return errors.Join(fill(f, int64(leave)<<20), f.Close())
}

func fill(f *os.File, leave int64) error {
	for {
		var st syscall.Statfs_t
		if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
			return err
		}
		size := int64(st.Bavail)*st.Bsize - leave
		if size <= 0 {
			return nil
		}
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); !errors.Is(err, syscall.ENOSPC) { // the node has written meanwhile
			return err
		}
	}
}

// Drain removes what Fill made.
func (n *Node) Drain() error {
	if err := os.Remove(filepath.Join(n.disk, "filler")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
