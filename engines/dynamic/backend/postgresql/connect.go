package postgresql

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// neutral names every key that pgx v5.13 would take from the environment, the home directory or a file. What it says is replaced below.
const neutral = "host=localhost port=5432 dbname=none user=none password=none passfile='' sslmode=disable sslcertmode=disable sslsni=1 sslnegotiation=postgres " +
	"sslrootcert='' sslcert='' sslkey='' sslpassword='' connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer " +
	"require_auth='' application_name=none timezone=UTC options='' service=none servicefile="

// blank is a configuration with nothing in it. pgx makes none but by parsing, and PGSERVICE cannot be overridden but by another service, which has to be in a file: an empty one,
// in a pipe.
func blank() (*pgxpool.Config, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	_, err = w.WriteString("[none]\n")
	w.Close()
	if err != nil {
		return nil, err
	}
	c, err := pgxpool.ParseConfig(fmt.Sprintf("%s/dev/fd/%d", neutral, r.Fd()))
	if err != nil {
		return nil, fmt.Errorf("prepare the driver: %w", err)
	}
	return c, nil
}

const (
	maxConns    = 8
	maxMessage  = 16 << 20 // of a server that may not be what it says
	connectTime = 8 * time.Second
	pingTime    = 2 * time.Second
	idleTime    = time.Minute
	lifeTime    = 30 * time.Minute
)

// settings of each connection go before those that the server keeps for the account. Only pg_catalog is on the search path, so that nobody puts a function of theirs under
// ours.
func settings() map[string]string {
	return map[string]string{
		"application_name": "trstctl", "search_path": "pg_catalog", "client_encoding": "UTF8", "datestyle": "ISO", "timezone": "UTC", "standard_conforming_strings": "on",
		"statement_timeout": "9s", "lock_timeout": "4s", "idle_in_transaction_session_timeout": "5s", "default_transaction_isolation": "read committed",
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", // what a peer that is gone has locked is free after 11 s
	}
}

// configuration is what connections to t are made by. Their password is asked for when one is made.
func configuration(t backend.Target, password func() string) (*pgxpool.Config, error) {
	p, err := blank()
	if err != nil {
		return nil, err
	}
	c := p.ConnConfig
	c.Host, c.Port, c.Database, c.User, c.Password = t.Host, t.Port, t.Database, t.Username, ""
	c.TLSConfig, c.Fallbacks, c.RuntimeParams = t.TLSConfig(), nil, settings()
	c.RequireAuth = "!none"
	if c.TLSConfig == nil {
		c.RequireAuth = "!none,!password"
	}
	c.ConnectTimeout, c.MaxProtocolMessageBodyLen = connectTime, maxMessage
	c.DialFunc = t.Dial
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves: it has to see the address that it checks
	c.DefaultQueryExecMode, c.StatementCacheCapacity, c.DescriptionCacheCapacity = pgx.QueryExecModeExec, 0, 0
	p.MaxConns, p.MinConns, p.MaxConnIdleTime, p.MaxConnLifetime, p.HealthCheckPeriod = maxConns, 0, idleTime, lifeTime, idleTime/2
	p.PingTimeout = pingTime
	p.ShouldPing = func(_ context.Context, s pgxpool.ShouldPingParams) bool { return s.IdleDuration > 20*time.Millisecond } // what was closed meanwhile is not used
	p.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Password = password()
		return nil
	}
	return p, nil
}
