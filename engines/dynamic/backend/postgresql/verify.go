package postgresql

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// standing is what the account that administers is.
type standing struct {
	Super, CreateRole, Inherit, ReadOnly bool
	Version                              int // such as 150018
}

const askStanding = `SELECT rolsuper, rolcreaterole, rolinherit, current_setting('transaction_read_only') = 'on', current_setting('server_version_num')::int FROM pg_roles WHERE rolname = current_user`

const oldest = 110000

// Verify implements backend.Session. It makes a role, hands over what it owns and ends it, in a transaction that is rolled back.
func (s *session) Verify(ctx context.Context) error {
	return s.with(ctx, "make and end an account on trial", func(c *pgx.Conn) error {
		me, err := ask(ctx, c)
		if err == nil {
			err = me.check(s.username)
		}
		if err != nil {
			return err
		}
		there, err := s.heirThere(ctx, c)
		if err != nil {
			return err
		}
		return run(ctx, c, s.rehearsal(me, there)...)
	})
}

func ask(ctx context.Context, c *pgx.Conn) (standing, error) {
	rows, err := c.Query(ctx, askStanding)
	if err != nil {
		return standing{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[standing])
}

func (me standing) check(username string) error {
	switch {
	case me.Version < oldest:
		return advise("the server is older than PostgreSQL 11")
	case me.ReadOnly:
		return advise("the server takes no changes: name the primary, not a standby")
	case !me.Super && !me.CreateRole:
		return advise("%s may not make accounts: ALTER ROLE %s CREATEROLE", username, quote(username))
	case !me.Super && !me.Inherit:
		return advise("%s could not take over what accounts own: ALTER ROLE %s INHERIT", username, quote(username))
	}
	return nil
}

// heirThere reports whether there is a role to take over objects, and refuses one that may not.
func (s *session) heirThere(ctx context.Context, c *pgx.Conn) (there bool, err error) {
	var able bool
	err = c.QueryRow(ctx, "SELECT rolcanlogin OR rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = $1", s.heir).Scan(&able)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && s.heir == defaultHeir:
		return false, nil
	case errors.Is(err, pgx.ErrNoRows):
		return false, advise("there is no role %s to take over what accounts own: CREATE ROLE %[1]s, or name another in option heir", quote(s.heir))
	case err == nil && able:
		return false, advise("role %s takes over what accounts own, so it may not log in, nor be a superuser, nor have CREATEROLE, REPLICATION or BYPASSRLS: "+
			"ALTER ROLE %[1]s NOLOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS, or name another in option heir", quote(s.heir))
	}
	return err == nil, err
}

func (s *session) rehearsal(me standing, heirThere bool) []string {
	probe := quote("trstctl_trial_" + strings.ToLower(rand.Text()))
	all := []string{"BEGIN", "CREATE ROLE " + probe + " NOLOGIN"}
	if !heirThere {
		all = append(all, "CREATE ROLE "+quote(s.heir)+" NOLOGIN")
	}
	if !me.Super {
		all = append(all, "GRANT "+probe+" TO CURRENT_USER", "GRANT "+quote(s.heir)+" TO CURRENT_USER")
	}
	return append(all, "REASSIGN OWNED BY "+probe+" TO "+quote(s.heir), "DROP OWNED BY "+probe, "DROP ROLE "+probe, "ROLLBACK")
}
