// Package journal keeps a node's own chained record of what was read, in files below its data directory.
//
// It promises:
//   - Append returns when the operating system has the records: they survive the end of the process. They are on the disk within 100 ms,
//     which is what a power loss may cost. One goroutine syncs for all.
//   - Every record carries SHA-256(hash before || record). Files are never written again once another follows, and hold the hash at their start.
//   - A tail that a crash has torn is cut at the next start, set aside, and told in a record of its own. What was there once and is
//     gone otherwise shows in Verify: against the files themselves, and against the anchors that the replicated log holds.
//   - Retention removes whole files, oldest first, each after a record that names the last hash in it: the chain stays whole.
//   - When a record cannot be written Append says so, and tries anew the next time. Nothing else waits for it.
//
// Records hold names, never values, tokens or bodies.
package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Options say whose journal it is and what it may take.
type Options struct {
	Node    string
	Cluster fsm.UID
	File    int64         // bytes after which the next file begins; 0: 64 MiB
	Most    int64         // bytes of all files, beyond which the oldest are removed; 0: no bound
	Keep    time.Duration // age at which a file is removed; 0: for ever
	Log     *slog.Logger
	Clock   func() time.Time                       // nil: chaos.Now
	OnSync  func(took time.Duration)               // told of each sync; nil: nobody is
	create  func(name string, n int) (file, error) // puts faults below the journal, in tests
}

const (
	fileSize  = 64 << 20
	syncAfter = 50 * time.Millisecond // after the first record that waits; the sync itself has the rest of the 100 ms
	syncLag   = time.Second           // unsynced for so long: the disk does not keep up, and no more is promised
	trimEvery = time.Minute
)

// Head is the end of a journal. Journal is its own random name: a node whose journal was lost begins another.
type Head struct {
	Journal fsm.UID  `cbor:"1,keyasint"`
	Seq     uint64   `cbor:"2,keyasint"`
	Hash    [32]byte `cbor:"3,keyasint"`
}

// file is what the newest file is written through.
type file interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Journal is open for appending. It is safe for concurrent use.
type Journal struct {
	dir string
	opt Options
	id  fsm.UID

	reading sync.RWMutex // held for reading while files are read, for writing while one is removed
	syncing sync.Mutex   // held while a file is synced or exchanged; taken before mu

	mu      sync.Mutex // guards the rest
	files   []segment  // oldest first; the last is written
	out     file
	size    int64 // of the last file
	head    Head
	at      fsm.Time // of the last record: the next is not before
	synced  Head
	waiting time.Time // since when a record waits for a sync, zero when none does
	torn    bool      // bytes of a failed write may stand behind size
	failed  error     // a sync failed: what it was to cover may be gone, and nothing is promised any more
	buf     []byte
	wake    chan struct{}
}

// segment is one file.
type segment struct {
	number int
	first  uint64   // sequence of its first record
	prev   [32]byte // hash before that
	since  fsm.Time // time of the record before that
	size   int64    // of all but the last
}

// Head returns the end of the journal, and how much of it is surely on the disk.
func (j *Journal) Head() (head, synced Head) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head, j.synced
}

// Append writes records, whose sequence, time and hash it sets. fault.NoSpace: the disk is full; fault.NotDone: it fails or does not keep up.
// Nothing was written then.
func (j *Journal) Append(records ...Record) error {
	err := j.append(records)
	for errors.Is(err, errRotate) { // the next file may be full again before this one's turn
		if err = j.rotate(); err == nil {
			err = j.append(records)
		}
	}
	switch {
	case err == nil || fault.KindOf(err) != fault.Internal:
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.NoSpace, "the node's journal of reads has no space on its disk: reads are refused until there is some").Because(err)
	}
	return fault.New(fault.NotDone, "the node's journal of reads cannot be written: ask another node").Because(err).After(time.Second)
}

var errRotate = errors.New("the file is full")

