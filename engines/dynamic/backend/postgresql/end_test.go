package postgresql

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

func account1(grants ...string) backend.Account {
	return backend.Account{Name: "trsx_one", Password: []byte("Planted-secret_1"), Until: time.Now().Add(time.Hour), Role: backend.Role{Grants: grants}}
}

func (s *server) gone(t *testing.T, name string) {
	t.Helper()
	require.Equal(t, "0", s.ask(t, "SELECT count(*)::text FROM pg_roles WHERE rolname = $1", name))
}

// verifyLooksAtTheAccount names what it lacks.
func verifyLooksAtTheAccount(t *testing.T, s *server) {
	verify := func() error { return s.open(t, s.target("mallory")).Verify(t.Context()) }
	require.ErrorContains(t, verify(), `mallory may not make accounts: ALTER ROLE "mallory" CREATEROLE`)
	s.exec(t, "ALTER ROLE mallory CREATEROLE NOINHERIT")
	defer s.exec(t, "ALTER ROLE mallory NOCREATEROLE INHERIT")
	require.ErrorContains(t, verify(), `ALTER ROLE "mallory" INHERIT`)
	s.exec(t, "ALTER ROLE mallory INHERIT")
	require.NoError(t, verify())
	s.exec(t, "ALTER ROLE mallory SET default_transaction_read_only = on")
	defer s.exec(t, "ALTER ROLE mallory RESET default_transaction_read_only")
	require.ErrorContains(t, verify(), "name the primary")
	require.Equal(t, "0", s.ask(t, "SELECT count(*)::text FROM pg_roles WHERE rolname LIKE 'trstctl%'"), "the trial leaves nothing")
}

// verifyLooksAtTheHeir refuses one that could use what it gets.
func verifyLooksAtTheHeir(t *testing.T, s *server) {
	target := s.target("postgres")
	target.Options = map[string]string{"heir": "attic"}
	session := s.open(t, target)
	require.ErrorContains(t, session.Verify(t.Context()), `there is no role "attic"`)
	s.exec(t, "CREATE ROLE attic NOLOGIN")
	defer s.exec(t, "DROP ROLE attic")
	require.NoError(t, session.Verify(t.Context()))
	for _, able := range []string{"LOGIN", "SUPERUSER", "CREATEROLE", "REPLICATION", "BYPASSRLS"} {
		s.exec(t, "ALTER ROLE attic "+able)
		require.ErrorContains(t, session.Verify(t.Context()), "may not log in", able)
		s.exec(t, "ALTER ROLE attic NO"+able)
	}
	s.exec(t, "ALTER ROLE attic LOGIN")
	a := account1("CREATE ON SCHEMA app", "USAGE ON SCHEMA app")
	_, err := session.Create(t.Context(), a)
	require.NoError(t, err)
	s.as(t, a, "CREATE TABLE app.kept ()")
	require.ErrorContains(t, session.End(t.Context(), a.Name, a.Role), "may not log in", "nor does End hand anything to it")
	require.Equal(t, "false", s.ask(t, "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'trsx_one'"), "the login is off all the same")
	s.exec(t, "ALTER ROLE attic NOLOGIN")
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	s.gone(t, a.Name)
	s.exec(t, "DROP TABLE app.kept")
}

// as runs statements as an account.
func (s *server) as(t *testing.T, a backend.Account, statements ...string) {
	t.Helper()
	c, err := s.connect(t.Context(), a.Name, string(a.Password), "postgres")
	require.NoError(t, err)
	require.NoError(t, client{c}.do(t.Context(), statements...))
	require.NoError(t, c.Close(t.Context()))
}

// grantsByOthers has someone who may, and is neither owner nor administrator, grant something of each kind to an account.
func grantsByOthers(t *testing.T, s *server) {
	kinds := []string{"USAGE ON SCHEMA app", "SELECT ON TABLE app.orders", "SELECT (id) ON TABLE app.secret", "EXECUTE ON FUNCTION app.f(int)", "USAGE ON SEQUENCE app.s", "USAGE ON TYPE app.color",
		"CREATE ON DATABASE postgres", "USAGE ON LANGUAGE plpgsql", "USAGE ON FOREIGN DATA WRAPPER w", "USAGE ON FOREIGN SERVER v", "SELECT ON LARGE OBJECT 4711"}
	s.exec(t, "CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SEQUENCE app.s", "CREATE TYPE app.color AS ENUM ('red')", "CREATE FOREIGN DATA WRAPPER w",
		"CREATE SERVER v FOREIGN DATA WRAPPER w", "SELECT lo_create(4711)", "ALTER TYPE app.color OWNER TO dba")
	session := s.open(t, s.target("postgres"))
	a := account1("USAGE ON SCHEMA app")
	_, err := session.Create(t.Context(), a)
	require.NoError(t, err)
	for _, k := range kinds {
		s.exec(t, "GRANT "+k+" TO mallory WITH GRANT OPTION", "SET ROLE mallory", "GRANT "+k+" TO trsx_one", "RESET ROLE")
	}
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	s.gone(t, a.Name)
	require.Equal(t, "true", s.ask(t, "SELECT has_table_privilege('mallory', 'app.orders', 'SELECT')::text"), "others keep theirs")
	s.exec(t, "DROP OWNED BY mallory", "SELECT lo_unlink(4711)", "DROP SERVER v", "DROP FOREIGN DATA WRAPPER w", "DROP TYPE app.color", "DROP SEQUENCE app.s", "DROP FUNCTION app.f(int)")
}

