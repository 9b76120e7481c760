//go:build cgo

package seal

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/parts"
)

// shim is a module that stands before SoftHSM and misbehaves when it is told to.
type shim struct {
	t    *testing.T
	dir  string
	conf PKCS11Config
}

// newShim compiles the module and makes a token with a key behind it.
func newShim(t *testing.T) *shim {
	t.Helper()
	hsm := softHSM(t)
	conf := hsm.Config("root")
	s := patient(t, conf, t.TempDir())
	require.NoError(t, s.CreateKey(t.Context()))
	s.Close()

	h := &shim{t: t, dir: t.TempDir(), conf: conf}
	headers, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11").Output()
	require.NoError(t, err)
	h.conf.Module = filepath.Join(h.dir, "shim.so")
	out, err := exec.Command(parts.Need(t, "gcc", "gcc"), "-shared", "-fPIC", "-I", strings.TrimSpace(string(headers)), "-o", h.conf.Module, "testdata/shim.c", "-ldl").CombinedOutput()
	require.NoError(t, err, string(out))
	h.conf.Env = maps.Clone(conf.Env)
	h.conf.Env["SHIM"], h.conf.Env["SHIM_MODULE"] = h.dir, hsm.Module
	return h
}

// plan says what a function does from now on; nothing, and it does what SoftHSM does.
func (h *shim) plan(function, what string) {
	h.t.Helper()
	path := filepath.Join(h.dir, function)
	if what == "" {
		require.NoError(h.t, os.Remove(path))
		return
	}
	require.NoError(h.t, os.WriteFile(path+".new", []byte(what), 0o600))
	require.NoError(h.t, os.Rename(path+".new", path))
}

// calls counts how often a function was called.
func (h *shim) calls(function string) (n int) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "calls"))
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(h.t, err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == function {
			n++
		}
	}
	return n
}
