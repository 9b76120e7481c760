package postgresql

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/backendtest"
)

// TestPostgreSQL runs everything that takes a server against one.
func TestPostgreSQL(t *testing.T) {
	s := start(t)
	s.exec(t,
		"CREATE ROLE dba CREATEROLE LOGIN PASSWORD '"+newVerifier([]byte(rootPassword))+"'",
		"CREATE SCHEMA app AUTHORIZATION dba", "CREATE TABLE app.orders (id int)", "CREATE TABLE app.secret (id int)", "GRANT CREATE ON SCHEMA public TO dba WITH GRANT OPTION",
		"ALTER TABLE app.orders OWNER TO dba", "ALTER TABLE app.secret OWNER TO dba", "CREATE ROLE mallory LOGIN PASSWORD '"+newVerifier([]byte(rootPassword))+"'",
	)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *server)
	}{
		{"Superuser", func(t *testing.T, s *server) { backendtest.Run(t, s.subject("postgres")) }},
		{"CreateRoleInTheClear", func(t *testing.T, s *server) {
			c := s.subject("dba")
			c.Target.Host, c.Target.TLS, c.Target.CA = "127.0.0.1", backend.Disable, nil
			backendtest.Run(t, c)
		}},
		{"EnvironmentIsIgnored", environmentIsIgnored},
		{"OneGrantIsOneStatement", oneGrantIsOneStatement},
		{"RefusalsQuoteNoSecret", refusalsQuoteNoSecret},
		{"WhatIsWrongIsSaid", whatIsWrongIsSaid},
		{"VerifyLooksAtTheAccount", verifyLooksAtTheAccount},
		{"VerifyLooksAtTheHeir", verifyLooksAtTheHeir},
		{"GrantsByOthersAreTakenBack", grantsByOthers},
		{"SomethingInAnotherDatabase", anotherDatabase},
		{"EndGoesOnWhereItWasLeft", endGoesOn},
		{"EndWaitsForCreate", endWaitsForCreate},
		{"RolesOfDefaultPrivileges", defaultPrivileges},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, admin := range []string{"postgres", "dba"} {
				s.exec(t, "ALTER ROLE "+admin+" PASSWORD '"+newVerifier([]byte(rootPassword))+"'")
			}
			c.run(t, s)
		})
	}
}

func (s *server) subject(admin string) backendtest.Subject {
	return backendtest.Subject{
		Backend: Backend{},
		Target:  s.target(admin),
		Role: backend.Role{
			Grants:  []string{"USAGE, CREATE ON SCHEMA app", "SELECT ON app.orders", "CREATE ON SCHEMA public", "DEFAULT IN SCHEMA app SELECT ON TABLES"},
			Options: map[string]string{"connection_limit": "5"},
		},
		Login: func(ctx context.Context, a backend.Account, _ backend.Made) (backendtest.Client, error) {
			c, err := s.connect(ctx, a.Name, string(a.Password), "postgres")
			return client{c}, err
		},
		Ends:  true,
		Leave: s.leaving,
	}
}

// client is a session of an account.
type client struct{ *pgx.Conn }

func (c client) Allowed(ctx context.Context) error { return c.do(ctx, "SELECT FROM app.orders") }
func (c client) Forbidden(ctx context.Context) error {
	return c.do(ctx, "SELECT FROM app.secret")
}
func (c client) Alive(ctx context.Context) error { return c.Ping(ctx) }
func (c client) Close() error                    { return c.Conn.Close(context.Background()) }

func (c client) do(ctx context.Context, statements ...string) error {
	for _, text := range statements {
		if _, err := c.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// leaving has an account own a table, a view, routines with its own rights, one of them in use, and pass on what it was given.
func (s *server) leaving(t *testing.T, c backendtest.Client, name string) func(*testing.T) {
	s.exec(t, "CREATE ROLE lent NOLOGIN", "GRANT lent TO "+name+" WITH ADMIN OPTION", "GRANT SELECT ON app.orders TO "+name+" WITH GRANT OPTION")
	require.NoError(t, c.(client).do(t.Context(),
		"CREATE TABLE app.made AS SELECT 1 AS one", "GRANT SELECT ON app.made TO mallory", "CREATE VIEW app.seen AS SELECT * FROM app.orders",
		"CREATE FUNCTION app.definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
		"CREATE FUNCTION app.used() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", "CREATE VIEW app.user AS SELECT app.used()",
		"CREATE FUNCTION app.plain() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO mallory",
		"GRANT SELECT ON app.orders TO mallory", "GRANT lent TO mallory",
	))
	s.exec(t, "GRANT CREATE, USAGE ON SCHEMA app TO PUBLIC") // a heir has to be able to own something there
	return func(t *testing.T) {
		require.Empty(t, s.ask(t, "SELECT string_agg(oid::regprocedure::text, ',') FROM pg_proc WHERE prosecdef AND pronamespace = 'app'::regnamespace"))
		require.Equal(t, "made,seen,user", s.ask(t, "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relowner = 'trstctl_heir'::regrole AND relkind IN ('r', 'v')"))
		require.Equal(t, "plain,used", s.ask(t, "SELECT string_agg(proname, ',' ORDER BY proname) FROM pg_proc WHERE proowner = 'trstctl_heir'::regrole"))
		require.Equal(t, "false", s.ask(t, "SELECT has_table_privilege('mallory', 'app.orders', 'SELECT')::text"), "what it passed on")
		require.Equal(t, "false", s.ask(t, "SELECT pg_has_role('mallory', 'lent', 'MEMBER')::text"), "a membership that it gave")
		require.Equal(t, "true", s.ask(t, "SELECT has_table_privilege('mallory', 'app.made', 'SELECT')::text"), "what is the heir's now")
		require.Equal(t, "false", s.ask(t, "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'trstctl_heir'"))
		s.exec(t, "DROP OWNED BY trstctl_heir CASCADE", "DROP ROLE lent, trstctl_heir")
	}
}
