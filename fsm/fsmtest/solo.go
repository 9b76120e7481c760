package fsmtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// Solo is the replicated log of one node, for tests of engines: what is proposed is rehearsed, and applied at once.
type Solo struct {
	store *fsm.Store

	mu     sync.Mutex // guards the rest
	index  uint64
	now    fsm.Time
	before func()
}

// NewSolo returns a log over s whose time is now.
func NewSolo(s *fsm.Store, now fsm.Time) *Solo { return &Solo{store: s, now: now} }

// Term implements fsm.Log.
func (l *Solo) Term() (uint64, error) { return 1, nil }

// ReadIndex implements fsm.Log.
func (l *Solo) ReadIndex(context.Context) (uint64, error) { return l.store.Applied(), nil }

// Propose implements fsm.Log.
func (l *Solo) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	f := l.before
	l.before = nil
	l.mu.Unlock()
	if f != nil {
		f()
	}
	out, err := l.Apply(e)
	return out.Receipt, err
}

// Before has f run once, before the next proposal: what others do meanwhile.
func (l *Solo) Before(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = f
}

// Now is the log's time; Pass lets some of it go by.
func (l *Solo) Now() fsm.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Pass lets the log's time go by.
func (l *Solo) Pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// Apply puts an entry into the log without a decision.
func (l *Solo) Apply(e *fsm.Entry) (fsm.Outcome, error) {
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Outcome{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	data := b.Marshal(1, l.now)
	if err := l.store.Rehearse(1, data); err != nil {
		return fsm.Outcome{}, err
	}
	l.index++
	switch out := l.store.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: data}).(type) {
	case []fsm.Outcome:
		return out[0], out[0].Err
	default:
		return fsm.Outcome{}, fmt.Errorf("apply: %v", out)
	}
}

// Must applies events of a tenant.
func (l *Solo) Must(t testing.TB, tenant fsm.UID, events ...fsm.Event) {
	t.Helper()
	if _, err := l.Apply(Entry(tenant, events...)); err != nil {
		t.Fatalf("apply: %v", err)
	}
}
