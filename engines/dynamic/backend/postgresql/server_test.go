package postgresql

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/test/parts/pg"
)

const rootPassword = pg.RootPassword

// server is a PostgreSQL of this test's own.
type server struct {
	*pg.Server
	root *pgx.Conn // a superuser, for what the test does itself
}

func start(t *testing.T) *server {
	s := &server{Server: pg.Start(t)}
	var err error
	s.root, err = s.connect(t.Context(), "postgres", rootPassword, "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.root.Close(context.Background()) })
	return s
}

// connect logs in past the backend.
func (s *server) connect(ctx context.Context, username, password, database string) (*pgx.Conn, error) {
	c, err := blank()
	if err != nil {
		return nil, err
	}
	c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.RuntimeParams = "127.0.0.1", s.Port, map[string]string{}
	c.ConnConfig.User, c.ConnConfig.Password, c.ConnConfig.Database = username, password, database
	return pgx.ConnectConfig(ctx, c.ConnConfig)
}

// exec runs statements as the superuser.
func (s *server) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, text := range statements {
		_, err := s.root.Exec(t.Context(), text)
		require.NoError(t, err, "%.60s", text)
	}
}

func (s *server) ask(t *testing.T, query string, args ...any) string {
	t.Helper()
	var out *string
	require.NoError(t, s.root.QueryRow(t.Context(), query, args...).Scan(&out), query)
	if out == nil {
		return ""
	}
	return *out
}

// target is the server as an account sees it that administers it.
func (s *server) target(username string) backend.Target {
	return backend.Target{
		Config:   backend.Config{Host: "localhost", Port: s.Port, CA: s.CA},
		Username: username, Password: []byte(rootPassword), Dial: new(net.Dialer).DialContext,
	}
}

func (s *server) open(t *testing.T, target backend.Target) backend.Session {
	t.Helper()
	session, err := Backend{}.Open(t.Context(), target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func (s *server) String() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }
