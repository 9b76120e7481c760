//go:build cgo

package seal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/test/parts"
)

// The test's own binary is the child too, as the real one is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if err := ServePKCS11(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := NoCoreDumps(); err != nil { // as a node does: an undumpable process sees less of /proc
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func softHSM(t *testing.T) SoftHSM {
	t.Helper()
	parts.Need(t, "/usr/lib/softhsm/libsofthsm2.so", "softhsm2")
	s, err := MakeSoftHSM(t.Context(), self(), t.TempDir(), "kek")
	require.NoError(t, err)
	return s
}

// patient has long limits: how long a busy machine takes is not what these tests are about.
func patient(t *testing.T, c PKCS11Config, dir string) *PKCS11 {
	t.Helper()
	s, err := OpenPKCS11("hsm", c, dir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s.limits.call, s.limits.create, s.limits.pin = time.Minute, 5*time.Minute, time.Minute
	s.limits.backoff = 0
	t.Cleanup(s.Close)
	return s
}

func withKey(t *testing.T, c PKCS11Config) *PKCS11 {
	t.Helper()
	s := patient(t, c, t.TempDir())
	require.NoError(t, s.CreateKey(t.Context()))
	return s
}

// tamper flips every step-th byte of a blob, cuts it there and makes it longer: the seal says each time that the key does not fit, and still opens
// the blob as it was.
func tamper(t *testing.T, s *PKCS11, step int) {
	t.Helper()
	plaintext, aad := []byte("sixty-four bytes as a root key and its digest have: 0123456789ab"), []byte("context")
	a, err := s.Wrap(t.Context(), plaintext, aad)
	require.NoError(t, err)
	b, err := s.Wrap(t.Context(), plaintext, aad)
	require.NoError(t, err)
	require.NotContains(t, string(a), string(plaintext[:16]))
	if s.conf.mechanism() != "AES_KEY_WRAP_PAD" { // which is deterministic, by its definition
		require.NotEqual(t, a, b)
	}
	refused := func(blob, aad []byte, what string, args ...any) {
		t.Helper()
		out, err := s.Unwrap(t.Context(), blob, aad)
		require.ErrorIs(t, err, ErrWrongKey, what, args)
		require.Nil(t, out)
	}
	for i := 0; i < len(a); i += step {
		bad := bytes.Clone(a)
		bad[i] ^= 1
		refused(bad, aad, "byte %d", i)
	}
	for i := 0; i < len(a); i += step {
		refused(a[:i], aad, "cut at %d", i)
	}
	for _, n := range []int{1, 8, 16, 32} {
		refused(append(bytes.Clone(a), make([]byte, n)...), aad, "%d bytes more", n)
	}
	refused(a, []byte("contexT"), "other data")
	refused(a, nil, "no data")
	got, err := s.Unwrap(t.Context(), a, aad)
	require.NoError(t, err)
	require.Equal(t, plaintext, got)
	require.NoError(t, s.Problem())
	_, err = s.Wrap(t.Context(), make([]byte, maxWrapped+1), nil)
	require.ErrorContains(t, err, "too many")
}

func TestSoftHSMWrapsByEveryMechanismThatItHas(t *testing.T) {
	hsm := softHSM(t)
	for _, c := range []PKCS11Config{{Mechanism: ""}, {Mechanism: "AES_KEY_WRAP_PAD"}, {Mechanism: "AES_CBC_PAD"}, {Mechanism: "RSA_OAEP", OAEPHash: "sha1"}} {
		t.Run(c.mechanism(), func(t *testing.T) {
			conf := hsm.Config("root-" + c.mechanism())
			conf.Mechanism, conf.OAEPHash = c.Mechanism, c.OAEPHash
			s := withKey(t, conf)
			require.NoError(t, s.Test(t.Context()))
			tamper(t, s, 1)
			require.True(t, fault.Is(s.CreateKey(t.Context()), fault.Conflict), "a key that is there is left alone")

			// Another process, as after a restart, opens what this one wrapped, and by the id of the key too.
			blob, err := s.Wrap(t.Context(), []byte("root"), nil)
			require.NoError(t, err)
			got, err := patient(t, conf, t.TempDir()).Unwrap(t.Context(), blob, nil)
			require.NoError(t, err)
			require.Equal(t, "root", string(got))
		})
	}
}

func TestWhatSoftHSMCannotShowsWhenTheKeyIsMade(t *testing.T) {
	refusedMechanism(t, softHSM(t).Config(""), PKCS11Config{Mechanism: "RSA_OAEP"})
}

func TestAKeyCanBeNamedByItsID(t *testing.T) {
	conf := softHSM(t).Config("")
	conf.KeyID = "00c0ffee"
	s := withKey(t, conf)
	require.NoError(t, s.Test(t.Context()))
	conf.KeyID = "00c0ffef"
	require.ErrorContains(t, patient(t, conf, t.TempDir()).Test(t.Context()), "has not the AES key with id 00c0ffef")
}

func TestNothingSecretIsInArgumentsOrEnvironment(t *testing.T) {
	t.Setenv("TRSTCTL_TOKEN", "not for modules")
	t.Setenv("ANYTHING_ELSE", "neither")
	h := newShim(t)
	s := patient(t, h.conf, t.TempDir())
	require.NoError(t, s.Test(t.Context()))
	pin, err := os.ReadFile(h.conf.PINFile)
	require.NoError(t, err)
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid()))
	require.NoError(t, err)
	require.Equal(t, "trstctl\x00"+ChildCommand+"\x00", string(cmdline))
	process, err := os.ReadFile(filepath.Join(h.dir, "process"))
	require.NoError(t, err)
	require.Contains(t, string(process), "core 0 dumpable 0\n")
	require.Contains(t, string(process), "env SHIM="+h.dir+"\n")
	for _, secret := range []string{"TRSTCTL_", "ANYTHING_ELSE", string(pin)} {
		require.NotContains(t, string(process), secret)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "seal hsm (pkcs11 token kek)", fmt.Sprintf(verb, s))
	}
}
