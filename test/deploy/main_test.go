// Package deploy holds what deploy/ gives to operators against the programs that will read it: systemd, haproxy, nginx, helm, Prometheus, and
// nodes that run.
package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// shipped returns the path of a file below deploy/.
func shipped(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "deploy", name))
	require.NoError(t, err)
	require.FileExists(t, path)
	return path
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(shipped(t, name))
	require.NoError(t, err)
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// run runs a program that must succeed and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", filepath.Base(name), args, out)
	return string(out)
}

// check is run without output of its own: linters that only warn print and succeed.
func check(t *testing.T, name string, args ...string) {
	t.Helper()
	out := run(t, name, args...)
	require.Empty(t, string(bytes.TrimSpace([]byte(out))), "%s %v", filepath.Base(name), args)
}

// fetch asks for url once, with the token if there is one, and returns status and body. ca is who its server must be certified by.
func fetch(ctx context.Context, ca []byte, url, token string) (int, string, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}
