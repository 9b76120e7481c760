package postgresql

import (
	"context"
	_ "embed"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What an account leaves behind, each as statements that take it away. $1 is the account's oid.
var (
	//go:embed passed_on.sql
	passedOn string // memberships that it gave to others
	//go:embed granted.sql
	granted string // privileges that others than the owners gave to it: REVOKE takes them back as who gave them
	//go:embed definers.sql
	definers string // what runs with its rights
)

// estate is what the account has, by the server's own book.
type estate struct {
	Owns, Has int      // in this database or in none
	Elsewhere []string // databases
}

const askEstate = `SELECT
	count(*) FILTER (WHERE deptype = 'o' AND dbid IN (0, here.oid)),
	count(*) FILTER (WHERE dbid IN (0, here.oid)),
	coalesce(array_agg(DISTINCT quote_ident(other.datname)) FILTER (WHERE other.oid <> here.oid), '{}')::text[]
FROM pg_database here CROSS JOIN pg_shdepend LEFT JOIN pg_database other ON other.oid = dbid
WHERE here.datname = current_database() AND refclassid = 'pg_authid'::regclass AND refobjid = $1`

// leave takes away what the account has, and then the account.
func (s *session) leave(ctx context.Context, a account) error {
	e, err := s.estate(ctx, a)
	if err != nil {
		return err
	}
	if e.Owns > 0 {
		if err := s.provideHeir(ctx); err != nil {
			return err
		}
	}
	var all []string
	err = s.with(ctx, "see what account "+a.name+" has", func(c *pgx.Conn) (err error) {
		all, err = s.clearance(ctx, c, a, e)
		return err
	})
	if err != nil {
		return err
	}
	return s.again(ctx, e.Has > 0, func() error { // what to do is known before others have to wait: it takes the server longer to say than to do
		return s.with(ctx, "drop account "+a.name, func(c *pgx.Conn) error { return s.clear(ctx, c, a, e, all) })
	})
}

func (s *session) estate(ctx context.Context, a account) (e estate, err error) {
	err = s.with(ctx, "see what account "+a.name+" has", func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, askEstate, a.oid)
		if err != nil {
			return err
		}
		e, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[estate])
		return err
	})
	return e, err
}

// clear is one transaction. It leaves the account itself where another database has something of it.
func (s *session) clear(ctx context.Context, c *pgx.Conn, a account, e estate, all []string) error {
	if len(e.Elsewhere) == 0 {
		all = append(all, "DROP ROLE IF EXISTS "+quote(a.name))
	}
	if err := run(ctx, c, append(append([]string{"BEGIN"}, all...), "COMMIT")...); err != nil || len(e.Elsewhere) == 0 {
		return err
	}
	return advise("its login is off and its sessions are over, but it has something in database %s, too: run REASSIGN OWNED BY %s TO %s; DROP OWNED BY %[2]s; there as an administrator",
		strings.Join(e.Elsewhere, " and "), quote(a.name), quote(s.heir))
}

func (s *session) clearance(ctx context.Context, c *pgx.Conn, a account, e estate) ([]string, error) {
	all, err := texts(ctx, c, passedOn, a.oid)
	if err != nil || e.Has == 0 {
		return all, err
	}
	more, err := texts(ctx, c, granted, a.oid)
	if err != nil {
		return nil, err
	}
	all = append(all, more...)
	if e.Owns > 0 {
		if more, err = texts(ctx, c, definers, a.oid); err != nil {
			return nil, err
		}
		all = append(append(all, more...), s.inherit(a)...)
	}
	return append(all, "DROP OWNED BY "+quote(a.name)), nil
}

// inherit hands what the account owns to the heir. The heir's membership is for who is no superuser.
func (s *session) inherit(a account) (all []string) {
	if !a.super {
		all = append(all, "GRANT "+quote(s.heir)+" TO CURRENT_USER")
	}
	return append(all, "REASSIGN OWNED BY "+quote(a.name)+" TO "+quote(s.heir))
}

// provideHeir makes the default heir when it is not there.
func (s *session) provideHeir(ctx context.Context) error {
	return s.with(ctx, "find who takes over what accounts own", func(c *pgx.Conn) error {
		there, err := s.heirThere(ctx, c)
		if err != nil || there {
			return err
		}
		err = run(ctx, c, "CREATE ROLE "+quote(s.heir)+" NOLOGIN")
		if there, bad := s.heirThere(ctx, c); bad == nil && there {
			return nil // or another made it meanwhile
		}
		return err
	})
}
