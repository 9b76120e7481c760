// Package durable makes files and directories that are there after a power cut. A file's name is a fact of its directory, and a directory's of the one
// above: each must be synced on its own, and what is forgotten is lost together with everything beneath it.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/trstctl/trstctl/fsm/mutant"
)

// MakeDir makes a directory, mode 0700, with all that are missing above it. It is on disk when it returns, also when an earlier call was cut off.
func MakeDir(path string) error {
	parent := filepath.Dir(path)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if info, bad := os.Stat(path); bad != nil || !info.IsDir() { // a link to one will do
			return err
		}
	}
	return syncAbove(parent)
}

// syncAbove syncs a directory that may be somebody else's: one that this user may not read, that nobody can write to, or whose file system knows no
// such thing.
func syncAbove(dir string) error {
	err := SyncDir(dir)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}

// SyncDir makes durable which names are in a directory.
func SyncDir(path string) error {
	if mutant.SkippedDirectoryFsync {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
