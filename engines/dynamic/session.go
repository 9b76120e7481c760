package dynamic

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// idle is how long a session is kept that nobody uses.
const idle = 5 * time.Minute

// sessions are this node's, one for each connection.
type sessions struct {
	mu  sync.Mutex // guards the rest
	all map[sessionKey]*pooled
}

type sessionKey struct{ tenant, connection fsm.UID }

// pooled is a session with those who use it.
type pooled struct {
	opened chan struct{} // closed when session and err are there
	seq    uint64        // of the connection that it was opened for
	users  int
	used   time.Time
	stale  bool // closed when the last user has left

	session backend.Session
	err     error
}

// use calls f with a session of a connection, under the deadline of a call and after a round that shows that this node leads.
func (e *Engine) use(ctx context.Context, tenant fsm.UID, name string, f func(context.Context, backend.Session) error) error {
	if err := e.Confirm(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, leave, err := e.session(ctx, tenant, name)
	if err != nil {
		return err
	}
	defer leave()
	return f(ctx, s)
}

// session returns the session of a connection as it is now, and what ends its use.
func (e *Engine) session(ctx context.Context, tenant fsm.UID, name string) (backend.Session, func(), error) {
	v, err := e.Ledger.View()
	if err != nil {
		return nil, nil, err
	}
	defer v.Close()
	row, err := find(v, tenant, name)
	if err != nil {
		return nil, nil, err
	}
	p, mine := e.sessions.enter(sessionKey{tenant, row.UID}, row.Seq)
	if mine {
		p.session, p.err = e.open(ctx, v, tenant, row)
		close(p.opened)
	}
	leave := func() { e.sessions.leave(sessionKey{tenant, row.UID}, p) }
	select {
	case <-p.opened:
	case <-ctx.Done():
		leave()
		return nil, nil, ctx.Err()
	}
	if p.err != nil {
		e.sessions.drop(sessionKey{tenant, row.UID}, p)
		leave()
		return nil, nil, p.err
	}
	return p.session, leave, nil
}

// open logs in with the password that is stored; while it is being rotated, with the next one first.
func (e *Engine) open(ctx context.Context, v *fsm.View, tenant fsm.UID, row connectionRow) (backend.Session, error) {
	if row.Next.IsZero() {
		return e.openWith(ctx, v, tenant, row, row.Password, row.Sealed)
	}
	s, err := e.openWith(ctx, v, tenant, row, row.Next, row.Given)
	if err == nil {
		return s, nil
	}
	old, bad := e.openWith(ctx, v, tenant, row, row.Password, row.Sealed)
	if bad != nil {
		return nil, errors.Join(err, bad)
	}
	return old, nil
}

// openWith shows that a password is right: sessions that connect when they are needed say so too late.
func (e *Engine) openWith(ctx context.Context, v *fsm.View, tenant fsm.UID, row connectionRow, sealed fsm.Sealed, number uint64) (backend.Session, error) {
	b, err := e.backend(row.Backend)
	if err != nil {
		return nil, err
	}
	password, err := e.Keys.Open(v, passwordBinding(tenant, row.UID, number), sealed)
	if err != nil {
		return nil, err
	}
	defer clear(password)
	s, err := b.Open(ctx, backend.Target{Config: row.Config, Username: row.Username, Password: password, Dial: e.Dial})
	if err != nil || row.Next.IsZero() {
		return s, err
	}
	if err := s.Verify(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// enter joins the users of a session; mine says that the caller has to open it.
func (s *sessions) enter(key sessionKey, seq uint64) (p *pooled, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p = s.all[key]; p == nil || p.seq != seq {
		if p != nil {
			p.retire()
		}
		p, mine = &pooled{opened: make(chan struct{}), seq: seq}, true
		s.all[key] = p
	}
	p.users++
	return p, mine
}

func (s *sessions) leave(key sessionKey, p *pooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.users--
	p.used = time.Now()
	if p.stale {
		p.retire()
	}
}

// drop has the next user open a session of its own.
func (s *sessions) drop(key sessionKey, p *pooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[key] == p {
		delete(s.all, key)
	}
	p.stale = true
}

// retire closes a session once nobody uses it. The caller holds the lock of those it is one of.
func (p *pooled) retire() {
	if p.stale = true; p.users == 0 && p.session != nil {
		go p.session.Close()
		p.session = nil
	}
}

// tidy closes what nobody has used for a while, or everything.
func (s *sessions) tidy(everything bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, p := range s.all {
		if everything || p.users == 0 && time.Since(p.used) > idle {
			delete(s.all, key)
			p.retire()
		}
	}
}

// unreachable reports whether a lease's or account's connection is gone for good.
func unreachable(name string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, "connection %q is not there any more: what it made cannot be ended", name)
	}
	return err
}
