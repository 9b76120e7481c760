package postgresql

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// between is the pause after which sessions are looked for again: one that was logging in when logins were turned off is seen by then.
const between = 100 * time.Millisecond

// account is one that is being ended.
type account struct {
	name  string
	oid   uint32
	super bool // the account that administers is a superuser
}

// End implements backend.Session. What the role of the account says now does not matter: the server knows what the account has.
func (s *session) End(ctx context.Context, name string, _ backend.Role) error {
	a, found, err := s.shut(ctx, name)
	if err != nil || !found {
		return err
	}
	if err := s.expel(ctx, a); err != nil {
		return err
	}
	return s.leave(ctx, a)
}

// shut turns logins off.
func (s *session) shut(ctx context.Context, name string) (a account, found bool, err error) {
	err = s.with(ctx, "turn off the login of account "+name, func(c *pgx.Conn) error {
		if a, found, err = look(ctx, c, name); err == nil && !found {
			a, found, err = wait(ctx, c, name)
		}
		if err != nil || !found {
			return err
		}
		all := []string{"BEGIN", "ALTER ROLE " + quote(name) + " NOLOGIN PASSWORD NULL VALID UNTIL '-infinity'"}
		if !a.super {
			all = append(all, "GRANT "+quote(name)+" TO CURRENT_USER") // or its sessions and objects are not ours to end
		}
		return run(ctx, c, append(all, "COMMIT")...)
	})
	return a, found, err
}

func look(ctx context.Context, c *pgx.Conn, name string) (account, bool, error) {
	a := account{name: name}
	err := c.QueryRow(ctx, "SELECT r.oid, me.rolsuper FROM pg_roles r, pg_roles me WHERE r.rolname = $1 AND me.rolname = current_user", name).Scan(&a.oid, &a.super)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, false, nil
	}
	return a, err == nil, err
}

// wait looks again once nobody is making an account of that name any more. Whoever holds the name's lock for long will not go on: its caller has given up, or is a leader that was. It is ended.
func wait(ctx context.Context, c *pgx.Conn, name string) (a account, found bool, err error) {
	for range 3 {
		err = run(ctx, c, "BEGIN", "SET LOCAL lock_timeout = '500ms'", lockName(name), "COMMIT")
		if state := new(pgconn.PgError); !errors.As(err, &state) || state.Code != "55P03" { // lock_not_available
			break
		}
		if _, err := texts(ctx, c, endHolder, lockText(name)); err != nil {
			return a, false, err
		}
	}
	if err != nil {
		return a, false, err
	}
	return look(ctx, c, name)
}

const endHolder = `SELECT pg_terminate_backend(pid)::text FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// expel ends the account's sessions until there are none, and looks at least twice.
func (s *session) expel(ctx context.Context, a account) error {
	for looks := 1; ; looks++ {
		n, err := s.terminate(ctx, a)
		if err != nil || n == 0 && looks > 1 {
			return err
		}
		if err := pause(ctx, between); err != nil {
			return s.explain("end the sessions of account "+a.name, err)
		}
	}
}

func (s *session) terminate(ctx context.Context, a account) (n int, err error) {
	err = s.with(ctx, "end the sessions of account "+a.name, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usesysid = $1", a.oid).Scan(&n)
	})
	return n, err
}
