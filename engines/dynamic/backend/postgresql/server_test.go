package postgresql

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/test/parts"
)

const rootPassword = "Planted-root-password_1"

// server is a PostgreSQL of this test's own, on loopback.
type server struct {
	bin, dir string
	port     uint16
	ca       []byte
	root     *pgx.Conn // a superuser, for what the test does itself
}

// start starts one, which ends with t. As root it is the user postgres, whom it lets into its directory.
func start(t *testing.T) *server {
	s := &server{bin: filepath.Dir(initdb(t)), dir: filepath.Join(t.TempDir(), "pg"), port: freePort(t)}
	require.NoError(t, os.Mkdir(s.dir, 0o700))
	for d := filepath.Dir(s.dir); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o711))
	}
	s.write(t, "password", []byte(rootPassword))
	s.ca = s.certify(t)
	s.own(t)
	out, err := s.command("initdb", "-D", s.path("data"), "-U", "postgres", "--auth=scram-sha-256", "--pwfile="+s.path("password"), "-N", "-E", "UTF8", "--locale=C").CombinedOutput()
	require.NoError(t, err, string(out))
	s.run(t)
	return s
}

// initdb is the newest that Debian has put there, or that of TRSTCTL_TEST_POSTGRESQL, a directory of programs, to try another version by hand.
func initdb(t *testing.T) string {
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

func freePort(t *testing.T) uint16 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(t *testing.T, name string, b []byte) {
	require.NoError(t, os.WriteFile(s.path(name), b, 0o600))
}

// certify makes a CA, and by it a certificate for localhost alone.
func (s *server) certify(t *testing.T) []byte {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: ca.NotAfter}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	s.write(t, "server.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.write(t, "server.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
}

// own gives the directory to the user postgres, if we are root: PostgreSQL does not run as root.
func (s *server) own(t *testing.T) {
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	require.NoError(t, filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}))
}

func (s *server) command(program string, args ...string) *exec.Cmd {
	name, all := filepath.Join(s.bin, program), args
	if os.Getuid() == 0 {
		name, all = "setpriv", append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", "--", name}, args...)
	}
	c := exec.Command(name, all...)
	c.Dir, c.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	return c
}

// run starts the server and waits until it lets the superuser in. It is stopped by its process id.
func (s *server) run(t *testing.T) {
	var log bytes.Buffer
	c := s.command("postgres", "-D", s.path("data"), "-p", strconv.Itoa(int(s.port)), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "ssl=on", "-c", "ssl_cert_file="+s.path("server.crt"), "-c", "ssl_key_file="+s.path("server.key"), "-c", "log_statement=all")
	c.Stdout, c.Stderr = &log, &log
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = c.Wait()                         // it says that it was interrupted
		noPasswords(t, log.Bytes())
	})
	var err error
	require.Eventually(t, func() bool {
		s.root, err = s.connect(t.Context(), "postgres", rootPassword, "postgres")
		return err == nil
	}, 30*time.Second, 50*time.Millisecond, "%v", err)
	t.Cleanup(func() { _ = s.root.Close(context.Background()) })
}

// noPasswords looks for what is planted in what the server logged of every statement.
func noPasswords(t *testing.T, log []byte) {
	if at := bytes.Index(log, []byte("Planted-")); at >= 0 {
		t.Errorf("a password is in a statement: %.40s…", log[max(0, at-80):at])
	}
}

// connect logs in past the backend.
func (s *server) connect(ctx context.Context, username, password, database string) (*pgx.Conn, error) {
	c, err := blank()
	if err != nil {
		return nil, err
	}
	c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.RuntimeParams = "127.0.0.1", s.port, map[string]string{}
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
		Config:   backend.Config{Host: "localhost", Port: s.port, CA: s.ca},
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

func (s *server) String() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }
