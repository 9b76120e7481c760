package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const usersOfLeases = 16

// leases measures credentials that are issued at a Redis, which answers at once, renewed, and revoked until the server has no user of theirs; beside ACL SETUSER in the same run.
func leases(ctx context.Context, b *bench, c *cluster) error {
	r, err := startRedis(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		say("leases are left out: there is no redis-server here")
		return nil
	}
	if err != nil {
		return err
	}
	defer r.end()
	if _, err := c.admin.WriteConnection(ctx, "bench", sdk.ConnectionSpec{Backend: "redis", Host: "127.0.0.1", Port: r.port, TLS: "disable", Username: "default", Password: sdk.Secret(r.password),
		Options: map[string]string{"persist": "none"}}); err != nil {
		return err
	}
	if _, err := c.admin.WriteDynamicRole(ctx, "bench", "r", sdk.DynamicRoleSpec{Grants: []string{"+@read ~bench:*"}}); err != nil {
		return err
	}
	held := make(chan string, 1<<20)
	issue := func(ctx context.Context, w *worker, _ int) error {
		got, err := w.client.IssueCredential(ctx, "bench", "r", time.Hour)
		got.Clear()
		if err == nil {
			held <- got.LeaseID
		}
		return err
	}
	row, err := b.measure(ctx, c, Row{What: "credentials at a Redis issued", Clients: usersOfLeases}, all, issue)
	if err != nil {
		return err
	}
	b.add(row)
	if len(held) == 0 {
		return errors.New("no credential was issued")
	}
	if row, err = b.measure(ctx, c, Row{What: "leases renewed", Clients: usersOfLeases}, all, func(ctx context.Context, w *worker, n int) error {
		id := <-held
		held <- id
		_, err := w.client.RenewLease(ctx, id, time.Duration(n%3600+3600)*time.Second)
		return err
	}); err != nil {
		return err
	}
	b.add(row)
	if err := b.massRevocation(ctx, c, r, len(held)); err != nil {
		return err
	}
	return postgresLeases(ctx, b, c)
}

// massRevocation ends all leases at once, until the server has none of their users.
func (b *bench) massRevocation(ctx context.Context, c *cluster, r *redis, n int) error {
	began := time.Now()
	if _, err := c.admin.RevokeLeases(ctx, "bench/"); err != nil {
		return err
	}
	for {
		page, err := c.admin.Leases(ctx, "bench/", sdk.Slice{Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Items) == 0 {
			break
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	row := Row{What: "leases revoked at once, until the Redis has no user of theirs", LogStore: c.store, Count: n, PerSecond: perSecond(n, time.Since(began))}
	b.add(row.judge(atLeast(5*66, ">= 330/s"))) // a well-known open-source peer revokes 66 a second on such a machine
	return nil
}

// redis is a server of the bench's own, in memory.
type redis struct {
	cmd      *exec.Cmd
	dir      string
	port     uint16
	password string
}

func startRedis(ctx context.Context) (*redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &redis{port: uint16(l.Addr().(*net.TCPAddr).Port), password: rand.Text()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp("", "trb-redis-"); err != nil {
		return nil, err
	}
	file := filepath.Join(r.dir, "redis.conf")
	conf := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsave \"\"\nrequirepass %s\n", r.port, r.dir, r.password)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	r.cmd = exec.Command(program, file)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	for until := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(r.port))))
		if err == nil {
			return r, c.Close()
		}
		if time.Now().After(until) || pause(ctx, 20*time.Millisecond) != nil {
			r.end()
			return nil, fmt.Errorf("the Redis of the bench does not answer: %w", err)
		}
	}
}

// end ends the server with its files.
func (r *redis) end() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it says that it was killed
	_ = os.RemoveAll(r.dir)
}
