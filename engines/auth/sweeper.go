package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Dead tokens stay for a day, so that who asks why one was refused can still look it up.
const (
	keepDead   = 24 * time.Hour
	sweepBatch = 100
	sweepEvery = 10 * time.Minute
	sweepRetry = 30 * time.Second
)

// Sweeper removes tokens that have been dead for more than a day, and has the answers that hold a secret destroyed in time when
// nobody writes anything. It runs on the leader.
type Sweeper struct {
	e   *Engine
	log *slog.Logger
}

// Sweeper returns the worker that cleans up behind e.
func (e *Engine) Sweeper(log *slog.Logger) *Sweeper { return &Sweeper{e, log} }

// Run sweeps now, every ten minutes and when an answer is due, until ctx ends; it then returns nil. A failed sweep is repeated
// after 30 seconds.
func (s *Sweeper) Run(ctx context.Context) error {
	for {
		pause, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "dead tokens or secret answers not removed, will retry", "err", err)
			pause = sweepRetry
		}
		if !s.e.clock.Wait(ctx, pause) {
			return nil
		}
	}
}

// round returns how long to wait for the next one.
func (s *Sweeper) round(ctx context.Context) (time.Duration, error) {
	if err := s.sweep(ctx); err != nil {
		return 0, err
	}
	due, err := s.untilAnswer()
	for before := due - 1; err == nil && due <= 0 && due > before; { // no progress: log time lags behind the clock
		before = due
		if _, err = s.e.ledger.Commit(ctx, request(), "", s.destroy); err == nil {
			due, err = s.untilAnswer()
		}
	}
	return min(max(due, sweepRetry), sweepEvery), err
}

// untilAnswer returns in what time the oldest secret answer is due, sweepEvery if there is none.
func (s *Sweeper) untilAnswer() (time.Duration, error) {
	v, err := s.e.ledger.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	due, found, err := fsm.AnswersDue(v)
	if !found {
		return sweepEvery, err
	}
	return due.Sub(s.e.now(v)), err
}

func (s *Sweeper) destroy(v *fsm.View, entry *fsm.Entry) error {
	due, found, err := fsm.AnswersDue(v)
	if found && due <= s.e.now(v) {
		entry.Add(fsm.AnswersSwept{})
	}
	return err
}

// sweep removes everything due, a batch at a time.
func (s *Sweeper) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := s.due()
		if err != nil || len(due) == 0 {
			return err
		}
		if _, err := s.e.ledger.Commit(ctx, request(), "", s.forget); err != nil {
			return err
		}
		if len(due) < sweepBatch {
			return nil
		}
	}
	return nil
}

func request() fsm.Request {
	req := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "system:token-sweeper"}}
	_, _ = rand.Read(req.ID[:]) // never fails: the process ends instead
	return req
}

// due looks before a commit is tried: one without effect would cost a round among the nodes.
func (s *Sweeper) due() ([]Ref, error) {
	v, err := s.e.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return dueBefore(v, s.e.now(v))
}

func (s *Sweeper) forget(v *fsm.View, entry *fsm.Entry) error {
	due, err := dueBefore(v, s.e.now(v))
	if err != nil {
		return err
	}
	for _, ref := range due {
		entry.AddIn(ref.Tenant, Forgotten{ref.Accessor})
		if err := guard(v, entry, Session{Token: Token{Tenant: ref.Tenant, Accessor: ref.Accessor}}); err != nil {
			return err
		}
	}
	return nil
}

// dueBefore returns the tokens that have been dead longest, up to one batch.
func dueBefore(r fsm.Reader, now fsm.Time) ([]Ref, error) {
	var due []Ref
	end := fsm.K(max(now.Add(-keepDead), 0))
	err := expiries.Scan(r, fsm.Span{}, func(k fsm.Key, ref Ref) (bool, error) {
		if bytes.Compare(k, end) >= 0 {
			return false, nil
		}
		due = append(due, ref)
		return len(due) < sweepBatch, nil
	})
	return due, err
}
