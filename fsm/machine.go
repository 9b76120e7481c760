package fsm

import (
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
)

// TermBegan opens a leader's term: once it is applied, everything of earlier terms is, and the leader may give read
// indexes. It is a command because Raft's own no-op never reaches a state machine.
type TermBegan struct{ Term uint64 }

// EventType and EventStream implement Event.
func (TermBegan) EventType() string   { return "cluster.term.began" }
func (TermBegan) EventStream() string { return "cluster/term" }

// Builtin registers the events of this package.
func Builtin(r *Registry) {
	On(r, func(*Tx, Meta, TermBegan) error { return nil })
	On(r, func(*Tx, Meta, DigestAsked) error { return nil })
	On(r, applySwept)
	On(r, applyRestored)
}

// machine is the Store as Raft sees it. All its methods but Persist run on Raft's one apply goroutine.
type machine struct{ s *Store }

// FSM returns the state machine that Raft drives.
func (s *Store) FSM() raft.BatchingFSM { return machine{s} }

// Apply applies one entry; Raft calls ApplyBatch instead.
func (m machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies committed entries in one atomic Pebble batch, or in several where a mark asks for a view between them. The response to
// a command is []Outcome; when the state machine has stopped it is an error.
func (m machine) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, 0, len(logs))
	for len(logs) > 0 {
		n, ask := m.s.markedUntil(logs)
		responses = append(responses, m.applyStep(logs[:n])...)
		logs = logs[n:]
		if ask != nil {
			m.s.mark(*ask)
		}
	}
	return responses
}

func (m machine) applyStep(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	err := m.s.failure.errNow()
	if err == nil {
		m.s.stepsBegun.Add(1)
		err = m.s.applySafely(logs, responses)
		m.s.stepsEnded.Add(1)
	}
	if err != nil {
		m.s.failure.set(err)
		for i := range responses {
			responses[i] = err
		}
	}
	return responses
}

func (f *failure) errNow() error {
	select {
	case <-f.done:
		return f.err
	default:
		return nil
	}
}

// applySafely makes a panic a failure that names where it was.
func (s *Store) applySafely(logs []*raft.Log, responses []any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = stopped(logs[0], fmt.Errorf("panic in the batch of %d entries that begins here: %v", len(logs), p))
		}
	}()
	return s.apply(logs, responses)
}

func (s *Store) apply(logs []*raft.Log, responses []any) (err error) {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	tx := newTx(h)
	defer tx.b.Close()
	if tx.meta, err = readMeta(tx); err != nil {
		return err
	}
	for i, l := range logs {
		if responses[i], err = s.applyLog(tx, l); err != nil {
			return stopped(l, err)
		}
	}
	if err := commit(tx, pebble.NoSync); err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	s.advance(tx.meta, logs)
	return nil
}

// applyLog applies one Raft entry. What the tables already hold is skipped, but only at the start of a replay: later it
// would mean that Raft and the tables disagree.
func (s *Store) applyLog(tx *Tx, l *raft.Log) (any, error) {
	if l.Index <= tx.meta.Index {
		if !s.fresh {
			return nil, fmt.Errorf("entry comes again after index %d", tx.meta.Index)
		}
		return []Outcome(nil), nil
	}
	s.fresh = false
	if l.Type != raft.LogCommand {
		tx.meta.Index, tx.meta.Term = l.Index, l.Term
		return nil, nil
	}
	return s.reg.applyBatch(tx, l.Index, l.Term, l.Data)
}

func stopped(l *raft.Log, err error) error {
	return fmt.Errorf("the state machine stops at index %d (term %d), because going on would make this node differ from the others; "+
		"see OPERATIONS.md, state machine stopped: %w", l.Index, l.Term, err)
}

func commit(tx *Tx, o *pebble.WriteOptions) error {
	b, err := Encode(tx.meta)
	if err != nil {
		return err
	}
	if err := tx.set(metaKey, b); err != nil {
		return err
	}
	return tx.publish(o)
}

// advance publishes what has been applied.
func (s *Store) advance(m meta, logs []*raft.Log) {
	for _, l := range logs {
		if l.Type == raft.LogCommand && IsOpening(l.Data) {
			s.began.Store(l.Term)
		}
	}
	s.epoch.Store(m.epoch())
	s.applied.Store(m.Index)
	s.wake()
}

// IsOpening reports whether a batch is the one that opens a term: it holds exactly one entry, the leader's TermBegan.
func IsOpening(data []byte) bool {
	e, ok := onlyEvent(data)
	return ok && e.Type == TermBegan{}.EventType()
}

// Rehearse runs a batch through the same code as Apply on a scratch copy of the state and throws the result away. An error or
// a panic here is a defect of one entry that must not reach the log, where it would stop every node.
func (s *Store) Rehearse(term uint64, data []byte) (err error) {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	tx := newTx(h)
	defer tx.b.Close()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if tx.meta, err = readMeta(tx); err != nil {
		return err
	}
	_, err = s.reg.applyBatch(tx, tx.meta.Index+1, term, data)
	return err
}

// Snapshot pins the state; Raft persists it off the apply path.
func (m machine) Snapshot() (raft.FSMSnapshot, error) {
	v, err := m.s.View()
	if err != nil {
		return nil, err
	}
	return &snapshot{m.s, v}, nil
}

// Restore replaces the state by a snapshot's.
func (m machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	if err := m.s.restore(r, m.s.Applied()); err != nil { // a snapshot that arrives late must not take anything back
		m.s.log.Error("snapshot not restored", "err", err)
		return err
	}
	return nil
}
