package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// disk is what of a node outlives its processes: Raft's log and votes, its snapshots, and the files of the tables.
type disk struct {
	w    *world
	node int

	mu     sync.Mutex // guards the rest
	d      dice
	logs   map[uint64]*raft.Log // synced
	first  uint64               // 0: none
	last   uint64
	stable map[string][]byte
	snaps  []*kept // newest first
	files  *vfs.MemFS

	slowest time.Duration // of a sync
	lies    bool          // a sync returns before anything is kept: deliberately broken
}

type kept struct {
	meta raft.SnapshotMeta
	data []byte
}

const quickDisk = time.Millisecond

func newDisk(w *world, node int) *disk {
	return &disk{w: w, node: node, d: roll(w.seed, fmt.Sprint("disk", node)), logs: map[uint64]*raft.Log{}, stable: map[string][]byte{},
		files: vfs.NewCrashableMem(), slowest: quickDisk, lies: w.broken.disk}
}

// mount is a disk as one process sees it. What it writes is there, for the process and after a crash, once a sync is over; of what was under way
// at the crash, nothing, a part or all is kept.
type mount struct {
	p *process
	*disk
	pending []*writing
}

// writing is being synced; keep gives so many of a hundred of it to a disk.
type writing struct{ keep func(d *disk, part int) }

var errNotThere = errors.New("not found") // what Raft looks for

// sync waits as long as a sync takes, and keeps what it is given, unless the process dies meanwhile.
func (m *mount) sync(keep func(d *disk, part int)) error {
	if err := m.p.pass(); err != nil {
		return err
	}
	one := &writing{keep}
	m.mu.Lock()
	takes := m.d.between(20*time.Microsecond, m.slowest)
	if m.lies {
		keep(m.disk, 100) // for the process: the crash takes back what is too young
		m.mu.Unlock()
		return nil
	}
	m.pending = append(m.pending, one)
	m.mu.Unlock()
	time.Sleep(takes)
	if m.p.pass() != nil {
		return errDead
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = slices.DeleteFunc(m.pending, func(w *writing) bool { return w == one })
	keep(m.disk, 100)
	return nil
}

// crash returns what is left for the next process. The dead one keeps what it sees until it has ended.
func (m *mount) crash() *disk {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := &disk{w: m.w, node: m.node, d: roll(m.d.Uint64(), "disk"), logs: maps.Clone(m.logs), first: m.first, last: m.last, stable: maps.Clone(m.stable), snaps: m.snaps,
		slowest: m.slowest, lies: m.lies}
	for _, w := range m.pending {
		w.keep(next, pick(m.d, 0, 0, 50, 100))
	}
	m.pending = nil
	if m.lies && next.last > 4 { // what the last syncs have promised
		next.remove(next.last-m.d.Uint64N(3), next.last)
	}
	next.files = m.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(m.d, 0, 50, 100), RNG: m.d.Rand})
	return next
}

func (m *mount) FirstIndex() (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first, nil
}

func (m *mount) LastIndex() (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last, nil
}

func (m *mount) GetLog(index uint64, out *raft.Log) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, found := m.logs[index]
	if !found {
		return raft.ErrLogNotFound
	}
	*out = *l
	return nil
}

func (m *mount) StoreLog(l *raft.Log) error { return m.StoreLogs([]*raft.Log{l}) }

func (m *mount) StoreLogs(logs []*raft.Log) error {
	copied := make([]*raft.Log, len(logs))
	for i, l := range logs {
		one := *l
		copied[i] = &one
	}
	return m.sync(func(d *disk, part int) {
		for _, l := range copied[:len(copied)*part/100] {
			d.w.trace.note("%d log %d t%d", d.node, l.Index, l.Term)
			d.logs[l.Index] = l
			if d.first == 0 || l.Index < d.first {
				d.first = l.Index
			}
			d.last = max(d.last, l.Index)
		}
	})
}

func (m *mount) DeleteRange(from, to uint64) error {
	return m.sync(func(d *disk, part int) {
		if part == 100 { // the product's stores do it in one transaction
			d.remove(from, to)
		}
	})
}

func (d *disk) remove(from, to uint64) {
	d.w.trace.note("%d log without %d to %d", d.node, from, to)
	for i := from; i <= to; i++ {
		delete(d.logs, i)
	}
	if from <= d.first {
		d.first = to + 1
	}
	if to >= d.last {
		d.last = from - 1
	}
	if len(d.logs) == 0 {
		d.first, d.last = 0, 0
	}
}

func (m *mount) Get(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, found := m.stable[string(key)]
	if !found {
		return nil, errNotThere
	}
	return v, nil
}

// Set never fails: Raft panics when it cannot keep a vote, and a process that is dead would take the others with it.
func (m *mount) Set(key, value []byte) error {
	k, v := string(key), bytes.Clone(value)
	err := m.sync(func(d *disk, part int) {
		if part == 100 {
			d.stable[k] = v
		}
	})
	if err != nil {
		<-m.p.ending // nobody hears what comes after it
	}
	return nil
}

func (m *mount) SetUint64(key []byte, v uint64) error { return m.Set(key, []byte(fmt.Sprint(v))) }

func (m *mount) GetUint64(key []byte) (v uint64, err error) {
	b, err := m.Get(key)
	if err == nil {
		_, err = fmt.Sscan(string(b), &v)
	}
	return v, err
}

// library is Raft's snapshot store.
type library struct{ *mount }

type sink struct {
	bytes.Buffer
	l    library
	meta raft.SnapshotMeta
}

func (l library) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	id := fmt.Sprintf("%d-%d-%d", term, index, l.p.w.now())
	return &sink{l: l, meta: raft.SnapshotMeta{Version: version, ID: id, Index: index, Term: term, Configuration: c, ConfigurationIndex: at}}, nil
}

func (l library) List() (out []*raft.SnapshotMeta, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.snaps {
		one := s.meta
		out = append(out, &one)
	}
	return out, nil
}

func (l library) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.snaps {
		if s.meta.ID == id {
			one := s.meta
			return &one, io.NopCloser(bytes.NewReader(s.data)), nil
		}
	}
	return nil, nil, errNotThere
}

func (s *sink) ID() string    { return s.meta.ID }
func (s *sink) Cancel() error { return nil }

func (s *sink) Close() error {
	s.meta.Size = int64(s.Len())
	one := &kept{s.meta, s.Bytes()}
	return s.l.sync(func(d *disk, part int) {
		if part == 100 { // by a rename
			d.w.trace.note("%d snapshot %d", d.node, s.meta.Index)
			d.snaps = append([]*kept{one}, d.snaps[:min(1, len(d.snaps))]...)
		}
	})
}
