package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm/durable"
)

// Dir is a Target: a directory, which is made when it does not exist.
type Dir string

// Put implements Target: the name appears when everything is on the disk.
func (d Dir) Put(_ context.Context, name string, write func(io.Writer) error) (n uint64, err error) {
	if err := durable.MakeDir(string(d)); err != nil {
		return 0, fmt.Errorf("make the directory for backups: %w", err)
	}
	part := filepath.Join(string(d), name+".partial")
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("write a backup: %w", err)
	}
	c := &counter{w: f}
	err = write(c)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, filepath.Join(string(d), name))
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("write a backup: %w", err), os.Remove(part))
	}
	return c.n, durable.SyncDir(string(d))
}

// Open implements Target.
func (d Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(d), name))
}

// List implements Target. What a crash has left half written is removed on the way.
func (d Dir) List(_ context.Context, prefix string) (names []string, err error) {
	entries, err := os.ReadDir(string(d))
	for _, e := range entries {
		switch {
		case !strings.HasPrefix(e.Name(), prefix):
		case strings.HasSuffix(e.Name(), ".partial"):
			err = errors.Join(err, os.Remove(filepath.Join(string(d), e.Name())))
		default:
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Remove implements Target.
func (d Dir) Remove(_ context.Context, name string) error {
	return errors.Join(os.Remove(filepath.Join(string(d), name)), durable.SyncDir(string(d)))
}

type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}