// anotherDatabase says what to do there, and End goes on once it is done.
func anotherDatabase(t *testing.T, s *server) {
	s.exec(t, "CREATE DATABASE other", "GRANT CREATE ON DATABASE other TO PUBLIC")
	session := s.open(t, s.target("postgres"))
	a := account1("USAGE ON SCHEMA app")
	_, err := session.Create(t.Context(), a)
	require.NoError(t, err)
	there, err := s.connect(t.Context(), a.Name, string(a.Password), "other")
	require.NoError(t, err)
	require.NoError(t, client{there}.do(t.Context(), "CREATE SCHEMA mine"))
	for range 2 {
		err = session.End(t.Context(), a.Name, a.Role)
		require.ErrorContains(t, err, `in database other, too: run REASSIGN OWNED BY "trsx_one" TO "trstctl_heir"; DROP OWNED BY "trsx_one"; there`)
	}
	require.Error(t, there.Ping(t.Context()), "its sessions there are over")
	root, err := s.connect(t.Context(), "postgres", rootPassword, "other")
	require.NoError(t, err)
	require.NoError(t, client{root}.do(t.Context(), "DROP SCHEMA mine", "DROP OWNED BY trsx_one"))
	require.NoError(t, root.Close(t.Context()))
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	s.gone(t, a.Name)
	s.exec(t, "DROP DATABASE other")
}

// endGoesOn takes it up after each step.
func endGoesOn(t *testing.T, s *server) {
	for _, admin := range []string{"postgres", "dba"} {
		open := s.open(t, s.target(admin)).(*session)
		steps := []func(context.Context, account) error{open.expel, open.leave}
		for n := range len(steps) + 1 {
			a := account1("USAGE ON SCHEMA app")
			_, err := open.Create(t.Context(), a)
			require.NoError(t, err)
			one, found, err := open.shut(t.Context(), a.Name)
			require.NoError(t, err)
			require.True(t, found)
			for _, step := range steps[:n] {
				require.NoError(t, step(t.Context(), one))
			}
			all, err := open.List(t.Context(), a.Name)
			require.NoError(t, err)
			if n < len(steps) {
				require.Equal(t, []backend.Found{{Name: a.Name, Until: time.Unix(0, 0)}}, all, "it is listed until the last step")
			}
			require.NoError(t, open.End(t.Context(), a.Name, a.Role))
			s.gone(t, a.Name)
		}
	}
}

// endWaitsForCreate has a Create stand still with its transaction open.
func endWaitsForCreate(t *testing.T, s *server) {
	session := s.open(t, s.target("postgres")).(*session)
	a := account1("USAGE ON SCHEMA app")
	c, err := s.connect(t.Context(), "postgres", rootPassword, "postgres")
	require.NoError(t, err)
	defer c.Close(context.Background())
	require.NoError(t, run(t.Context(), c, "BEGIN", lockName(a.Name), createRole(a, newVerifier(a.Password))))
	time.AfterFunc(200*time.Millisecond, func() { _ = run(context.Background(), c, "COMMIT") }) // it fails when End was faster
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	s.gone(t, a.Name)

	c, err = s.connect(t.Context(), "postgres", rootPassword, "postgres")
	require.NoError(t, err)
	defer c.Close(context.Background())
	require.NoError(t, run(t.Context(), c, "BEGIN", lockName(a.Name), createRole(a, newVerifier(a.Password))))
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	require.Error(t, run(t.Context(), c, "COMMIT"), "whoever stood still was ended")
	s.gone(t, a.Name)
}

// defaultPrivileges hold for tables that are made later.
func defaultPrivileges(t *testing.T, s *server) {
	session := s.open(t, s.target("postgres"))
	a := account1("USAGE ON SCHEMA app", "DEFAULT FOR ROLE dba IN SCHEMA app SELECT ON TABLES", "pg_monitor")
	_, err := session.Create(t.Context(), a)
	require.NoError(t, err)
	s.exec(t, "SET ROLE dba", "CREATE TABLE app.later ()", "RESET ROLE")
	s.as(t, a, "SELECT FROM app.later")
	require.Equal(t, "true", s.ask(t, "SELECT pg_has_role('trsx_one', 'pg_monitor', 'USAGE')::text"))
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	s.gone(t, a.Name)
	require.Equal(t, "0", s.ask(t, "SELECT count(*)::text FROM pg_default_acl"))
	s.exec(t, "DROP TABLE app.later")
}
