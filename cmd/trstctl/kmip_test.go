package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKMIPUsageAsksNobody(t *testing.T) {
	r := newRig(t, 200, struct{}{})
	taken := kept(t, "c.key", "mine")
	for _, args := range []string{
		"", "ca", "ca add x", "ca add x /does/not/exist", "server rotate", "server rotate --delay -1h", "server rotate --delay 1ns", "role write r", "role write r --all-operations --operation Get",
		"client create", "client create c --csr /does/not/exist", "client create c --csr a --certificate b", "client create c --fingerprint 00 --algorithm ec-p256", "client create c --fingerprint 00 --ttl 1h",
		"client create c --ttl 0s", "client create c --ca x", "client create c --subject-der " + taken, "client create c --password-file " + taken, "client create c --csr - --username u",
		"client create ca --out " + filepath.Dir(taken), "client create c --out /dev/null/x", "client renew c --overlap -1h", "client configure c", "client configure c --username u --remove-password",
		"client revoke-binding c x", "client revoke-binding c 0", "client confirm", "client confirm c --all", "client create c --subject-der /dev/null --ca x",
	} {
		require.Equal(t, exitUsage, r.run(t, append([]string{"kmip"}, strings.Fields(args)...)...), args)
		require.Empty(t, r.asked, args)
		require.NotEmpty(t, r.err.String(), args)
	}
	require.Equal(t, exitConflict, r.run(t, "kmip", "client", "create", "c", "--out", filepath.Dir(taken)))
	require.Empty(t, r.asked)
	for _, flag := range []string{"--role", "--csr", "--fingerprint", "--out", "--username"} {
		require.Equal(t, exitUsage, r.run(t, "kmip", "client", "create", "c", flag, ""))
		require.Contains(t, r.err.String(), flag+" is empty")
		require.Empty(t, r.asked)
	}
}

// made is a node's answer to a client's first request; it is that to the request for the roots as well.
func made() map[string]any {
	return map[string]any{"private_key": "KEY\n", "certificate": "CERT\n", "certificates": "ROOTS\n", "name": "c", "number": 1, "kind": "issued"}
}

func TestAClientsKeyIsInOnePlace(t *testing.T) {
	r := newRig(t, 200, made())
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c", "-o", "raw"), r.err.String())
	require.Equal(t, "KEY\nCERT\n", r.out.String())
	require.Contains(t, r.err.String(), "not shown again")
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c"))
	require.Contains(t, r.out.String(), "\n\nKEY\nCERT\n")
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c", "-o", "json"))
	require.Contains(t, r.out.String(), `"private_key": "KEY\u000a"`)

	dir := filepath.Join(t.TempDir(), "new", "c")
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c", "-o", "json", "--out", dir), r.err.String())
	require.NotContains(t, r.out.String(), `"private_key":`)
	require.Contains(t, r.out.String(), `"private_key_file": "`+dir+`/c.key"`)
	require.Empty(t, r.err.String())
	for file, want := range map[string]string{"c.key": "KEY\n", "c.pem": "CERT\n", "ca.pem": "ROOTS\n"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.Equal(t, exitConflict, r.run(t, "kmip", "client", "renew", "c", "--out", dir))
	require.Empty(t, r.asked)
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "d", "--out", dir), "beside another client")
}

// TestWhatSendsNoKeyWritesNone but the roots, and not over a file of the client's own.
func TestWhatSendsNoKeyWritesNone(t *testing.T) {
	r := newRig(t, 200, map[string]any{"certificate": "CERT\n", "certificates": "ROOTS\n", "name": "c", "number": 1, "kind": "certificate"})
	own := kept(t, "c.pem", "CERT\n")
	dir := filepath.Dir(own)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.key"), []byte("mine"), 0o600))
	require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c", "--certificate", own, "--out", dir), r.err.String())
	require.NotContains(t, r.out.String(), "CERT")
	require.JSONEq(t, `{"certificate":"CERT\n"}`, r.asked[1].body)
	b, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	require.NoError(t, err)
	require.Equal(t, "ROOTS\n", string(b))
}

func TestAPasswordIsReadWithoutItsLineBreak(t *testing.T) {
	r := newRig(t, 200, made())
	for in, want := range map[string]string{"secret pw": "secret pw", "secret pw\n": "secret pw", "secret pw \r\n": "secret pw ", "two\n\n": `two\n`} {
		r.in = in
		require.Equal(t, exitOK, r.run(t, "kmip", "client", "create", "c", "--username", "u"), r.err.String())
		require.JSONEq(t, `{"password":{"username":"u","password":"`+want+`"}}`, r.asked[0].body)
		require.Equal(t, exitOK, r.run(t, "kmip", "client", "configure", "c", "--username", "u", "--password-file", kept(t, "pw", in)))
		require.JSONEq(t, `{"password":{"username":"u","password":"`+want+`"}}`, r.asked[0].body)
	}
	r.in = "\n"
	require.Equal(t, exitUsage, r.run(t, "kmip", "client", "create", "c", "--username", "u"))
	require.Empty(t, r.asked)
}

func TestKMIPSwitchedOffIsSaid(t *testing.T) {
	r := newRig(t, http.StatusNotFound, map[string]any{"kind": "not-found", "detail": "the administration of KMIP is switched off on this node: kmip.enable_api in its configuration"})
	for _, args := range []string{"ca list", "ca init", "server roots", "role list", "role read r", "client list", "client create c", "client revoke c", "client confirm --all"} {
		require.Equal(t, exitNotFound, r.run(t, append([]string{"kmip"}, strings.Fields(args)...)...), args)
		require.Contains(t, r.err.String(), "kmip.enable_api in its configuration")
		require.Empty(t, r.out.String())
	}
}
