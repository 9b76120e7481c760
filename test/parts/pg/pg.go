// Package pg starts PostgreSQL for tests.
package pg

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/parts"
)

// RootPassword is that of the superuser, postgres. It is planted: no statement that the server logs may have it.
const RootPassword = "Planted-root-password_1"

// Server is a PostgreSQL of one test's own, on loopback, with TLS for localhost.
type Server struct {
	t        testing.TB
	bin, dir string
	Port     uint16
	CA       []byte // PEM
}

// Start starts one, which ends with t. As root it is the user postgres, whom it lets into its directory.
func Start(t testing.TB) *Server {
	s := &Server{t: t, bin: filepath.Dir(initdb(t)), dir: filepath.Join(t.TempDir(), "pg"), Port: parts.FreePort(t)}
	require.NoError(t, os.Mkdir(s.dir, 0o700))
	for d := filepath.Dir(s.dir); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o711))
	}
	s.write("password", []byte(RootPassword))
	s.CA = s.certify()
	s.own()
	out, err := s.command("initdb", "-D", s.path("data"), "-U", "postgres", "--auth=scram-sha-256", "--pwfile="+s.path("password"), "-N", "-E", "UTF8", "--locale=C").CombinedOutput()
	require.NoError(t, err, string(out))
	s.run()
	return s
}

// initdb is the newest that Debian has put there, or that of TRSTCTL_TEST_POSTGRESQL, a directory of programs, to try another version by hand.
func initdb(t testing.TB) string {
	if dir := os.Getenv("TRSTCTL_TEST_POSTGRESQL"); dir != "" {
		return filepath.Join(dir, "initdb")
	}
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	require.NoError(t, err)
	if len(all) == 0 {
		all = []string{"/usr/lib/postgresql/15/bin/initdb"}
	}
	return parts.Need(t, all[len(all)-1], "postgresql")
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name string, b []byte) {
	require.NoError(s.t, os.WriteFile(s.path(name), b, 0o600))
}

// certify has a certificate for localhost alone.
func (s *Server) certify() []byte {
	c := parts.Certify(s.t, "localhost")
	s.write("server.crt", c.Certificate)
	s.write("server.key", c.Key)
	return c.CA
}

// own gives the directory to the user postgres, if we are root: PostgreSQL does not run as root.
func (s *Server) own() {
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	require.NoError(s.t, err)
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	require.NoError(s.t, filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}))
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	name, all := filepath.Join(s.bin, program), args
	if os.Getuid() == 0 {
		name, all = "setpriv", append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", "--", name}, args...)
	}
	c := exec.Command(name, all...)
	c.Dir, c.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	return c
}

// run starts the server and waits until it takes connections. It is stopped by its process id.
func (s *Server) run() {
	var log bytes.Buffer
	c := s.command("postgres", "-D", s.path("data"), "-p", strconv.Itoa(int(s.Port)), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "ssl=on", "-c", "ssl_cert_file="+s.path("server.crt"), "-c", "ssl_key_file="+s.path("server.key"), "-c", "log_statement=all")
	c.Stdout, c.Stderr = &log, &log
	require.NoError(s.t, c.Start())
	s.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = c.Wait()                         // it says that it was interrupted
		s.noPasswords(log.Bytes())
	})
	require.Eventually(s.t, func() bool {
		_, err := s.Ask("postgres", RootPassword, "SELECT 1")
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
}

// noPasswords looks for what is planted in what the server logged of every statement.
func (s *Server) noPasswords(log []byte) {
	if at := bytes.Index(log, []byte("Planted-")); at >= 0 {
		s.t.Errorf("a password is in a statement: %.40s…", log[max(0, at-80):at])
	}
}

// Ask has psql run one statement as a user in database postgres, and returns its rows, without headings.
func (s *Server) Ask(username, password, statement string) (string, error) {
	c := exec.Command(filepath.Join(s.bin, "psql"), "-X", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", statement,
		fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres user=%s sslmode=require connect_timeout=5", s.Port, username))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "PGPASSWORD=" + password, "LC_ALL=C"}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(bytes.TrimSpace(out)), nil
}

// Must runs statements as the superuser.
func (s *Server) Must(statements ...string) {
	s.t.Helper()
	for _, text := range statements {
		_, err := s.Ask("postgres", RootPassword, text)
		require.NoError(s.t, err)
	}
}
