package faultfs

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// walker does the same to a file system and to the model of it.
type walker struct {
	*testing.T
	random
	fs  *FS
	dir string
	m   *model
}

var seeds = flag.Uint64("seeds", 12, "how many seeds TestRandomOperations takes")

// Random operations, and what must remain of them. A failing seed replays exactly.
func TestRandomOperations(t *testing.T) {
	steps := 600
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var options []Option
			if seed%3 == 2 {
				options = append(options, StrictNames)
			}
			f, dir := mounted(t, options...)
			w := &walker{t, random{rand.New(rand.NewPCG(seed, 0))}, f, dir, newModel(seed%3 == 2)}
			for step := range steps {
				what := w.step()
				if step%20 == 0 || what == "cut" {
					require.NoError(t, w.m.same(dir, exactly), "step %d: %s", step, what)
				}
			}
		})
	}
}

func (w *walker) step() string {
	choices := []struct {
		share int
		name  string
		do    func()
	}{
		{20, "create", w.create}, {30, "write", w.write}, {6, "truncate", w.truncate}, {14, "sync file", w.syncFile}, {4, "failed sync", w.failSync},
		{12, "sync dir", w.syncDir}, {8, "mkdir", w.mkdir}, {10, "unlink", w.unlink}, {5, "rmdir", w.rmdir}, {16, "rename file", w.renameFile},
		{6, "rename dir", w.renameDir}, {6, "link", w.link}, {3, "cut", w.cut}, {2, "torn cut", w.tornCut},
	}
	total := 0
	for _, c := range choices {
		total += c.share
	}
	n := w.IntN(total)
	for _, c := range choices {
		if n -= c.share; n < 0 {
			c.do()
			return c.name
		}
	}
	panic("unreachable")
}

func (w *walker) at(path ...string) string { return filepath.Join(append([]string{w.dir}, path...)...) }

func (w *walker) must(err error) {
	w.Helper()
	require.NoError(w.T, err)
}

func (w *walker) create() {
	at, _, d := w.any(w.m, true)
	name := w.name()
	f, err := os.OpenFile(w.at(at, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if d.names[name] != nil {
		require.ErrorIs(w.T, err, os.ErrExist)
		return
	}
	w.must(err)
	w.must(f.Close())
	w.m.create(slot{d, name})
}

func (w *walker) write() {
	at, _, i := w.any(w.m, false)
	if i == nil {
		return
	}
	b := make([]byte, 1+w.IntN(3*page))
	for j, c := 0, byte('a'+w.IntN(26)); j < len(b); j++ {
		b[j] = c
	}
	off := w.Int64N(int64(len(i.live)) + 2000)
	f, err := os.OpenFile(w.at(at), os.O_WRONLY, 0)
	w.must(err)
	_, err = f.WriteAt(b, off)
	w.must(err)
	w.must(f.Close())
	next := make([]byte, max(int64(len(i.live)), off+int64(len(b))))
	copy(next, i.live)
	copy(next[off:], b)
	i.write(next, off, off+int64(len(b)))
}

func (w *walker) truncate() {
	at, _, i := w.any(w.m, false)
	if i == nil {
		return
	}
	size := w.Int64N(4 * page)
	w.must(os.Truncate(w.at(at), size))
	next := make([]byte, size)
	copy(next, i.live)
	i.write(next, min(size, int64(len(i.live))), max(size, int64(len(i.live))))
}

func (w *walker) syncFile() {
	if at, _, i := w.any(w.m, false); i != nil {
		w.must(trySync(w.at(at)))
		w.m.syncFile(i)
	}
}

func (w *walker) failSync() {
	if at, _, i := w.any(w.m, false); i != nil {
		w.fs.Set(Faults{FailSync: true})
		require.ErrorIs(w.T, trySync(w.at(at)), syscall.EIO)
		w.fs.Set(Faults{})
		i.failSync()
	}
}

func (w *walker) syncDir() {
	at, _, d := w.any(w.m, true)
	w.must(trySync(w.at(at)))
	w.m.syncDir(d)
}

func (w *walker) mkdir() {
	at, _, d := w.any(w.m, true)
	name := w.name()
	if d.names[name] == nil {
		w.must(os.Mkdir(w.at(at, name), 0o700))
		w.m.set(slot{d, name}, newDir())
	}
}

func (w *walker) unlink() {
	if at, in, i := w.any(w.m, false); i != nil {
		w.must(syscall.Unlink(w.at(at)))
		w.m.set(in, nil)
	}
}

func (w *walker) rmdir() {
	at, _, d := w.any(w.m, true)
	name := w.name()
	sub := d.names[name]
	if sub == nil || !sub.isDir() {
		return
	}
	err := syscall.Rmdir(w.at(at, name))
	if len(sub.names) > 0 {
		require.ErrorIs(w.T, err, syscall.ENOTEMPTY)
		return
	}
	w.must(err)
	w.m.set(slot{d, name}, nil)
}

func (w *walker) renameFile() {
	at, in, i := w.any(w.m, false)
	to, _, d := w.any(w.m, true)
	name := w.name()
	if i == nil || d.names[name] == i || d.names[name] != nil && d.names[name].isDir() {
		return
	}
	w.must(os.Rename(w.at(at), w.at(to, name)))
	w.m.rename(in, slot{d, name})
}

func (w *walker) renameDir() {
	from, _, a := w.any(w.m, true)
	to, _, b := w.any(w.m, true)
	name, next := w.name(), w.name()
	what, over := a.names[name], b.names[next]
	if what == nil || !what.isDir() || what == over || over != nil && !over.isDir() {
		return
	}
	inside := false
	walk("", what, func(_ string, i *inode) { inside = inside || i == b })
	if inside {
		return
	}
	err := syscall.Rename(w.at(from, name), w.at(to, next))
	if over != nil && len(over.names) > 0 {
		require.ErrorIs(w.T, err, syscall.ENOTEMPTY)
		return
	}
	w.must(err)
	w.m.rename(slot{a, name}, slot{b, next})
}

func (w *walker) link() {
	at, _, i := w.any(w.m, false)
	to, _, d := w.any(w.m, true)
	name := w.name()
	if i == nil || d.names[name] != nil {
		return
	}
	w.must(os.Link(w.at(at), w.at(to, name)))
	w.m.set(slot{d, name}, i)
}

func (w *walker) cut() {
	_, err := w.fs.PowerCut(rand.New(rand.NewPCG(w.Uint64(), 0)), Cut{})
	w.must(err)
	w.m.cut(true)
	w.must(w.m.same(w.dir, exactly))
	w.m.everywhere(func(_ string, i *inode) {
		if !i.isDir() {
			i.settle(i.live)
		}
	})
}

// tornCut expects either all names or the durable ones, and contents within the bounds.
func (w *walker) tornCut() {
	lost, err := w.fs.PowerCut(rand.New(rand.NewPCG(w.Uint64(), 0)), Cut{Torn: true})
	w.must(err)
	names := lost.Names > 0
	keep := map[*inode][]byte{}
	w.m.everywhere(func(_ string, i *inode) { keep[i] = i.live })
	w.m.cut(names)
	w.m.everywhere(func(_ string, i *inode) {
		if b, ok := keep[i]; ok && !i.isDir() {
			i.live = b
		}
	})
	w.must(w.m.same(w.dir, within))
}
