// Package fsmtest checks a projection, the events of a feature and how they are applied, against the promises of the state
// machine. A feature's test hands Check its Register and a log of realistic entries; Check fails unless
//
//   - the log has every event type that the feature registers;
//   - the same log gives the same digest in another store, however Raft groups it;
//   - so it does through a restart, through a crash that lost a tail, and through every snapshot followed by the rest;
//   - a snapshot that is cut short or has a flipped bit is refused and changes nothing;
//   - a rebuild from the event log gives the same digest, and the chain verifies;
//   - tables depend on the order of entries, and not on which Raft entry carried them;
//   - no bytes, as an entry or as an event's data, make Apply panic: what it refuses stops the store, nothing of
//     the batch is applied, and Rehearse said so before.
//
// It knows no feature and seals nothing: sealed values come from the caller.
package fsmtest

import (
	"bytes"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// Start is the log time of a checked log's first Raft entry, Step the time from each to the next.
const (
	Start = fsm.Time(1_800_000_000_000_000_000)
	Step  = time.Minute
)

// Check applies entries in this order, as the log of a cluster whose leader changes half way, and fails t on the first promise
// that does not hold. It returns the state at the end for the caller's own assertions, open until t ends.
func Check(t testing.TB, register func(*fsm.Registry), entries ...*fsm.Entry) *fsm.View {
	t.Helper()
	c := &checker{TB: t, register: register, entries: entries}
	c.logs = c.log()
	v := c.reference()
	c.covers(v)
	c.replay()
	c.restart()
	c.crash()
	c.snapshots()
	c.damage()
	c.rebuild(v)
	c.regroup()
	c.poison()
	return v
}

// Blob returns bytes that fsm.NewSealed accepts, for tests without a keyring: text stands in clear where ciphertext would.
func Blob(kek fsm.KEKID, text string) []byte {
	b := make([]byte, fsm.SealedNonceAt+12)
	b[0] = fsm.SealedFormat
	copy(b[1:], kek.Scope[:])
	b[20] = byte(kek.Version)
	return append(append(b, text...), bytes.Repeat([]byte{'t'}, 16)...)
}

// Entry returns an entry of tenant, as someone called ann causes it.
func Entry(tenant fsm.UID, events ...fsm.Event) *fsm.Entry {
	e := &fsm.Entry{Tenant: tenant, Actor: fsm.Actor{Identity: "ann", Accessor: "a1"}}
	e.Add(events...)
	return e
}

type checker struct {
	testing.TB
	register func(*fsm.Registry)
	entries  []*fsm.Entry
	logs     []*raft.Log // index i+1 at i
	digests  [][32]byte  // at each index, from 0
}

// log puts the entries into Raft entries of one, two and three, behind what Raft and its leaders put there themselves.
func (c *checker) log() []*raft.Log {
	logs := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration}, c.command(2, 1, opening(1))}
	term, half, size := uint64(1), len(c.entries)/2, 0
	for at := 0; at < len(c.entries); at += size {
		if term == 1 && at >= half {
			term = 2
			logs = append(logs, c.command(uint64(len(logs))+1, term, opening(term)))
		}
		size = min(1+len(logs)%3, len(c.entries)-at)
		logs = append(logs, c.command(uint64(len(logs))+1, term, c.entries[at:at+size]...))
	}
	return logs
}

func opening(term uint64) *fsm.Entry {
	e := &fsm.Entry{ID: fsm.UID{0: 0xff, 15: byte(term)}, Tenant: fsm.RootTenant}
	e.Add(fsm.TermBegan{Term: term})
	return e
}

func (c *checker) command(index, term uint64, entries ...*fsm.Entry) *raft.Log {
	at := Start.Add(time.Duration(index) * Step)
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: c.batch(term, at, c.marshal(entries...)...)}
}

func (c *checker) marshal(entries ...*fsm.Entry) [][]byte {
	c.Helper()
	out := make([][]byte, len(entries))
	for i, e := range entries {
		var err error
		if out[i], err = e.Marshal(); err != nil {
			c.Fatalf("entry %s: %v", e.ID, err)
		}
	}
	return out
}

func (c *checker) batch(term uint64, at fsm.Time, entries ...[]byte) []byte {
	var b fsm.Batch
	for _, e := range entries {
		b.Add(e)
	}
	return b.Marshal(term, at)
}

func (c *checker) open(dir string) *fsm.Store {
	c.Helper()
	s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, c.register), fsm.Options{})
	if err != nil {
		c.Fatalf("open: %v", err)
	}
	c.Cleanup(func() { s.Close() })
	return s
}

// apply hands logs to the state machine as one batch, and fails if it stops.
func (c *checker) apply(s *fsm.Store, logs ...*raft.Log) {
	c.Helper()
	for _, r := range s.FSM().ApplyBatch(logs) {
		if err, stopped := r.(error); stopped {
			c.Fatalf("apply: %v", err)
		}
	}
}

func (c *checker) view(s *fsm.Store) *fsm.View {
	c.Helper()
	v, err := s.View()
	if err != nil {
		c.Fatalf("view: %v", err)
	}
	return v
}

func (c *checker) digest(s *fsm.Store) [32]byte {
	c.Helper()
	v := c.view(s)
	defer v.Close()
	d, err := fsm.Digest(c.Context(), v)
	if err != nil {
		c.Fatalf("digest: %v", err)
	}
	return d
}

// same fails unless s is where the reference was at index.
func (c *checker) same(s *fsm.Store, index uint64, how string) {
	c.Helper()
	if s.Applied() != index || c.digest(s) != c.digests[index] {
		c.Fatalf("%s: the state at index %d is not the one that the log gave at index %d", how, s.Applied(), index)
	}
}

func (c *checker) last() uint64 { return uint64(len(c.logs)) }
