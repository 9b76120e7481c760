package fsm_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// tape is a replicated log of one node, which a test can hold up or let answer something else.
type tape struct {
	p *script

	mu       sync.Mutex // guards the rest, and p
	term     uint64     // 0: this node does not lead
	proposed []*fsm.Entry
	rounds   int
	meet     func(n int)                               // called in the n-th proposal, from 1, without the lock
	answer   func(n int) (fsm.Receipt, error)          // instead of applying it
	round    func(ctx context.Context) (uint64, error) // instead of an immediate answer
}

func (l *tape) Term() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == 0 {
		return 0, fault.New(fault.NotDone, "this node does not lead")
	}
	return l.term, nil
}

func (l *tape) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	l.proposed = append(l.proposed, e)
	n := len(l.proposed)
	l.mu.Unlock()
	if l.meet != nil {
		l.meet(n)
	}
	if l.answer != nil {
		return l.answer(n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.p.apply(e)[0]
	return out.Receipt, out.Err
}

func (l *tape) ReadIndex(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	l.rounds++
	l.mu.Unlock()
	if l.round != nil {
		return l.round(ctx)
	}
	return l.p.s.Applied(), nil
}

// counts returns how many proposals and how many rounds there were.
func (l *tape) counts() (proposals, rounds int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.proposed), l.rounds
}

// ledger runs f with a ledger over a tape, in a bubble.
func ledger(t *testing.T, f func(t *testing.T, l *fsm.Ledger, log *tape)) {
	t.Helper()
	bubble(t, func(t *testing.T, p *script) {
		log := &tape{p: p, term: 1}
		f(t, fsm.NewLedger(p.s, log), log)
	})
}

func request(n byte) fsm.Request {
	return fsm.Request{ID: fsm.UID{n}, Tenant: acme, Actor: fsm.Actor{Identity: "ann"},
		Receipt: &fsm.ReceiptKey{Key: [32]byte{n}, Request: [32]byte{n}}}
}

// write decides to write the note of this name once more, and answers which time it is.
func write(t *testing.T, name string) fsm.Decide {
	value := sealedOf(t, name)
	return func(v *fsm.View, e *fsm.Entry) error {
		g, err := fsm.GuardOf(v, e.Tenant, "note/"+name)
		if err != nil {
			return err
		}
		e.Guard(g)
		e.Add(noted{name, value})
		e.Reply.Public = []byte{byte(g.Version + 1)}
		return nil
	}
}

// drop refuses when there is no note of this name.
func drop(name string) fsm.Decide {
	return func(v *fsm.View, e *fsm.Entry) error {
		_, found, err := notes.Get(v, fsm.K(e.Tenant, name))
		if err == nil && !found {
			err = fault.New(fault.NotFound, "there is no note %s", name)
		}
		e.Add(dropped{name})
		return err
	}
}

type committed struct {
	fsm.Receipt
	err error
}

// commit starts a commit and returns where its outcome comes.
func commit(ctx context.Context, l *fsm.Ledger, r fsm.Request, lane string, decide fsm.Decide) <-chan committed {
	out := make(chan committed, 1)
	go func() {
		rc, err := l.Commit(ctx, r, lane, decide)
		out <- committed{rc, err}
	}()
	return out
}

func requireKind(t *testing.T, want fault.Kind, err error) {
	t.Helper()
	require.True(t, fault.Is(err, want), "%v is not %s", err, want)
}
