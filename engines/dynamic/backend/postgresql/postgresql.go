// Package postgresql makes roles of a PostgreSQL server (11 or later) that log in, and ends them.
//
// It promises, besides what every backend does:
//   - A role is made with its grants in one transaction, or not at all. Its password gets to the server as a SCRAM-SHA-256 verifier.
//   - End waits for a Create of the same name that has begun at the server, and ends it when it takes long: nothing appears after End.
//   - End goes in this order, and may be cut at any step and called again. No more logins, committed. Sessions ended, until none is left and again after a pause. Then in one
//     transaction: memberships that the role gave are taken back, its SECURITY DEFINER routines dropped (made SECURITY INVOKER where something depends on them), what else it owns handed to the
//     heir, what it was granted revoked, whoever granted it, with what it passed on; the role dropped.
//   - Privileges on its own objects that the role gave to others stay with the objects: they are the heir's grants from then on.
//   - Where something stands in the way, such as what the role has in another database, the role stays without a login, and the error says what to do.
//   - Nothing of the environment, of ~/.pgpass, of ~/.postgresql or of a service file gets into a connection. A server that lets everybody in without a password is refused, and in
//     the clear no password is sent as it is.
//
// The account that administers is a superuser, or has CREATEROLE and INHERIT; since PostgreSQL 16 it then ends what it made itself, and gives what it has ADMIN OPTION or GRANT OPTION for.
//
// Config.Options has
//
//	heir   the role that takes over what accounts own, trstctl_heir if left out, which is made when it is first needed. It may not log in, nor be a superuser, have
//	       CREATEROLE, REPLICATION or BYPASSRLS, and should have no privileges: views of ended accounts would lend them to whoever may read the views.
//
// Role.Options has
//
//	connection_limit   how many sessions an account may have at once, without a bound if left out
package postgresql

import (
	"context"
	"strconv"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// nameLimit is NAMEDATALEN - 1.
const nameLimit = 63

// Backend is PostgreSQL. Its zero value is ready.
type Backend struct{}

// NameLimit implements backend.Backend, as do the rest.
func (Backend) NameLimit() int { return nameLimit }

// Environment is what libpq takes, of a configuration that was checked (PostgreSQL's documentation, 34.15). Programs that verify a server by a CA of its own need PGSSLROOTCERT too, which is a file of the caller's.
func (Backend) Environment(c backend.Config, username string) (variables []string, password string) {
	return []string{
		"PGHOST=" + c.Host,
		"PGPORT=" + strconv.Itoa(int(c.Port)),
		"PGDATABASE=" + c.Database,
		"PGUSER=" + username,
		"PGSSLMODE=" + string(c.TLS), // libpq has the same names
	}, "PGPASSWORD"
}

// Open logs in once, and keeps that connection for the first call.
func (b Backend) Open(ctx context.Context, t backend.Target) (backend.Session, error) {
	if err := b.CheckConfig(&t.Config); err != nil {
		return nil, err
	}
	s, err := newSession(t)
	if err != nil {
		return nil, err
	}
	if err := s.ping(ctx); err != nil {
		_ = s.Close() // nothing is open
		return nil, err
	}
	return s, nil
}
