package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/trstctl/trstctl/sdk"
)

const (
	usersOfPostgres = 8
	peerPostgres    = 18 // credentials issued and revoked a second, of a well-known open-source peer on such a machine
)

// postgresLeases measures credentials at a PostgreSQL of the bench's own, each issued and revoked, beside the same statements by as many direct connections in the same run.
func postgresLeases(ctx context.Context, b *bench, c *cluster) error {
	p, err := startPostgres(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		say("leases at PostgreSQL are left out: it is not installed, or nobody but root is here to be its user")
		return nil
	}
	if err != nil {
		return err
	}
	defer p.end()
	raw, err := b.rawRoles(ctx, c, p)
	if err != nil {
		return err
	}
	b.add(raw)
	if _, err := c.admin.WriteConnection(ctx, "bench-pg", sdk.ConnectionSpec{Backend: "postgresql", Host: "127.0.0.1", Port: p.port, TLS: "disable", Username: "postgres", Password: sdk.Secret(p.password)}); err != nil {
		return err
	}
	if _, err := c.admin.WriteDynamicRole(ctx, "bench-pg", "r", sdk.DynamicRoleSpec{Grants: []string{"SELECT ON bench"}}); err != nil {
		return err
	}
	row, err := b.measure(ctx, c, Row{What: "credentials at PostgreSQL issued, and their leases revoked", Clients: usersOfPostgres}, all, func(ctx context.Context, w *worker, _ int) error {
		got, err := w.client.IssueCredential(ctx, "bench-pg", "r", time.Hour)
		got.Clear()
		if err == nil {
			_, err = w.client.RevokeLease(ctx, got.LeaseID)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.add(row.beside(row.PerSecond, raw.PerSecond, "the statements alone").judge(atLeast(5*peerPostgres, ">= 90/s").and(&target{">= 70 % of the statements", func(r Row) bool { return r.Ratio >= 0.7 }})))
	return nil
}

// rawRoles makes and drops roles by connections of the bench, each statement as it were the only one.
func (b *bench) rawRoles(ctx context.Context, c *cluster, p *postgres) (Row, error) {
	row := Row{What: "CREATE ROLE, GRANT, DROP OWNED and DROP ROLE, by direct connections", Clients: usersOfPostgres}
	var n atomic.Int64
	var turn sync.Mutex // the server fails those who change the same access list at once
	began := time.Now()
	err := parallel(usersOfPostgres, usersOfPostgres, func(i int) error {
		conn, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		for k := 0; time.Since(began) < b.opt.period && ctx.Err() == nil; k++ {
			name := fmt.Sprintf("raw_%d_%d", i, k)
			for _, text := range []string{"BEGIN; CREATE ROLE " + name + " LOGIN PASSWORD 'md5d41d8cd98f00b204e9800998ecf8427e' VALID UNTIL '2100-01-01'; GRANT SELECT ON bench TO " + name + "; COMMIT",
				"ALTER ROLE " + name + " NOLOGIN", "BEGIN; DROP OWNED BY " + name + "; DROP ROLE " + name + "; COMMIT"} {
				turn.Lock()
				_, err := conn.Exec(ctx, text)
				if turn.Unlock(); err != nil {
					return err
				}
			}
			n.Add(1)
		}
		return nil
	})
	row.Count = int(n.Load())
	row.PerSecond = perSecond(row.Count, time.Since(began))
	return row, err
}

// postgres is a server of the bench's own, as the user that Debian gives it.
type postgres struct {
	cmd      *exec.Cmd
	dir      string
	port     uint16
	password string
}

func startPostgres(ctx context.Context) (*postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	u, missing := user.Lookup("postgres")
	if err != nil || missing != nil || len(found) == 0 || os.Getuid() != 0 {
		return nil, exec.ErrNotFound
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGQUIT}
	p := &postgres{password: rand.Text()}
	if p.dir, err = os.MkdirTemp("", "trb-pg-"); err != nil {
		return nil, err
	}
	file := filepath.Join(p.dir, "password")
	err = errors.Join(os.WriteFile(file, []byte(p.password), 0o644), os.Chmod(p.dir, 0o711), os.Mkdir(filepath.Join(p.dir, "data"), 0o700), os.Chown(filepath.Join(p.dir, "data"), int(uid), int(gid)))
	if err == nil {
		c := exec.CommandContext(ctx, found[len(found)-1], "-D", filepath.Join(p.dir, "data"), "-U", "postgres", "--auth=scram-sha-256", "--pwfile="+file, "-N")
		c.Dir, c.SysProcAttr, c.Env = p.dir, as, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
		var out []byte
		if out, err = c.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	if err == nil {
		err = p.run(ctx, filepath.Join(filepath.Dir(found[len(found)-1]), "postgres"), as)
	}
	if err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// run starts the server with its disk's syncs, waits for it, and makes the table that roles may read.
func (p *postgres) run(ctx context.Context, program string, as *syscall.SysProcAttr) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.port = uint16(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		return err
	}
	p.cmd = exec.Command(program, "-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(int(p.port)), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	p.cmd.Dir, p.cmd.SysProcAttr, p.cmd.Env = p.dir, as, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for until := time.Now().Add(20 * time.Second); ; {
		conn, err := p.connect(ctx)
		if err == nil {
			_, err = conn.Exec(ctx, "CREATE TABLE bench (id int)")
			return errors.Join(err, conn.Close(ctx))
		}
		if time.Now().After(until) || pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("the PostgreSQL of the bench does not answer: %w", err)
		}
	}
}

func (p *postgres) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.User, c.Password, c.Database = "127.0.0.1", p.port, "postgres", p.password, "postgres"
	c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, c)
}

// end ends the server with its files.
func (p *postgres) end() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = p.cmd.Wait()                         // it says that it was interrupted
	}
	_ = os.RemoveAll(p.dir)
}
