//go:build cgo

package seal

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// wrongPIN gives the shim's token a PIN file with another PIN in it.
func wrongPIN(t *testing.T, h *shim) (conf PKCS11Config, right []byte) {
	t.Helper()
	right, err := os.ReadFile(h.conf.PINFile)
	require.NoError(t, err)
	conf = h.conf
	conf.PINFile = filepath.Join(t.TempDir(), "pin")
	require.NoError(t, os.WriteFile(conf.PINFile, []byte("wrong-4711\n"), 0o600))
	return conf, right
}

func TestAWrongPINIsTriedOnceAndNeverAgain(t *testing.T) {
	h := newShim(t)
	conf, right := wrongPIN(t, h)
	state := filepath.Join(t.TempDir(), "seals")
	s := patient(t, conf, state)
	for range 5 {
		_, err := s.Wrap(t.Context(), []byte("root"), nil)
		require.True(t, fault.Is(err, fault.Denied), err)
		require.ErrorContains(t, err, "CKR_PIN_INCORRECT")
		require.ErrorContains(t, err, "trstctl operator seal retry hsm")
		require.ErrorContains(t, err, "pin_file "+conf.PINFile)
		require.NotContains(t, err.Error(), "4711")
		require.Error(t, s.Problem())
	}
	require.Equal(t, 1, h.calls("C_Login"))
	s.Close()

	s = patient(t, conf, state) // a restart
	require.ErrorContains(t, s.Test(t.Context()), "refused the PIN")
	require.NoError(t, os.WriteFile(conf.PINFile, []byte("wrong-4711"), 0o600)) // written anew: another file's time, the same PIN
	require.ErrorContains(t, s.Test(t.Context()), "refused the PIN")
	require.Equal(t, 1, h.calls("C_Login"))

	mark, err := os.ReadFile(filepath.Join(state, "hsm.pin"))
	require.NoError(t, err)
	require.NotContains(t, string(mark), "4711")
	info, err := os.Stat(filepath.Join(state, "hsm.pin"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, s.Retry()) // it is still wrong: one attempt more, no second
	require.ErrorContains(t, s.Test(t.Context()), "CKR_PIN_INCORRECT")
	require.ErrorContains(t, s.Test(t.Context()), "CKR_PIN_INCORRECT")
	require.Equal(t, 2, h.calls("C_Login"))

	require.NoError(t, os.WriteFile(conf.PINFile, right, 0o600)) // the right one needs nobody's word
	require.NoError(t, s.Test(t.Context()))
	require.NoError(t, s.Problem())
	require.Equal(t, 3, h.calls("C_Login"))
	entries, err := os.ReadDir(state)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is kept of a PIN that was right")
}

func TestEveryRefusalOfAPINForbidsTheNextAttempt(t *testing.T) {
	h := newShim(t)
	for _, rv := range []string{"0xA0", "0xA1", "0xA2", "0xA3", "0xA4"} {
		s := patient(t, h.conf, t.TempDir())
		h.plan("C_Login", "once "+rv)
		before := h.calls("C_Login")
		require.ErrorContains(t, s.Test(t.Context()), "CKR_PIN_", rv)
		require.ErrorContains(t, s.Test(t.Context()), "CKR_PIN_", rv)
		require.Equal(t, 1, h.calls("C_Login")-before, rv)
		require.NoError(t, s.Retry())
		require.NoError(t, s.Test(t.Context()), rv)
	}
}

func TestATokenThatIsAboutToLockIsLeftAlone(t *testing.T) {
	h := newShim(t)
	for flags, want := range map[string]string{
		"flags 0x20000": "only one more wrong PIN", "flags 0x40000": "has locked", "flags 0x80000": "wants a new user's PIN",
	} {
		s := patient(t, h.conf, t.TempDir())
		h.plan("C_GetTokenInfo", flags)
		before := h.calls("C_Login")
		require.ErrorContains(t, s.Test(t.Context()), want)
		require.NoError(t, s.Retry())
		require.ErrorContains(t, s.Test(t.Context()), want, "also when a person insists")
		require.Equal(t, before, h.calls("C_Login"))
	}
	var out bytes.Buffer
	h.plan("C_GetTokenInfo", "flags 0x10000")
	s := patient(t, h.conf, t.TempDir())
	s.log = slog.New(slog.NewTextHandler(&out, nil))
	require.NoError(t, s.Test(t.Context()))
	require.Contains(t, out.String(), "counts a wrong PIN")
}

// A login whose end nobody saw is repeated, unless the token says that a wrong PIN was entered since.
func TestALoginThatDidNotEnd(t *testing.T) {
	h := newShim(t)
	state := t.TempDir()
	h.plan("C_Login", "crash")
	s := patient(t, h.conf, state)
	require.ErrorContains(t, s.Test(t.Context()), "SIGSEGV")
	h.plan("C_Login", "")
	require.NoError(t, s.Test(t.Context()))
	s.Close()

	h.plan("C_Login", "crash")
	s = patient(t, h.conf, state)
	require.Error(t, s.Test(t.Context()))
	h.plan("C_Login", "")
	h.plan("C_GetTokenInfo", "flags 0x10000")
	before := h.calls("C_Login")
	for range 2 {
		require.ErrorContains(t, s.Test(t.Context()), "an attempt did not end")
	}
	require.Equal(t, before, h.calls("C_Login"))
	require.NoError(t, s.Retry())
	require.NoError(t, s.Test(t.Context()))
}

func TestWithoutAMarkNobodyLogsIn(t *testing.T) {
	h := newShim(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	s := patient(t, h.conf, filepath.Join(file, "no directory"))
	require.ErrorContains(t, s.Test(t.Context()), "mark")
	require.Zero(t, h.calls("C_Login"))

	state := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(state, "hsm.pin"), []byte("{half"), 0o600))
	s = patient(t, h.conf, state)
	require.ErrorContains(t, s.Test(t.Context()), "operator seal retry")
	require.Zero(t, h.calls("C_Login"))
	require.NoError(t, s.Retry())
	require.NoError(t, s.Test(t.Context()))
}

