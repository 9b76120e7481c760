package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

func hash(password []byte) string {
	sum := sha256.Sum256(password)
	return hex.EncodeToString(sum[:])
}

// save has a node keep its users.
func (s *session) save(c *conn) error {
	var err error
	switch s.persist {
	case keepFile:
		err = c.ok("ACL", "SAVE")
	case keepConfig:
		err = c.ok("CONFIG", "REWRITE")
	}
	var no refusal
	if errors.As(err, &no) && strings.Contains(string(no), "not configured to use an ACL file") {
		err = advise("redis has no ACL file, so that its users would be gone when it restarts: configure aclfile there, or set the option persist to %s or %s", keepConfig, keepNot)
	}
	return err
}

// Verify makes a user that can do nothing, and ends it.
func (s *session) Verify(ctx context.Context) error {
	const probe = "trstctl_probe"
	return s.each(ctx, "make and end users (it takes the categories @admin and @dangerous, or the commands acl, client and what persist says)", func(c *conn) error {
		for _, command := range [][]string{{"CLIENT", "SETNAME", probe}, {"ACL", "SETUSER", probe, "reset"}, {"CLIENT", "LIST"}, {"CLIENT", "KILL", "USER", probe}, {"ACL", "USERS"}, {"ACL", "DELUSER", probe}} {
			if err := c.ok(command...); err != nil {
				return err
			}
		}
		return s.save(c)
	})
}

// Create names its connection before it makes the user: End looks for that name first.
func (s *session) Create(ctx context.Context, a backend.Account) (backend.Made, error) {
	if err := (Backend{}).CheckRole(&a.Role); err != nil {
		return backend.Made{}, err
	}
	rule := append([]string{"ACL", "SETUSER", a.Name, "reset", "on", "#" + hash(a.Password)}, rules(a.Role)...)
	rule = append(rule, "-@admin", "-migrate") // which other categories have, too: ACL SETUSER is of @slow
	return backend.Made{}, s.each(ctx, "make account "+a.Name, func(c *conn) error {
		if err := c.ok("CLIENT", "SETNAME", a.Name); err != nil {
			return err
		}
		if err := c.ok(rule...); err != nil {
			return err
		}
		return s.save(c)
	})
}

// Extend does nothing: Redis knows no ends.
func (s *session) Extend(context.Context, string, time.Time) error { return nil }

// between is the pause before connections that were found again are looked for once more.
const between = 5 * time.Millisecond

// End implements backend.Session. It does not matter what the role says now.
func (s *session) End(ctx context.Context, name string, _ backend.Role) error {
	return s.each(ctx, "end account "+name, func(c *conn) error {
		if err := expel(c, "name="+name); err != nil { // late Creates
			return err
		}
		if err := c.ok("ACL", "SETUSER", name, "reset"); err != nil { // a user that nobody is, where there was none
			return err
		}
		if err := disconnect(c, name); err != nil {
			return err
		}
		if err := c.ok("ACL", "DELUSER", name); err != nil {
			return err
		}
		return s.save(c)
	})
}

// disconnect ends a user's connections, and looks until there is none: a server does one thing after the other, so that nobody is in the middle of a login.
func disconnect(c *conn, name string) error {
	for {
		if n, err := killed(c, name); err != nil || n == 0 {
			return err
		}
		if n, err := killed(c, name); err != nil || n == 0 {
			return err
		}
		time.Sleep(between)
	}
}

func killed(c *conn, name string) (int64, error) {
	v, err := c.ask("CLIENT", "KILL", "USER", name)
	n, ok := v.(int64)
	if err == nil && !ok {
		err = errProtocol
	}
	return n, err
}

// expel ends the connections in whose description a field stands.
func expel(c *conn, field string) error {
	list, err := c.text("CLIENT", "LIST")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		parts := strings.Fields(line)
		if len(parts) == 0 || !slices.Contains(parts, field) {
			continue
		}
		id, ok := strings.CutPrefix(parts[0], "id=")
		if !ok {
			return errProtocol
		}
		if err := c.ok("CLIENT", "KILL", "ID", id); err != nil {
			return err
		}
	}
	return nil
}

// List implements backend.Session: what any node has.
func (s *session) List(ctx context.Context, prefix string) (all []backend.Found, err error) {
	var mu sync.Mutex
	names := map[string]bool{}
	err = s.each(ctx, "list accounts", func(c *conn) error {
		users, err := c.texts("ACL", "USERS")
		mu.Lock()
		defer mu.Unlock()
		for _, u := range users {
			if strings.HasPrefix(u, prefix) {
				names[u] = true
			}
		}
		return err
	})
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, backend.Found{Name: name})
	}
	return all, err
}

// SetPassword implements backend.Setter. Until every node has the new one each knows both.
func (s *session) SetPassword(ctx context.Context, password []byte) error {
	doing := "change the password of " + s.username
	if err := s.each(ctx, doing, func(c *conn) error { return c.ok("ACL", "SETUSER", s.username, "#"+hash(password)) }); err != nil {
		return err
	}
	s.keep(password)
	return s.each(ctx, doing, func(c *conn) error {
		if err := c.ok("ACL", "SETUSER", s.username, "resetpass", "#"+hash(password)); err != nil {
			return err
		}
		return s.save(c)
	})
}