func (j *Journal) append(records []Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.ready(); err != nil {
		return err
	}
	if j.size > j.limit() {
		return errRotate
	}
	head, at := j.head, j.at
	now := j.opt.Clock()
	j.buf = j.buf[:0]
	for i := range records {
		r := &records[i]
		head.Seq++
		at = max(at, fsm.At(now))
		r.Seq, r.At = head.Seq, at
		body, err := fsm.Encode(r)
		if err != nil {
			return fmt.Errorf("encode a record of the journal: %w", err)
		}
		head.Hash = chained(head.Hash, body)
		r.Hash = head.Hash
		j.buf = appendFrame(j.buf, head.Hash, body)
	}
	if _, err := j.out.WriteAt(j.buf, j.size); err != nil {
		j.torn = true
		return fmt.Errorf("write the journal: %w", err)
	}
	j.size, j.head, j.at = j.size+int64(len(j.buf)), head, at
	if j.waiting.IsZero() {
		j.waiting = time.Now()
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// ready says whether a record can be promised now. The caller holds mu.
func (j *Journal) ready() error {
	switch {
	case j.failed != nil:
		return fault.New(fault.NotDone, "the node's journal of reads did not reach the disk: restart the node, or ask another").Because(j.failed).After(time.Second)
	case !j.waiting.IsZero() && time.Since(j.waiting) > syncLag:
		return fault.New(fault.NotDone, "the disk under the node's journal of reads does not keep up: ask another node").After(time.Second)
	case j.torn:
		if err := j.out.Truncate(j.size); err != nil {
			return fmt.Errorf("take back what was written in part: %w", err)
		}
		j.torn = false
	}
	return nil
}

func (j *Journal) limit() int64 {
	if j.opt.File > 0 {
		return j.opt.File
	}
	return fileSize
}

// Run syncs what is appended and removes what is too old, until ctx ends. It never fails the node.
func (j *Journal) Run(ctx context.Context) error {
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for {
		select {
		case <-ctx.Done():
			j.sync()
			return nil
		case <-trim.C:
			j.Trim()
		case <-j.wake:
			select {
			case <-time.After(syncAfter):
			case <-ctx.Done():
			}
			j.sync()
		}
	}
}

// Sync makes everything appended so far durable.
func (j *Journal) Sync() error {
	j.sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

func (j *Journal) sync() {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	out, head, since := j.out, j.head, j.waiting
	idle := since.IsZero() || j.failed != nil
	j.mu.Unlock()
	if idle {
		return
	}
	begin := time.Now()
	err := out.Sync()
	if j.opt.OnSync != nil {
		j.opt.OnSync(time.Since(begin))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.failed = fmt.Errorf("sync the journal: %w", err)
		j.opt.Log.Error("the journal of reads did not reach the disk: reads are refused until the node is started again", "dir", j.dir, "err", err)
		return
	}
	j.synced, j.waiting = head, time.Time{}
	if j.head != head { // appended meanwhile
		j.waiting = begin
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

// rotate begins the next file; the one before is complete on the disk by then.
func (j *Journal) rotate() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.ready(); err != nil || j.size <= j.limit() { // another was faster
		return err
	}
	if err := j.out.Sync(); err != nil {
		j.failed = fmt.Errorf("sync the journal: %w", err)
		return j.failed
	}
	j.synced, j.waiting = j.head, time.Time{}
	old, size := j.out, j.size
	if err := j.begin(j.files[len(j.files)-1].number + 1); err != nil {
		return err
	}
	j.files[len(j.files)-2].size = size
	return old.Close()
}

// begin makes file n the one that is written. The caller holds mu. Nothing has changed when it fails.
func (j *Journal) begin(n int) error {
	name := fileName(j.dir, n)
	out, err := j.opt.create(name, n)
	if err != nil {
		return fmt.Errorf("begin a file of the journal: %w", err)
	}
	b, err := appendHeader(nil, header{Journal: j.id, Node: j.opt.Node, Cluster: j.opt.Cluster, First: j.head.Seq + 1, Since: j.at}, j.head.Hash)
	if err == nil {
		_, err = out.WriteAt(b, 0)
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = durable.SyncDir(j.dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin a file of the journal: %w", err), out.Close(), os.Remove(name))
	}
	j.out, j.size, j.torn = out, int64(len(b)), false
	j.files = append(j.files, segment{number: n, first: j.head.Seq + 1, prev: j.head.Hash, since: j.at})
	return nil
}

// Close syncs and closes the journal. Run has ended by then.
func (j *Journal) Close() error {
	j.sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	err := errors.Join(j.failed, j.out.Close())
	j.failed = os.ErrClosed
	return err
}

func createFile(name string, _ int) (file, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

func newID() (id fsm.UID) {
	rand.Read(id[:])
	return id
}
