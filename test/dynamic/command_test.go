package dynamic

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
	"github.com/trstctl/trstctl/test/parts/pg"
)

// inTheClear has programs connect without a certificate of their own to look at.
func (r *rig) inTheClear() {
	s := r.spec()
	s.Host, s.TLS, s.CA = "127.0.0.1", "disable", ""
	_, err := r.client.WriteConnection(r.T.Context(), "pg", s)
	require.NoError(r.T, err)
}

// TestTheCommandLine does what its help says.
func TestTheCommandLine(t *testing.T) {
	psql := parts.Need(t, "psql", "postgresql")
	r := newRig(t)
	r.inTheClear()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(pg.RootPassword+"\n"), 0o600))
	run := func(code int, args ...string) string {
		t.Helper()
		out, errs, got := r.Command("", args...)
		require.Equal(t, code, got, "%s%s", out, errs)
		require.NotContains(t, out+errs, pg.RootPassword)
		return out + errs
	}
	url := "postgresql://postgres@127.0.0.1:" + strconv.Itoa(int(r.db.Port)) + "/postgres?sslmode=disable"
	require.Contains(t, run(0, "dynamic", "connection", "create", "again", "--url", url, "--password", "@"+file), "accounts begin with")
	require.Contains(t, run(5, "dynamic", "connection", "create", "bad", "--url", strings.Replace(url, "postgres@", "nobody@", 1), "--password", "@"+file), "does not let nobody into database postgres")
	require.Contains(t, run(2, "dynamic", "connection", "create", "bad", "--url", url, "--password", pg.RootPassword[:4]), "on the command line others see it")
	require.Contains(t, run(0, "dynamic", "role", "create", "again", "r", "--grant", "SELECT ON orders", "--ttl", "1h", "--max-ttl", "24h"), "SELECT ON orders")
	require.Contains(t, run(2, "dynamic", "role", "create", "again", "r"), "--grant is missing")
	require.Contains(t, run(2, "dynamic", "role", "create", "again", "r", "--grant", "SELECT ON orders; DROP TABLE orders"), "grants: number 1 has")

	require.Contains(t, run(0, "creds", "pg", "readonly", "-o", "json"), `"lease_id": "pg/readonly/`)
	require.Contains(t, run(0, "creds", "pg", "readonly", "-o", "env"), "export PGPASSWORD='")
	require.Contains(t, run(0, "lease", "list", "--prefix", "pg/"), "active")
	require.Contains(t, run(0, "lease", "revoke", "--prefix", "pg/"), "revoked  2")
	r.gone()

	require.Equal(t, "1\n", run(0, "creds", "pg", "readonly", "--exec", "--", psql, "-At", "-c", "select 1"))
	require.Contains(t, run(1, "creds", "pg", "readonly", "--exec", "--", psql, "-At", "-v", "ON_ERROR_STOP=1", "-c", "select * from secret"), "permission denied for table secret")
	require.Equal(t, "no token\n", run(7, "creds", "pg", "readonly", "--exec", "--", "sh", "-c", `echo "${TRSTCTL_TOKEN:-no token}"; exit 7`))
	require.Contains(t, run(3, "creds", "pg", "nobody"), `there is no role "nobody" of connection "pg"`)
	r.gone()
	require.Contains(t, run(0, "dynamic", "connection", "sweep", "pg"), "ACCOUNT")
	require.Contains(t, run(0, "outbox", "list"), "DESTINATION")
	require.Contains(t, run(0, "dynamic", "connection", "delete", "again"), "again")
	r.Check()
}

// TestAKilledCommandLeavesNoAccount: a minute after its kill -9 the role is gone, and while it runs it lasts.
func TestAKilledCommandLeavesNoAccount(t *testing.T) {
	r := newRig(t)
	r.inTheClear()
	pid := filepath.Join(t.TempDir(), "pid")
	c := exec.Command(harness.Binary(t), "creds", "pg", "readonly", "--exec", "--", "sh", "-c", "echo $$ >"+pid+"; exec sleep 300")
	c.Env = r.Env()
	require.NoError(t, c.Start())
	var child int
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(pid)
		child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && child > 0
	}, 30*time.Second, 50*time.Millisecond)
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	require.NotEmpty(t, r.accounts())
	time.Sleep(45 * time.Second) // beyond the life that the lease began with
	require.NotEmpty(t, r.accounts(), "it lasts as long as the program")
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
	until := time.Now().Add(time.Minute)
	for r.accounts() != "" && time.Now().Before(until) {
		time.Sleep(time.Second)
	}
	require.Empty(t, r.accounts())
	r.Check()
}
