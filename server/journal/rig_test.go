package journal

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

var acme = fsm.UID{7}

// clock is set by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, dir string, change ...func(*Options)) *Journal {
	t.Helper()
	opt := Options{Node: "n1", Cluster: fsm.UID{9}}
	for _, c := range change {
		c(&opt)
	}
	j, err := Open(dir, opt)
	require.NoError(t, err)
	return j
}

func small(o *Options) { o.File = 600 }

// readOf is the record of a read of path.
func readOf(path string) Record {
	return Record{Op: "secrets.get", Identity: "app", Accessor: "acc", Tenant: fsm.RootTenant, Path: path, Outcome: Allowed, Rule: "team"}
}

func fill(t *testing.T, j *Journal, n int) {
	t.Helper()
	for range n {
		require.NoError(t, j.Append(readOf("db/password")))
	}
}

// files returns the journal's files, oldest first.
func filesOf(t *testing.T, dir string) (names []string) {
	numbers, err := list(dir)
	require.NoError(t, err)
	for _, n := range numbers {
		names = append(names, fileName(dir, n))
	}
	return names
}

// all reads everything in the journal.
func all(t *testing.T, j *Journal, q Query) (out []Record) {
	t.Helper()
	for {
		p, err := j.Read(t.Context(), q)
		require.NoError(t, err)
		for _, l := range p.Lines {
			r, err := l.Record()
			require.NoError(t, err)
			out = append(out, r)
		}
		if p.Next == 0 {
			return out
		}
		q.From = p.Next
	}
}

// flaky is a file that fails as it is told.
type flaky struct {
	*os.File
	d *disk
}

// disk is what flaky files stand on.
type disk struct {
	mu    sync.Mutex
	space int64 // bytes that can still be written; negative: no bound
	err   error // of each sync
	slow  chan struct{}
}

func (d *disk) create(name string, n int) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := createFile(name, n)
	if err != nil {
		return nil, err
	}
	return &flaky{f.(*os.File), d}, nil
}

func (d *disk) set(space int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space, d.err = space, err
}

func (f *flaky) WriteAt(b []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.space < 0 || int64(len(b)) <= f.d.space {
		if f.d.space > 0 {
			f.d.space -= int64(len(b))
		}
		return f.File.WriteAt(b, at)
	}
	n, err := f.File.WriteAt(b[:f.d.space], at)
	f.d.space = 0
	if err == nil {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return n, err
}

func (f *flaky) Sync() error {
	f.d.mu.Lock()
	err, slow := f.d.err, f.d.slow
	f.d.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if err != nil {
		return err
	}
	return f.File.Sync()
}

func journalDir(t *testing.T) string { return filepath.Join(t.TempDir(), "journal") }

// anchors are what the replicated log holds.
func anchors(heads ...Head) Anchors {
	return func(yield func(Head, error) bool) {
		for _, h := range heads {
			if !yield(h, nil) {
				return
			}
		}
	}
}
