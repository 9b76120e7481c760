package postgresql

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// session is a pool of connections as one account.
type session struct {
	address, database, username, heir string

	pool *pgxpool.Pool
	turn chan struct{} // holds the one who changes access lists: the server fails those who change the same one at a time

	mu       sync.Mutex // guards the rest
	password []byte     // nil once the session is closed
}

// newSession connects to nothing yet.
func newSession(t backend.Target) (*session, error) {
	s := &session{
		address: net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))), database: t.Database, username: t.Username, heir: t.Options[heirOption],
		turn: make(chan struct{}, 1), password: bytes.Clone(t.Password),
	}
	c, err := configuration(t, s.secret)
	if err != nil {
		return nil, err
	}
	s.pool, err = pgxpool.NewWithConfig(context.Background(), c)
	return s, err
}

// secret makes a string of the password: pgx has no other way.
func (s *session) secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.password)
}

func (s *session) keep(password []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.password)
	s.password = bytes.Clone(password)
}

// Close implements backend.Session, as do the rest.
func (s *session) Close() error {
	s.pool.Close()
	s.keep(nil)
	return nil
}

// with calls f with a connection. Errors say what was being done.
func (s *session) with(ctx context.Context, doing string, f func(*pgx.Conn) error) error {
	return s.explain(doing, s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(c.Conn()) }))
}

func (s *session) ping(ctx context.Context) error {
	return s.with(ctx, "log in", func(c *pgx.Conn) error { return c.Ping(ctx) })
}

// Create implements backend.Session.
func (s *session) Create(ctx context.Context, a backend.Account) (backend.Made, error) {
	return backend.Made{}, s.add(ctx, a)
}

func (s *session) add(ctx context.Context, a backend.Account) error {
	if err := (Backend{}).CheckRole(&a.Role); err != nil {
		return err
	}
	grants, alone, err := statements(a.Role, a.Name)
	if err != nil {
		return err
	}
	secret := newVerifier(a.Password)
	all := append([]string{createRole(a, secret), "SET LOCAL search_path = public"}, grants...)
	err = s.again(ctx, alone, func() error {
		return s.with(ctx, "make account "+a.Name, func(c *pgx.Conn) error { return create(ctx, c, a.Name, all) })
	})
	return without(err, secret, string(a.Password))
}

// create begins with the name's lock, and goes on when it has it: what is sent then is either done or not before anybody else gets the lock.
func create(ctx context.Context, c *pgx.Conn, name string, all []string) error {
	if err := run(ctx, c, "BEGIN", lockName(name)); err != nil {
		return err
	}
	return run(ctx, c, append(all, "COMMIT")...)
}

func createRole(a backend.Account, verifier string) string {
	limit := ""
	if n, ok := a.Role.Options[limitOption]; ok {
		limit = " CONNECTION LIMIT " + n
	}
	return fmt.Sprintf("CREATE ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT%s PASSWORD %s VALID UNTIL %s",
		quote(a.Name), limit, literal(verifier), moment(a.Until))
}

// Extend implements backend.Session.
func (s *session) Extend(ctx context.Context, name string, until time.Time) error {
	return s.with(ctx, "extend account "+name, func(c *pgx.Conn) error {
		return run(ctx, c, "ALTER ROLE "+quote(name)+" VALID UNTIL "+moment(until))
	})
}

// SetPassword implements backend.Setter.
func (s *session) SetPassword(ctx context.Context, password []byte) error {
	secret := newVerifier(password)
	err := s.with(ctx, "change the password of "+s.username, func(c *pgx.Conn) error {
		return run(ctx, c, "ALTER ROLE "+quote(s.username)+" PASSWORD "+literal(secret))
	})
	if err == nil {
		s.keep(password)
	}
	return without(err, secret, string(password))
}

// List implements backend.Session. The end of an account whose End has begun is 1970.
func (s *session) List(ctx context.Context, prefix string) (all []backend.Found, err error) {
	err = s.with(ctx, "list accounts", func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT rolname::text, rolvaliduntil FROM pg_roles WHERE rolname LIKE $1 ESCAPE '\' ORDER BY 1`, escapeLike.Replace(prefix)+"%")
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, found)
		return err
	})
	return all, err
}

var escapeLike = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func found(row pgx.CollectableRow) (f backend.Found, err error) {
	var until pgtype.Timestamptz
	if err = row.Scan(&f.Name, &until); err != nil || !until.Valid {
		return f, err
	}
	switch until.InfinityModifier {
	case pgtype.Finite:
		f.Until = until.Time
	case pgtype.NegativeInfinity:
		f.Until = time.Unix(0, 0)
	}
	return f, nil
}
