package postgresql

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

// hostile is every variable that pgx or libpq takes, and files in the home directory.
func hostile(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	service := write("service.conf", "[evil]\nhost=evil.example\nport=1\nuser=evil\npassword=evil\nsslmode=disable\nsearch_path=evil\npool_max_conns=1\n")
	write(".pgpass", "*:*:*:*:evil\n")
	write(".pg_service.conf", "[evil]\nhost=evil.example\n")
	for _, name := range []string{"postgresql.crt", "postgresql.key", "root.crt"} {
		write(".postgresql/"+name, "not PEM")
	}
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "evil.example", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGDATABASE": "evil", "PGUSER": "evil", "PGPASSWORD": "evil", "PGPASSFILE": filepath.Join(home, ".pgpass"),
		"PGSERVICE": "evil", "PGSERVICEFILE": service, "PGSSLMODE": "disable", "PGSSLCERT": filepath.Join(home, "none"), "PGSSLKEY": filepath.Join(home, "none"), "PGSSLCERTMODE": "evil", "PGSSLSNI": "0",
		"PGSSLROOTCERT": filepath.Join(home, "none"), "PGSSLPASSWORD": "evil", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGOPTIONS": "-c search_path=evil", "PGAPPNAME": "evil", "PGTZ": "Mars/Evil",
		"PGCONNECT_TIMEOUT": "evil", "PGMINPROTOCOLVERSION": "evil", "PGMAXPROTOCOLVERSION": "evil", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
}

func TestNothingComesFromTheEnvironment(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	target := backend.Target{Config: backend.Config{Host: "db.example"}, Username: "root", Dial: dial}
	fill(&target.Config)
	want, err := configuration(target, func() string { return "" })
	require.NoError(t, err)
	hostile(t)
	got, err := configuration(target, func() string { return "" })
	require.NoError(t, err)
	for _, c := range []*pgx.ConnConfig{want.ConnConfig, got.ConnConfig} {
		c.DialFunc, c.LookupFunc, c.BuildFrontend, c.BuildContextWatcherHandler, c.OnPgError = nil, nil, nil, nil, nil // functions do not compare
		require.Nil(t, c.ValidateConnect)
		require.Equal(t, "", c.Password)
		require.Equal(t, settings(), c.RuntimeParams)
	}
	require.Equal(t, strings.Split(want.ConnString(), "/dev/fd/")[0], strings.Split(got.ConnString(), "/dev/fd/")[0])
	require.Equal(t, want.ConnConfig.Config, got.ConnConfig.Config)
	require.Equal(t, want.ConnConfig.DefaultQueryExecMode, got.ConnConfig.DefaultQueryExecMode)
	require.Equal(t, want.MaxConns, got.MaxConns)
}

// environmentIsIgnored logs in in spite of everything that could be in the environment.
func environmentIsIgnored(t *testing.T, s *server) {
	hostile(t)
	var dialed []string
	target := s.target("postgres")
	target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, network+" "+address)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	require.NoError(t, s.open(t, target).Verify(t.Context()))
	for _, d := range dialed {
		require.Equal(t, "tcp localhost:"+strings.Split(s.String(), ":")[1], d, "the dialer resolves")
	}
	require.Equal(t, "on pg_catalog trstctl UTC", s.ask(t, `SELECT string_agg(concat_ws(' ', CASE WHEN ssl THEN 'on' END, 'pg_catalog', application_name, 'UTC'), ',')
		FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'postgres' AND application_name = 'trstctl'`))
}

// whatIsWrongIsSaid tells apart what people have to do about it.
func whatIsWrongIsSaid(t *testing.T, s *server) {
	try := func(change func(*backend.Target)) string {
		target := s.target("postgres")
		change(&target)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Backend{}.Open(ctx, target)
		require.Error(t, err)
		require.Equal(t, fault.Internal, fault.KindOf(err))
		return err.Error()
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	at := func(address string) func(*backend.Target) {
		return func(target *backend.Target) {
			target.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		}
	}
	where := "postgresql localhost:" + strings.Split(s.String(), ":")[1]
	require.Contains(t, try(at("127.0.0.1:1")), "log in: cannot reach "+where+": ")
	require.Equal(t, "log in: "+where+" did not answer in time: context deadline exceeded", try(at(silent.Addr().String())))
	require.Contains(t, try(func(target *backend.Target) { target.CA = nil }), "log in: the certificate of "+where+" does not show that it is localhost: x509: ")
	require.Equal(t, where+" does not let postgres into database postgres: password authentication failed for user \"postgres\" (SQLSTATE 28P01)",
		try(func(target *backend.Target) { target.Password = []byte("Planted-wrong_1") }))
	require.Equal(t, where+" does not let postgres into database none: database \"none\" does not exist (SQLSTATE 3D000)", try(func(target *backend.Target) { target.Database = "none" }))

	target := s.target("postgres")
	target.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.Denied, "127.0.0.1 is not to be dialed")
	}
	_, err = Backend{}.Open(t.Context(), target)
	require.True(t, fault.Is(err, fault.Denied), "the dialer's own refusal: %v", err)
}

// oneGrantIsOneStatement goes past CheckRole.
func oneGrantIsOneStatement(t *testing.T, s *server) {
	session := s.open(t, s.target("postgres")).(*session)
	for _, text := range []string{"GRANT lent TO mallory; CREATE ROLE extra", "SELECT 1; SELECT 2"} {
		err := session.with(t.Context(), "try", func(c *pgx.Conn) error { return run(t.Context(), c, "BEGIN", text, "COMMIT") })
		require.ErrorContains(t, err, "SQLSTATE 42601", "multiple commands")
	}
	require.Equal(t, "0", s.ask(t, "SELECT count(*)::text FROM pg_roles WHERE rolname = 'extra'"))
}

// refusalsQuoteNoSecret has the server refuse what follows the password, and say so.
func refusalsQuoteNoSecret(t *testing.T, s *server) {
	session := s.open(t, s.target("postgres"))
	for grant, code := range map[string]string{"SELECT ON nowhere.t": "3F000", "SELECT ON none": "42P01", "nobody": "42704", "SELCT ON app.orders": "42601", "SELECT ON app.orders x": "42601"} {
		a := backend.Account{Name: "trsx_bad", Password: []byte("Planted-secret_1"), Until: time.Now().Add(time.Hour), Role: backend.Role{Grants: []string{grant}}}
		_, err := session.Create(t.Context(), a)
		require.ErrorContains(t, err, "refuses to make account trsx_bad: ")
		require.ErrorContains(t, err, "(SQLSTATE "+code+")")
		require.NotContains(t, err.Error(), "Planted")
		require.NotContains(t, err.Error(), "SCRAM")
	}
	require.Equal(t, "0", s.ask(t, "SELECT count(*)::text FROM pg_roles WHERE rolname = 'trsx_bad'"), "no part of it is left")
	require.EqualError(t, without(fault.New(fault.Invalid, `at "x Planted-1 y"`), "", "Planted-1"), `at "x [redacted] y"`)
}
