package faultfs

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// names remembers which directory entries were durable where that is not what readers see. The backing directories always have what
// readers see; a file that has lost a durable name keeps one in the shadow directory, and so does a directory.
type names struct {
	gone   func(ino uint64) // told of files that no name leads to any more
	mu     sync.Mutex       // guards the rest, and orders what is done to names
	shadow int              // descriptor of the shadow directory
	last   int              // number of the last link there
	dirs   map[uint64]*directory
	held   map[uint64]int   // how many durable names lead to a directory that lost them
	born   map[uint64]*cell // by inode: where it was created, while nothing else happened there
}

// directory is one with names to remember. It is reached through its descriptor, wherever it is moved to.
type directory struct {
	ino   uint64
	fd    int
	cells map[string]*cell
}

// cell is a name that changed since it was durable.
type cell struct {
	dir  *directory
	name string
	was  thing
	ties []*cell // become durable with it
	born uint64  // inode of the file that was created here last, while nothing else happened
	done bool    // it is durable again
}

// thing is what a durable name leads to.
type thing struct {
	ino  uint64 // 0: nothing
	link string // its name in the shadow directory; empty for a directory, which may not be there
}

func aside(ino uint64) string { return fmt.Sprintf("d%d", ino) }

func newNames(shadow string, gone func(uint64)) (*names, error) {
	fd, err := unix.Open(shadow, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &names{gone: gone, shadow: fd, dirs: map[uint64]*directory{}, held: map[uint64]int{}, born: map[uint64]*cell{}}, nil
}

func (n *names) close() error {
	err := unix.Close(n.shadow)
	for _, d := range n.dirs {
		err = errors.Join(err, unix.Close(d.fd))
	}
	return err
}

func isDir(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// look tells what a name leads to; ino 0: nothing.
func look(fd int, name string) (st unix.Stat_t, err error) {
	err = unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, ignore(err, unix.ENOENT)
}

// touch is called before a name changes.
func (n *names) touch(dir, name string) (*cell, error) {
	d, err := n.directory(dir)
	if err != nil {
		return nil, err
	}
	c := d.cells[name]
	if c == nil {
		c = &cell{dir: d, name: name}
		if c.was, err = n.hold(d, name); err != nil {
			n.letGo(d)
			return nil, err
		}
		d.cells[name] = c
	}
	n.unbear(c)
	return c, nil
}

func (n *names) directory(path string) (*directory, error) {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if known := n.dirs[st.Ino]; known != nil {
		return known, unix.Close(fd)
	}
	d := &directory{st.Ino, fd, map[string]*cell{}}
	n.dirs[st.Ino] = d
	return d, nil
}

// letGo forgets a directory with nothing to remember.
func (n *names) letGo(d *directory) {
	if len(d.cells) == 0 && n.dirs[d.ino] == d {
		_ = unix.Close(d.fd)
		delete(n.dirs, d.ino)
	}
}

// hold keeps what a durable name leads to.
func (n *names) hold(d *directory, name string) (thing, error) {
	st, err := look(d.fd, name)
	if err != nil || st.Ino == 0 {
		return thing{}, err
	}
	if isDir(st) {
		n.held[st.Ino]++
		return thing{ino: st.Ino}, nil
	}
	n.last++
	link := fmt.Sprintf("f%d", n.last)
	return thing{st.Ino, link}, unix.Linkat(d.fd, name, n.shadow, link, 0)
}

// release lets go of it.
func (n *names) release(t thing) error {
	switch {
	case t.ino == 0:
		return nil
	case t.link != "":
		return n.remove(n.shadow, t.link)
	}
	if n.held[t.ino]--; n.held[t.ino] > 0 {
		return nil
	}
	delete(n.held, t.ino)
	if st, err := look(n.shadow, aside(t.ino)); err != nil || st.Ino == 0 {
		return err // it still lives somewhere
	}
	return errors.Join(n.drop(t.ino), unix.Unlinkat(n.shadow, aside(t.ino), unix.AT_REMOVEDIR))
}

// remove removes the name of a file, and tells when it was the last.
func (n *names) remove(fd int, name string) error {
	st, err := look(fd, name)
	if err != nil {
		return err
	}
	if err := unix.Unlinkat(fd, name, 0); err != nil {
		return err
	}
	if st.Nlink == 1 {
		n.gone(st.Ino)
	}
	return nil
}

// drop forgets the names in a directory that has come to its end.
func (n *names) drop(ino uint64) (err error) {
	d := n.dirs[ino]
	if d == nil {
		return nil
	}
	for name, c := range d.cells {
		delete(d.cells, name)
		c.done = true
		n.unbear(c)
		err = errors.Join(err, n.release(c.was))
	}
	n.letGo(d)
	return err
}

// retire removes an empty directory, or puts it aside when a durable name leads to it.
func (n *names) retire(c *cell, ino uint64) error {
	fd, err := unix.Openat(c.dir.fd, c.name, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), c.name)
	inside, _ := f.Readdirnames(1) // io.EOF is what is hoped for
	if err := f.Close(); err != nil {
		return err
	}
	if len(inside) > 0 {
		return unix.ENOTEMPTY
	}
	if n.held[ino] > 0 {
		return unix.Renameat(c.dir.fd, c.name, n.shadow, aside(ino))
	}
	return errors.Join(unix.Unlinkat(c.dir.fd, c.name, unix.AT_REMOVEDIR), n.drop(ino))
}