// The mark must not tell the PIN: it keeps 12 bits, which thousands of 8-digit PINs share.
func TestAMarkKeepsTwelveBits(t *testing.T) {
	c := PKCS11Config{Module: "/m", Token: "t"}
	a, err := c.attempt([]byte("1234"))
	require.NoError(t, err)
	b, err := c.attempt([]byte("1234"))
	require.NoError(t, err)
	require.NotEqual(t, a.Salt, b.Salt)
	require.LessOrEqual(t, a.Bits, uint16(markBits))
	out, err := json.Marshal(a)
	require.NoError(t, err)
	require.Less(t, len(out), 160, "it keeps nothing else: %s", out)
	other := PKCS11Config{Module: "/m", Token: "u"}
	differs := 0
	for i := range byte(8) {
		salt := []byte{i}
		x, err := c.bits([]byte("1234"), salt)
		require.NoError(t, err)
		y, err := other.bits([]byte("1234"), salt)
		require.NoError(t, err)
		if x != y {
			differs++
		}
	}
	require.NotZero(t, differs, "a PIN that one token refused may be another's")
}

func TestWhereAPINComesFrom(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, []byte(content), 0o600))
		require.NoError(t, os.Chmod(p, mode))
		return p
	}
	script := func(name, content string) []string {
		return []string{write(name, "#!/bin/sh\n"+content+"\n", 0o700)}
	}
	t.Setenv("THE_PIN", "1234")
	t.Setenv("TRSTCTL_TOKEN", "ours")
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(write("target", "1234\n", 0o400), link))
	for name, c := range map[string]struct {
		conf PKCS11Config
		pin  string
		err  string
	}{
		"file":          {PKCS11Config{PINFile: write("f", "1234", 0o600)}, "1234", ""},
		"line end":      {PKCS11Config{PINFile: write("nl", "12 34\r\n", 0o600)}, "12 34", ""},
		"link":          {PKCS11Config{PINFile: link}, "1234", ""},
		"others":        {PKCS11Config{PINFile: write("open", "1234", 0o604)}, "", "chmod 600"},
		"group":         {PKCS11Config{PINFile: write("group", "1234", 0o640)}, "", "chmod 600"},
		"none":          {PKCS11Config{PINFile: filepath.Join(dir, "none")}, "", "no such file"},
		"empty":         {PKCS11Config{PINFile: write("empty", "\n", 0o600)}, "", "gives no PIN"},
		"zero":          {PKCS11Config{PINFile: write("zero", "12\x0034", 0o600)}, "", "gives no PIN"},
		"long":          {PKCS11Config{PINFile: write("long", strings.Repeat("1", 300), 0o600)}, "", "at most 255"},
		"just right":    {PKCS11Config{PINFile: write("most", strings.Repeat("1", 255)+"\r\n", 0o600)}, strings.Repeat("1", 255), ""},
		"directory":     {PKCS11Config{PINFile: dir}, "", "not a regular file"},
		"env":           {PKCS11Config{PINEnv: "THE_PIN"}, "1234", ""},
		"no env":        {PKCS11Config{PINEnv: "NO_PIN"}, "", "gives no PIN"},
		"command":       {PKCS11Config{PINCommand: append(script("c", `printf %s "$1$TRSTCTL_TOKEN"`), "1234")}, "1234", ""},
		"failing":       {PKCS11Config{PINCommand: script("fails", "echo 1234; echo not-for-logs >&2; exit 3")}, "", "exit status 3"},
		"no command":    {PKCS11Config{PINCommand: []string{filepath.Join(dir, "nothing")}}, "", "no such file"},
		"talks forever": {PKCS11Config{PINCommand: script("yes", "yes")}, "", "at most 255"},
	} {
		t.Run(name, func(t *testing.T) {
			pin, err := c.conf.pin(time.Minute)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.NotContains(t, err.Error(), "1234")
				require.NotContains(t, err.Error(), "not-for-logs")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.pin, string(pin))
		})
	}
	_, err := PKCS11Config{PINCommand: script("hangs", "sleep 1000")}.pin(50 * time.Millisecond)
	require.ErrorContains(t, err, "did not end within")
}
