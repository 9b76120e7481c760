package faultfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// inode is one of the model: what readers see, and what a power cut leaves.
type inode struct {
	live, durable   []byte
	versions        [][]byte       // all that the contents were since they were durable
	touched, gaveUp map[int64]bool // pages, since the last sync; and by failed syncs
	names, kept     map[string]*inode
}

// slot is a name in a directory.
type slot struct {
	dir  *inode
	name string
}

// model is the file system that faultfs promises to be.
type model struct {
	strict bool
	top    *inode
	ties   [][2]slot       // renames of which nothing is durable
	born   map[slot]*inode // names under which a file was created, while nothing else happened there
}

func newDir() *inode { return &inode{names: map[string]*inode{}, kept: map[string]*inode{}} }

func newFile() *inode {
	return &inode{touched: map[int64]bool{}, gaveUp: map[int64]bool{}, versions: [][]byte{nil}}
}

func newModel(strict bool) *model {
	return &model{strict: strict, top: newDir(), born: map[slot]*inode{}}
}

func (i *inode) isDir() bool { return i.names != nil }

// set gives a name something else to lead to, or nothing.
func (m *model) set(s slot, to *inode) {
	delete(m.born, s)
	if to == nil {
		delete(s.dir.names, s.name)
		return
	}
	s.dir.names[s.name] = to
}

func (m *model) create(s slot) *inode {
	f := newFile()
	m.set(s, f)
	m.born[s] = f
	return f
}

func (m *model) rename(from, to slot) {
	what := from.dir.names[from.name]
	m.set(from, nil)
	m.set(to, what)
	m.ties = append(m.ties, [2]slot{from, to})
}

// write replaces the contents; from and to say where they differ.
func (i *inode) write(b []byte, from, to int64) {
	i.live = b
	i.versions = append(i.versions, b)
	for p := from / page; p*page < to; p++ {
		i.touched[p] = true
	}
}

func (m *model) syncFile(i *inode) {
	was := i.durable
	i.durable = slices.Clone(i.live)
	for p := range i.touched {
		delete(i.gaveUp, p)
	}
	for p := range i.gaveUp {
		if at := p * page; at < int64(len(i.durable)) {
			dst := i.durable[at:min(at+page, int64(len(i.durable)))]
			clear(dst)
			if at < int64(len(was)) {
				copy(dst, was[at:])
			}
		}
	}
	clear(i.touched)
	i.versions = [][]byte{i.durable, i.live}
	for s, f := range maps.Clone(m.born) {
		if f == i && !m.strict {
			m.commit(s)
		}
	}
}

func (i *inode) failSync() {
	for p := range i.touched {
		i.gaveUp[p] = true
	}
	clear(i.touched)
}

func (m *model) syncDir(d *inode) {
	for name := range d.names {
		m.commit(slot{d, name})
	}
	for name := range maps.Clone(d.kept) {
		m.commit(slot{d, name})
	}
	for _, t := range slices.Clone(m.ties) {
		for _, s := range t {
			if s.dir == d {
				m.commit(s) // a name that came and went
			}
		}
	}
}

// commit makes a name durable, and with it all that renames tie to it.
func (m *model) commit(s slot) {
	for todo := []slot{s}; len(todo) > 0; todo = todo[1:] {
		s := todo[0]
		delete(m.born, s)
		if to := s.dir.names[s.name]; to != nil {
			s.dir.kept[s.name] = to
		} else {
			delete(s.dir.kept, s.name)
		}
		m.ties = slices.DeleteFunc(m.ties, func(t [2]slot) bool {
			if t[0] != s && t[1] != s {
				return false
			}
			todo = append(todo, t[0], t[1])
			return true
		})
	}
}

// cut leaves what is durable.
func (m *model) cut(names bool) {
	m.ties = nil
	clear(m.born)
	m.everywhere(func(_ string, i *inode) {
		if i.isDir() && names {
			i.names = maps.Clone(i.kept)
		} else if i.isDir() {
			i.kept = maps.Clone(i.names)
		} else {
			i.live = i.durable
		}
	})
}

// settle takes what is there for durable.
func (i *inode) settle(b []byte) {
	i.live, i.durable, i.versions = b, b, [][]byte{b}
	clear(i.touched)
	clear(i.gaveUp)
}

// everywhere visits all that names lead to, from the top; a directory before what is in it, by the names that it has after the visit.
func (m *model) everywhere(visit func(path string, i *inode)) { walk("", m.top, visit) }

func walk(at string, i *inode, visit func(string, *inode)) {
	visit(at, i)
	for _, name := range slices.Sorted(maps.Keys(i.names)) {
		walk(path.Join(at, name), i.names[name], visit)
	}
}

// random draws names and places.
type random struct{ *rand.Rand }

func (r random) name() string { return string(rune('a' + r.IntN(4))) }

// any draws what a name leads to, of one kind; with at empty there is none, or only the top.
func (r random) any(m *model, dir bool) (at string, in slot, i *inode) {
	type found struct {
		at string
		in slot
		i  *inode
	}
	var all []found
	m.everywhere(func(at string, i *inode) {
		if i.isDir() && dir {
			all = append(all, found{at, slot{}, i})
		}
		for name, c := range i.names {
			if !dir && !c.isDir() {
				all = append(all, found{path.Join(at, name), slot{i, name}, c})
			}
		}
	})
	if len(all) == 0 {
		return "", slot{}, nil
	}
	slices.SortFunc(all, func(a, b found) int { return bytes.Compare([]byte(a.at), []byte(b.at)) })
	f := all[r.IntN(len(all))]
	return f.at, f.in, f.i
}
