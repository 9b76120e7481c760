package backendtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// rig is one check of a subject.
type rig struct {
	*testing.T
	subject *Subject
	wire    *wire
	session backend.Session
	prefix  string // of the names of this check's accounts

	mu      sync.Mutex // guards the rest
	secrets [][]byte
	errors  []error
	got     map[string]backend.Made // by account
}

func newRig(t *testing.T, s *Subject) *rig {
	r := &rig{T: t, subject: s, wire: newWire(s.Target.Dial), prefix: "trs" + letters(5) + "_", got: map[string]backend.Made{}}
	r.must("CheckConfig", s.Backend.CheckConfig(&s.Target.Config))
	r.must("CheckRole", s.Backend.CheckRole(&s.Role))
	r.secret(s.Target.Password)
	r.session = r.open(r.target())
	return r
}

func letters(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// target is the subject's by the rig's wire.
func (r *rig) target() backend.Target { return r.wired(r.subject.Target) }

func (r *rig) wired(t backend.Target) backend.Target {
	t.Password, t.Dial = bytes.Clone(t.Password), r.wire.Dial
	return t
}

// open clears the password afterwards, as callers do.
func (r *rig) open(t backend.Target) backend.Session {
	r.Helper()
	s, err := r.subject.Backend.Open(r.limit(patience), t)
	clear(t.Password)
	r.must("Open", err)
	r.Cleanup(func() { _ = s.Close() })
	return s
}

// limit is a context of so long.
func (r *rig) limit(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	r.Cleanup(cancel)
	return ctx
}

// account is one of this check's, until a moment an hour from now.
func (r *rig) account() backend.Account {
	return r.named(r.prefix + letters(8))
}

func (r *rig) named(name string) backend.Account {
	password := []byte("Planted-" + letters(20) + "_9")
	r.secret(password)
	return backend.Account{Name: name, Password: password, Until: time.Now().Add(time.Hour), Role: r.subject.Role}
}

// made is an account that the target has. Its password is kept, whatever the backend does to its own.
func (r *rig) made() backend.Account {
	r.Helper()
	a := r.account()
	r.must("Create", r.create(a))
	return a
}

func (r *rig) create(a backend.Account) error { return r.createBy(r.limit(patience), a) }

func (r *rig) createBy(ctx context.Context, a backend.Account) error {
	a.Password = bytes.Clone(a.Password)
	defer clear(a.Password)
	m, err := r.session.Create(ctx, a)
	r.keep(a.Name, m)
	return r.saw(err)
}

// keep remembers what the target drew: no error may have it.
func (r *rig) keep(name string, m backend.Made) {
	for _, f := range m.Fields {
		r.secret(f.Value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[name] = m
}

// of returns what the target has made of an account.
func (r *rig) of(a backend.Account) backend.Made {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[a.Name]
}

func (r *rig) endOf(a backend.Account) {
	r.Helper()
	r.must("End", r.saw(r.session.End(r.limit(patience), a.Name, a.Role)))
}

// endSurely calls End until it returns nil, as its callers do.
func (r *rig) endSurely(a backend.Account) {
	r.Helper()
	r.within(2*patience, "End returns nil", func() error { return r.saw(r.session.End(r.limit(patience/5), a.Name, a.Role)) })
}

func (r *rig) login(a backend.Account) (Client, error) {
	c, err := r.subject.Login(r.limit(patience), a, r.of(a))
	if err == nil {
		r.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// in logs in, and checks that the account may do what the role grants.
func (r *rig) in(a backend.Account) Client {
	r.Helper()
	c, err := r.login(a)
	r.must("log in as the account", err)
	r.must("do what the role grants", c.Allowed(r.limit(patience)))
	return c
}

func (r *rig) refused(a backend.Account) {
	r.Helper()
	r.refusedWith(a, r.of(a))
}

func (r *rig) refusedWith(a backend.Account, m backend.Made) {
	r.Helper()
	if c, err := r.subject.Login(r.limit(patience), a, m); err == nil {
		_ = c.Close()
		r.Fatalf("%s is still let in", a.Name)
	}
}

// within waits until f returns nil.
func (r *rig) within(d time.Duration, what string, f func() error) {
	r.Helper()
	err := f()
	for deadline := time.Now().Add(d); err != nil && time.Now().Before(deadline); err = f() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		r.Fatalf("not within %s: %s: %v", d, what, err)
	}
}

func (r *rig) must(what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// secret is a value that no error may have.
func (r *rig) secret(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, bytes.Clone(b))
}

// saw remembers an error of the backend's for noSecrets.
func (r *rig) saw(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errors = append(r.errors, err)
	}
	return err
}
