package seal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"time"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

// ask opens a session if there is none. An old one may have died unnoticed: then it is opened anew, once.
func (s *PKCS11) ask(ctx context.Context, m token.Message) ([]byte, error) {
	if s.closed {
		return nil, fault.New(fault.NotDone, "seal %s is closed", s.id)
	}
	old := s.child != nil
	out, err := s.try(ctx, m)
	if err != nil && old && s.child == nil && m.Kind != token.CreateKey {
		s.log.InfoContext(ctx, "the session with the token is opened anew", "err", err)
		out, err = s.try(ctx, m)
	}
	if s.child != nil {
		s.endWhenIdle()
	}
	return out, err
}

// try makes one attempt. After a failure there is no child, and after that of a new one a pause.
func (s *PKCS11) try(ctx context.Context, m token.Message) ([]byte, error) {
	isNew := s.child == nil
	if isNew {
		if err := s.pause(ctx); err != nil {
			return nil, err
		}
		if err := s.login(ctx); err != nil {
			s.note(err)
			s.failed(ctx, err)
			return nil, err
		}
	}
	limit := s.limits.call
	if m.Kind == token.CreateKey {
		limit = s.limits.create
	}
	out, err := s.request(m, limit)
	s.note(err)
	switch {
	case err == nil || errors.Is(err, ErrWrongKey):
		s.fails = 0
	case isNew:
		s.failed(ctx, err)
	default:
		s.endChild()
	}
	return out, err
}

// request sends one message and turns what is not Done into an error.
func (s *PKCS11) request(m token.Message, limit time.Duration) ([]byte, error) {
	answer, err := s.child.call(m, limit)
	if err != nil {
		return nil, fault.New(fault.NotDone, "seal %s: %v", s.id, err)
	}
	text := answer.B
	switch answer.Kind {
	case token.Done:
		return answer.A, nil
	case token.WrongKey:
		return nil, fmt.Errorf("seal %s: %s: %w", s.id, text, ErrWrongKey)
	case token.WrongPIN:
		return nil, fmt.Errorf("seal %s: %s: %w", s.id, text, errPIN)
	case token.Refused:
		return nil, fault.New(fault.Invalid, "seal %s: %s", s.id, text)
	case token.Exists:
		return nil, fault.New(fault.Conflict, "seal %s: %s", s.id, text)
	}
	return nil, fault.New(fault.NotDone, "seal %s: the token does not answer: %s", s.id, text)
}

// failed ends the child and begins a pause, each twice as long as the one before, with jitter so that nodes do not come in step.
func (s *PKCS11) failed(ctx context.Context, err error) {
	s.endChild()
	pause := min(s.limits.backoff<<min(s.fails, 20), s.limits.most)
	s.fails++
	pause = pause/2 + mathrand.N(pause/2+1)
	s.next = time.Now().Add(pause)
	s.log.WarnContext(ctx, "the token was of no use, it is left alone for a while", "err", err, "pause", pause)
}

// pause waits for the end of a pause that is nearly over.
func (s *PKCS11) pause(ctx context.Context) error {
	left := time.Until(s.next)
	if left <= 0 {
		return nil
	}
	if left > s.limits.wait {
		return fmt.Errorf("%w (asked again in %s)", s.Problem(), left.Round(time.Second))
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return s.unanswered(ctx.Err())
	}
}

func (s *PKCS11) endChild() {
	if s.idle != nil {
		s.idle.Stop()
	}
	if s.child != nil {
		s.child.end(min(s.limits.call, time.Second))
		s.child = nil
	}
}

// endWhenIdle lets a session that nobody needs go: it could be used by whoever gets at the child.
func (s *PKCS11) endWhenIdle() {
	if s.idle != nil {
		s.idle.Stop()
	}
	c := s.child
	s.idle = time.AfterFunc(s.limits.idle, func() {
		s.turn <- struct{}{}
		defer s.leave()
		if s.child == c && s.idle != nil {
			s.endChild()
		}
	})
}

// start starts a child and has it open the token.
func (s *PKCS11) start() (info token.Info, err error) {
	if s.child, err = startChild(s.spawner, s.executable, childEnv(os.Environ(), s.conf.Env)); err != nil {
		return info, fmt.Errorf("seal %s: %w", s.id, err)
	}
	set, err := json.Marshal(s.conf.settings())
	if err != nil {
		return info, fmt.Errorf("encode the settings of a token: %w", err)
	}
	out, err := s.request(token.Message{Kind: token.Open, A: set}, s.limits.call)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return info, fmt.Errorf("decode what the token says about itself: %w", err)
	}
	return info, nil
}
