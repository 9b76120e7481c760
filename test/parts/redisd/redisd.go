// Package redisd starts Redis for tests.
package redisd

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/parts"
)

// RootPassword is that of the user default.
const RootPassword = "Planted-root-password_1"

// Server is a Redis of one test's own, on loopback, with TLS for localhost on one port and in the clear on another.
type Server struct {
	Port, Clear uint16
	CA          []byte // PEM
	Dir         string
}

// Options change how a server is started.
type Options struct {
	Cluster   bool
	NoACLFile bool
}

// Start starts one, which ends with t.
func Start(t testing.TB, o Options) *Server {
	program := parts.Need(t, "redis-server", "redis-server")
	s := &Server{Port: parts.FreePort(t), Clear: parts.FreePort(t), Dir: t.TempDir()}
	c := parts.Certify(t, "localhost", "127.0.0.1")
	s.CA = c.CA
	write := func(name string, b []byte) string {
		path := filepath.Join(s.Dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	cert, key := write("server.crt", c.Certificate), write("server.key", c.Key)
	user := fmt.Sprintf("user default on #%x ~* &* +@all\n", sha256.Sum256([]byte(RootPassword)))
	conf := fmt.Sprintf("bind 127.0.0.1\nport %d\ntls-port %d\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\ndir %s\nsave \"\"\nappendonly no\n", s.Clear, s.Port, cert, key, s.Dir)
	if o.NoACLFile {
		conf += user
	} else {
		conf += "aclfile " + write("users.acl", []byte(user)) + "\n"
	}
	if o.Cluster {
		conf += fmt.Sprintf("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port %d\ncluster-node-timeout 2000\n", parts.FreePort(t))
	}
	cmd := exec.Command(program, write("redis.conf", []byte(conf)))
	cmd.Dir, cmd.Env = s.Dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it says that it was killed
	})
	require.Eventually(t, func() bool { return parts.Listens(s.Port) && parts.Listens(s.Clear) }, 30*time.Second, 20*time.Millisecond)
	return s
}
