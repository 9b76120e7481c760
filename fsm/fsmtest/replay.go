package fsmtest

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// reference applies the log one entry after the other and notes each digest: what every other way must arrive at.
func (c *checker) reference() *fsm.View {
	s := c.open(c.TempDir())
	c.digests = append(c.digests, c.digest(s))
	for _, l := range c.logs {
		c.apply(s, l)
		c.digests = append(c.digests, c.digest(s))
	}
	v := c.view(s)
	c.Cleanup(func() { v.Close() })
	return v
}

// covers fails unless every registered type took effect: an entry that missed its guards does not count.
func (c *checker) covers(v *fsm.View) {
	c.Helper()
	seen := map[string]bool{}
	err := fsm.History(v, 0, false, func(r fsm.Record) (bool, error) {
		for _, e := range r.Events {
			seen[e.Type] = true
		}
		return true, nil
	})
	if err != nil {
		c.Fatalf("history: %v", err)
	}
	for _, name := range fsm.NewRegistry(c.register).Types() {
		if !seen[name] {
			c.Fatalf("no entry with the event %s took effect", name)
		}
	}
}

// replay applies the log again, all at once and in pairs.
func (c *checker) replay() {
	c.Helper()
	again := c.open(c.TempDir())
	c.apply(again, c.logs...)
	c.same(again, c.last(), "the same log in another store, as one batch")
	again = c.open(c.TempDir())
	for pair := range slices.Chunk(c.logs, 2) {
		c.apply(again, pair...)
		c.same(again, pair[len(pair)-1].Index, "the same log in another store, in pairs")
	}
}

// restart goes on where the tables are and skips what they hold, but only before anything else was applied.
func (c *checker) restart() {
	c.Helper()
	dir, half := c.TempDir(), c.last()/2
	s := c.open(dir)
	c.apply(s, c.logs[:half]...)
	if err := s.Close(); err != nil {
		c.Fatalf("close: %v", err)
	}
	s = c.open(dir)
	c.same(s, half, "after a restart")
	c.apply(s, c.logs...)
	c.same(s, c.last(), "replay over durable tables")
	if _, stopped := s.FSM().Apply(c.logs[half]).(error); !stopped {
		c.Fatalf("an entry that comes again after others does not stop the store")
	}
	c.same(s, c.last(), "an entry that comes again")
}

// crash copies a live store's files, as they are after a kill, cuts the end off the write-ahead log, and goes on from there.
func (c *checker) crash() {
	c.Helper()
	dir := c.TempDir()
	s := c.open(dir)
	for _, l := range c.logs {
		c.apply(s, l)
	}
	for _, keep := range []int{100, 70, 30} {
		copied := filepath.Join(c.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			c.Fatalf("copy: %v", err)
		}
		c.tear(copied, keep)
		after := c.open(copied)
		c.same(after, after.Applied(), "after a crash")
		c.apply(after, c.logs...)
		c.same(after, c.last(), "replay after a crash")
	}
}

// tear keeps this many percent of each write-ahead log.
func (c *checker) tear(dir string, percent int) {
	c.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*", "*.log"))
	if err != nil || len(logs) == 0 {
		c.Fatalf("no write-ahead log in %s: %v", dir, err)
	}
	for _, path := range logs {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, info.Size()*int64(percent)/100)
		}
		if err != nil {
			c.Fatalf("tear: %v", err)
		}
	}
}

// regroup applies the entries one to a Raft entry and all in one, at the same moment and without receipts, which hold the
// index of their Raft entry.
func (c *checker) regroup() {
	c.Helper()
	alone, together := c.open(c.TempDir()), c.open(c.TempDir())
	raw := c.marshal(c.bare(func(e *fsm.Entry) { e.Receipt = nil })...)
	for i, e := range raw {
		c.apply(alone, &raft.Log{Index: uint64(i) + 1, Term: 1, Data: c.batch(1, Start, e)})
	}
	c.apply(together, &raft.Log{Index: 1, Term: 1, Data: c.batch(1, Start, raw...)})
	if c.tables(alone) != c.tables(together) {
		c.Fatalf("the tables depend on which Raft entry carries an entry")
	}
}

// bare returns copies of the entries without something.
func (c *checker) bare(strip func(*fsm.Entry)) []*fsm.Entry {
	out := make([]*fsm.Entry, len(c.entries))
	for i, e := range c.entries {
		e := *e
		strip(&e)
		out[i] = &e
	}
	return out
}

func (c *checker) tables(s *fsm.Store) [32]byte {
	c.Helper()
	v := c.view(s)
	defer v.Close()
	d, err := fsm.TablesDigest(c.Context(), v)
	if err != nil {
		c.Fatalf("digest: %v", err)
	}
	return d
}
