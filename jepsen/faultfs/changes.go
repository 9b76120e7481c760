package faultfs

import (
	"golang.org/x/sys/unix"
)

// add makes a name.
func (n *names) add(dir, name string, do func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.touch(dir, name); err != nil {
		return err
	}
	return do()
}

// bear marks a name as that under which an inode was created.
func (n *names) bear(dir, name string, ino uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, err := n.directory(dir)
	if err != nil {
		return // it is gone already
	}
	if c := d.cells[name]; c != nil {
		c.born = ino
		n.born[ino] = c
	}
	n.letGo(d)
}

func (n *names) unbear(c *cell) {
	if n.born[c.born] == c {
		delete(n.born, c.born)
	}
	c.born = 0
}

// named makes the name durable under which a file was created.
func (n *names) named(ino uint64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.born[ino]; c != nil {
		return n.commit(c)
	}
	return nil
}

func (n *names) unlink(dir, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := n.touch(dir, name)
	if err != nil {
		return err
	}
	return n.remove(c.dir.fd, name)
}

func (n *names) rmdir(dir, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := n.touch(dir, name)
	if err != nil {
		return err
	}
	st, err := look(c.dir.fd, name)
	if err != nil || st.Ino == 0 {
		return unix.ENOENT
	}
	return n.retire(c, st.Ino)
}

func (n *names) rename(from, a, to, b string, flags uint) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	x, err := n.touch(from, a)
	if err != nil {
		return err
	}
	y, err := n.touch(to, b)
	if err != nil {
		return err
	}
	over, err := n.makeWay(x, y, flags)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(x.dir.fd, a, y.dir.fd, b, flags); err != nil {
		return err
	}
	x.ties, y.ties = append(x.ties, y), append(y.ties, x)
	if over.Nlink == 1 && !isDir(over) {
		n.gone(over.Ino)
	}
	return nil
}

// makeWay prepares for what a rename replaces, and tells what that is.
func (n *names) makeWay(x, y *cell, flags uint) (unix.Stat_t, error) {
	if flags&^(unix.RENAME_EXCHANGE|unix.RENAME_NOREPLACE) != 0 {
		return unix.Stat_t{}, unix.EINVAL
	}
	from, err := look(x.dir.fd, x.name)
	if err != nil || from.Ino == 0 {
		return unix.Stat_t{}, unix.ENOENT
	}
	over, err := look(y.dir.fd, y.name)
	if err != nil || flags != 0 || over.Ino == from.Ino {
		return unix.Stat_t{}, err
	}
	if isDir(over) && isDir(from) {
		err = n.retire(y, over.Ino)
	}
	return over, err
}

// sync makes the names in a directory durable.
func (n *names) sync(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, err := n.directory(dir)
	if err != nil {
		return err
	}
	err = n.commit(cellsOf(d)...)
	n.letGo(d)
	return err
}

func (n *names) commitAll() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.commit(n.all()...)
}

func (n *names) all() (out []*cell) {
	for _, d := range n.dirs {
		out = append(out, cellsOf(d)...)
	}
	return out
}

func cellsOf(d *directory) (out []*cell) {
	for _, c := range d.cells {
		out = append(out, c)
	}
	return out
}

// commit makes names durable as they are, with all that renames tie to them.
func (n *names) commit(cells ...*cell) error {
	seen := map[*cell]bool{}
	for len(cells) > 0 {
		c := cells[0]
		if cells = cells[1:]; seen[c] {
			continue
		}
		seen[c] = true
		cells = append(cells, c.ties...)
		if c.done {
			continue
		}
		c.done = true
		n.unbear(c)
		delete(c.dir.cells, c.name)
		n.letGo(c.dir)
		if err := n.release(c.was); err != nil {
			return err
		}
	}
	return nil
}

// restore makes all names lead to what they durably do.
func (n *names) restore(lost *Lost) error {
	var changed []*cell
	for _, c := range n.all() {
		st, err := look(c.dir.fd, c.name)
		if err != nil {
			return err
		}
		if st.Ino == c.was.ino {
			continue
		}
		changed = append(changed, c)
		if err := n.takeAway(c, st); err != nil {
			return err
		}
	}
	lost.Names += len(changed)
	for _, c := range changed {
		if err := n.putBack(c); err != nil {
			return err
		}
	}
	return nil
}

// takeAway moves directories aside, from where they are put back or not.
func (n *names) takeAway(c *cell, st unix.Stat_t) error {
	switch {
	case st.Ino == 0:
		return nil
	case isDir(st):
		return unix.Renameat(c.dir.fd, c.name, n.shadow, aside(st.Ino))
	}
	return unix.Unlinkat(c.dir.fd, c.name, 0)
}

func (n *names) putBack(c *cell) error {
	switch {
	case c.was.ino == 0:
		return nil
	case c.was.link == "":
		return unix.Renameat(n.shadow, aside(c.was.ino), c.dir.fd, c.name)
	}
	return unix.Renameat(n.shadow, c.was.link, c.dir.fd, c.name)
}
