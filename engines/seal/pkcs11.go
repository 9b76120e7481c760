package seal

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

// PKCS11 is a Seal whose key stays in an HSM.
//
// The HSM's library runs in a child process, which is started when it is needed and ended when it has not been for a while. Library and
// network behind it may hang or crash: a call that takes too long ends the child, and the next one starts another, with pauses that
// grow. After any error the session is opened anew, from the library on; an old one that turns out to be dead costs the caller nothing.
// After a PIN that the token refused nobody logs in until the PIN is another one or Retry was called (see pinMark).
type PKCS11 struct {
	id         string
	conf       PKCS11Config
	log        *slog.Logger
	mark       pinMark
	limits     limits
	executable string
	spawner    *spawner

	// turn is held by whoever talks to the child. It guards what follows.
	turn   chan struct{}
	child  *child
	fails  int       // in a row
	next   time.Time // no child is started before
	idle   *time.Timer
	closed bool

	mu      sync.Mutex
	problem error // why it did not answer last; nil when it did
}

// limits are times; tests have shorter ones.
type limits struct {
	call    time.Duration // one request to the module
	create  time.Duration // making keys: RSA keys take long in small HSMs
	pin     time.Duration // the PIN command
	idle    time.Duration // a child that nobody needed so long is ended
	backoff time.Duration // the first pause
	most    time.Duration // the longest pause
	wait    time.Duration // a caller waits for a pause that is over by then; for longer ones it is told why
}

var usual = limits{call: 5 * time.Second, create: time.Minute, pin: 10 * time.Second, idle: time.Minute,
	backoff: 250 * time.Millisecond, most: 30 * time.Second, wait: time.Second}

// OpenPKCS11 looks at the configuration only: whether the HSM is there shows when it is needed. In stateDir it keeps the marks of refused PINs.
func OpenPKCS11(id string, c PKCS11Config, stateDir string, log *slog.Logger) (*PKCS11, error) {
	if err := ValidID(id); err != nil {
		return nil, fault.New(fault.Invalid, "%v", err)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &PKCS11{id: id, conf: c, log: log.With("seal", id), mark: pinMark{filepath.Join(stateDir, id+".pin")}, limits: usual,
		executable: self(), spawner: newSpawner(), turn: make(chan struct{}, 1)}, nil
}

// Name implements Seal.
func (s *PKCS11) Name() string { return s.id }

// Kind implements Seal.
func (s *PKCS11) Kind() string { return KindPKCS11 }

// Format says which key it is and nothing that is in memory.
func (s *PKCS11) Format(f fmt.State, _ rune) {
	io.WriteString(f, "seal "+s.id+" (pkcs11 token "+s.conf.Token+")")
}

// maxWrapped bounds plaintext and associated data together.
const maxWrapped = 8 << 10

// Wrap implements Seal. The format of the blob stands in package token.
func (s *PKCS11) Wrap(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	if len(plaintext)+len(aad) > maxWrapped {
		return nil, fault.New(fault.Invalid, "seal %s wraps keys: %d bytes are too many", s.id, len(plaintext)+len(aad))
	}
	return s.do(ctx, token.Message{Kind: token.Wrap, A: slices.Clone(plaintext), B: slices.Clone(aad)})
}

// Unwrap implements Seal. With RSA_OAEP, whoever knows the public key can make a blob that opens.
func (s *PKCS11) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	if len(wrapped)+len(aad) > token.MaxMessage/2 {
		return nil, fmt.Errorf("seal %s: a wrapped key of %d bytes: %w", s.id, len(wrapped), ErrWrongKey)
	}
	return s.do(ctx, token.Message{Kind: token.Unwrap, A: slices.Clone(wrapped), B: slices.Clone(aad)})
}

// Test wraps and unwraps a random value now, also within a pause after failures.
func (s *PKCS11) Test(ctx context.Context) error {
	if err := s.unpause(ctx); err != nil {
		return err
	}
	value, aad := make([]byte, 32), []byte("trstctl seal test")
	rand.Read(value)
	wrapped, err := s.Wrap(ctx, value, aad)
	if err != nil {
		return err
	}
	back, err := s.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(value, back) != 1 {
		return fault.New(fault.Corrupt, "seal %s does not give back what it was given", s.id)
	}
	return nil
}

// CreateKey makes the key, or the keys, that the configuration names. It refuses, with fault.Conflict, when one is there.
func (s *PKCS11) CreateKey(ctx context.Context) error {
	if err := s.unpause(ctx); err != nil {
		return err
	}
	_, err := s.do(ctx, token.Message{Kind: token.CreateKey})
	return err
}

// Retry forgets that a PIN was refused, and any pause: the next call logs in.
func (s *PKCS11) Retry() error {
	s.turn <- struct{}{} // calls are bounded, so this is
	defer s.leave()
	s.fails, s.next = 0, time.Time{}
	return s.mark.remove()
}

// Problem says why the seal did not answer when it was last asked; nil when it did, or was not asked yet.
func (s *PKCS11) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Close ends the child, after the call that is under way. The seal answers no more.
func (s *PKCS11) Close() {
	s.turn <- struct{}{}
	defer s.leave()
	if s.closed {
		return
	}
	s.closed = true
	s.endChild()
	s.spawner.close()
}

// unpause lets a person's call through at once.
func (s *PKCS11) unpause(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.next = time.Time{}
	return nil
}

// enter waits for the turn, as long as ctx lives.
func (s *PKCS11) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return s.unanswered(ctx.Err())
	}
}

func (s *PKCS11) leave() { <-s.turn }

// unanswered is a call that its caller gave up.
func (s *PKCS11) unanswered(err error) error {
	return fault.New(fault.NotDone, "seal %s did not answer in time; its last problem: %v", s.id, s.Problem()).Because(err)
}

// do has one caller at a time talk to the child. The message is its own: it goes on when the caller no longer waits.
func (s *PKCS11) do(ctx context.Context, m token.Message) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		m.Clear()
		return nil, err
	}
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer s.leave()
		out, err := s.ask(ctx, m)
		m.Clear()
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
		go func() { clear((<-done).out) }()
		return nil, s.unanswered(ctx.Err())
	}
}

func (s *PKCS11) note(err error) {
	if errors.Is(err, ErrWrongKey) {
		err = nil // it answered
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = err
}
