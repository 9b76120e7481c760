// Package memory is a target in memory, for tests of what stands above targets. No node has it.
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Admin is the account that administers it.
const Admin = "admin"

// Target is a database that knows accounts and nothing else. It is its own backend.
type Target struct {
	mu       sync.Mutex // guards the rest
	own      []string   // passwords of the admin, the last one the latest
	replaces bool
	accounts map[string]backend.Account
	made     int
	drawn    backend.Made
	rolls    int // of the admin's passwords
	fail     func(step string) error
}

// New returns a target whose admin has this password.
func New(password string) *Target {
	return &Target{own: []string{password}, accounts: map[string]backend.Account{}}
}

// Fail has calls fail: step is "open", "verify", "create", "extend", "end", "password", "retire" or "list", or one of them behind "after ", when it has been done. nil: none does.
func (d *Target) Fail(f func(step string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// Own returns how many passwords the admin has.
func (d *Target) Own() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.own)
}

// DrawOwn has the target draw the passwords of the admin from now on.
func (d *Target) DrawOwn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replaces = true
}

// Draw has accounts be used with what the target has drawn from now on.
func (d *Target) Draw(m backend.Made) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drawn = m
}

func (d *Target) refuse(step string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(step)
}

// Root returns the password of the admin.
func (d *Target) Root() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.own[len(d.own)-1]
}

// LogsIn reports whether an account with this password is let in.
func (d *Target) LogsIn(name string, password []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, found := d.accounts[name]
	return found && len(password) > 0 && bytes.Equal(a.Password, password)
}

// Until returns when an account ends by itself.
func (d *Target) Until(name string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accounts[name].Until
}

// Count returns how many accounts there are, and how many were ever made by Create.
func (d *Target) Count() (are, made int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.accounts), d.made
}

// Plant makes an account that nobody asked for.
func (d *Target) Plant(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[name] = backend.Account{Name: name}
}

// CheckConfig implements backend.Backend, as do the rest.
func (d *Target) CheckConfig(c *backend.Config) error {
	if c.Host == "" {
		return fault.Bad("host", "is missing")
	}
	return nil
}

// CheckRole takes every role but one that grants nothing.
func (d *Target) CheckRole(r *backend.Role) error {
	if len(r.Grants) == 0 || r.Grants[0] == "nothing" {
		return fault.Bad("grants", "grant nothing")
	}
	return nil
}

// NameLimit is that of MySQL, the shortest.
func (d *Target) NameLimit() int { return 32 }

// Environment names the host.
func (d *Target) Environment(c backend.Config, username string) ([]string, string) {
	return []string{"MEMORY_HOST=" + c.Host, "MEMORY_USER=" + username}, "MEMORY_PASSWORD"
}

// Open logs in with the first call.
func (d *Target) Open(_ context.Context, t backend.Target) (backend.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refuse("open"); err != nil {
		return nil, err
	}
	s := &session{d, t.Username, string(t.Password)}
	if d.replaces {
		return replacer{s}, nil
	}
	return setter{s}, nil
}

// session is one login, which is checked with every call, as a pool of connections does now and then.
type session struct {
	*Target
	username, password string
}

func (s *session) in(step string, f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.username != Admin || !slices.Contains(s.own, s.password) {
		return errors.New("password authentication failed for user " + s.username)
	}
	if err := s.refuse(step); err != nil {
		return err
	}
	f()
	return s.refuse("after " + step)
}

func (s *session) Verify(context.Context) error { return s.in("verify", func() {}) }
func (s *session) Close() error                 { return nil }

func (s *session) Create(_ context.Context, a backend.Account) (out backend.Made, err error) {
	err = s.in("create", func() {
		a.Password = bytes.Clone(a.Password)
		s.accounts[a.Name] = a
		s.made++
		out = s.drawn
		for i, f := range out.Fields {
			out.Fields[i].Value = bytes.Clone(f.Value)
		}
	})
	return out, err
}

func (s *session) Extend(_ context.Context, name string, until time.Time) error {
	return s.in("extend", func() {
		a := s.accounts[name]
		a.Until = until
		s.accounts[name] = a
	})
}

func (s *session) End(_ context.Context, name string, _ backend.Role) error {
	return s.in("end", func() { delete(s.accounts, name) })
}

func (s *session) List(_ context.Context, prefix string) (out []backend.Found, err error) {
	err = s.in("list", func() {
		for n, a := range s.accounts {
			if strings.HasPrefix(n, prefix) {
				out = append(out, backend.Found{Name: n, Until: a.Until})
			}
		}
	})
	return out, err
}

// setter takes passwords.
type setter struct{ *session }

func (s setter) SetPassword(_ context.Context, p []byte) error {
	return s.in("password", func() { s.own, s.password = []string{string(p)}, string(p) })
}

// replacer draws them.
type replacer struct{ *session }

func (s replacer) Replace(context.Context) (username string, password []byte, err error) {
	err = s.in("password", func() {
		s.rolls++
		password = fmt.Appendf(nil, "drawn-%d", s.rolls)
		s.own = []string{s.password, string(password)}
	})
	return Admin, password, err
}

func (s replacer) Retire(context.Context) error {
	return s.in("retire", func() { s.own = []string{s.password} })
}
