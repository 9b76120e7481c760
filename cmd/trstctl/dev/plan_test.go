package dev

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
)

func TestPorts(t *testing.T) {
	nodes, err := plan("/d", 3, 8200)
	require.NoError(t, err)
	require.Equal(t, Node{ID: "n3", API: "https://127.0.0.1:8220", Cluster: "127.0.0.1:8221", Gossip: "127.0.0.1:8222", KMIP: "127.0.0.1:8223", PKI: "127.0.0.1:8224", Dir: "/d/n3"}, nodes[2])
	for _, c := range []struct{ n, base int }{{0, 8200}, {maxNodes + 1, 8200}, {3, 0}, {3, 65520}, {1, 65534}} {
		_, err := plan("/d", c.n, c.base)
		require.Error(t, err, c)
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	nodes, err := freePlan("/d", 1)
	require.NoError(t, err)
	l, err := net.Listen("tcp", nodes[0].Cluster)
	require.NoError(t, err)
	defer l.Close()
	require.ErrorContains(t, portsFree(nodes), nodes[0].Cluster)
}

func TestPortsOfARunThatWasCutOffAreAwaited(t *testing.T) {
	nodes, err := freePlan("/d", 1)
	require.NoError(t, err)
	l, err := net.Listen("tcp", nodes[0].Cluster)
	require.NoError(t, err)
	require.Error(t, awaitPorts(t.Context(), nodes, time.Minute), "nothing of ours is ending")
	nodes[0].PID = 1
	require.Error(t, awaitPorts(t.Context(), nodes, 0), "for ever")
	time.AfterFunc(2*interval, func() { _ = l.Close() }) // as a killed node's kernel does
	require.NoError(t, awaitPorts(t.Context(), nodes, time.Minute))
}

func TestAClusterOfBeforeKMIPKeepsItsPorts(t *testing.T) {
	nodes, err := plan("/d", 1, 8200)
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:8200", "127.0.0.1:8201", "127.0.0.1:8202", "127.0.0.1:8203", "127.0.0.1:8204"}, nodes[0].listens())
	nodes[0].KMIP, nodes[0].PKI = "", ""
	require.Equal(t, []string{"127.0.0.1:8200", "127.0.0.1:8201", "127.0.0.1:8202"}, nodes[0].listens())
}

func TestQuotingIsTheShells(t *testing.T) {
	for _, v := range []string{"plain", "", "it's", "a b", `$HOME "x" \n`, "two\nlines", "'", "''"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoted(v)).Output()
		require.NoError(t, err)
		require.Equal(t, v, string(out))
	}
}

func FuzzUnquoted(f *testing.F) {
	f.Add("it's $(x)")
	f.Add("'\\''")
	f.Fuzz(func(t *testing.T, v string) {
		if strings.Contains(v, "\x00") {
			return // no shell variable holds one
		}
		got, err := unquoted(quoted(v))
		require.NoError(t, err)
		require.Equal(t, v, got)
		_, _ = unquoted(v) // whatever stands there, no panic
	})
}

func TestEnvSurvivesAFile(t *testing.T) {
	e := Env{[]string{"https://a:1", "https://b:2"}, "/it's/ca.pem", sdk.Secret("trs.x")}
	path := filepath.Join(t.TempDir(), "env")
	require.NoError(t, writeFile(path, e.encode("/opt/it's bin")))
	got, err := ReadEnv(path)
	require.NoError(t, err)
	require.Equal(t, e, got)

	out, err := exec.Command("sh", "-c", `. "$1"; printf '%s|%s|%s|%s|%s' "$TRSTCTL_ADDR" "$TRSTCTL_ADDRS" "$TRSTCTL_CACERT" "$TRSTCTL_TOKEN" "${PATH##*:}"`, "sh", path).Output()
	require.NoError(t, err)
	require.Equal(t, "https://a:1|https://a:1,https://b:2|/it's/ca.pem|trs.x|/opt/it's bin", string(out))

	require.NoError(t, os.WriteFile(path, []byte("export TRSTCTL_TOKEN='x'\n"), 0o600))
	_, err = ReadEnv(path)
	require.ErrorContains(t, err, "damaged")
}

func TestTheDevelopersVariablesDoNotReachTheNodes(t *testing.T) {
	require.Equal(t, []string{"HOME=/h", "PATH=/p"}, childEnv([]string{"HOME=/h", "TRSTCTL_TOKEN=x", "PATH=/p", "TRSTCTL_API_LISTEN=y"}))
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte("first line\nsecond\nthird\n"), 0o600))
	require.Equal(t, "second\nthird", tail(path, 15))
	require.Equal(t, "first line\nsecond\nthird", tail(path, 1000))
	require.Contains(t, tail(path+"x", 10), "cannot be read")
}
