//go:build cgo

package seal

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/trstctl/trstctl/test/parts"
)

// library finds a module where Debian puts those of this machine's kind.
func library(t *testing.T, name, debianPackage string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/" + name)
	require.NoError(t, err)
	return parts.Need(t, append(found, "/usr/lib/"+name)[0], debianPackage)
}

// nss makes a token of Mozilla's.
func nss(t *testing.T) PKCS11Config {
	t.Helper()
	certutil := parts.Need(t, "certutil", "libnss3-tools")
	module := library(t, "libsoftokn3.so", "libnss3-tools")
	dir := t.TempDir()
	pin := filepath.Join(dir, "pin")
	require.NoError(t, os.WriteFile(pin, []byte("four-words-are-long\n"), 0o600))
	out, err := exec.Command(certutil, "-N", "-d", "sql:"+dir, "-f", pin).CombinedOutput()
	require.NoError(t, err, string(out))
	return PKCS11Config{Module: module, Token: "NSS Certificate DB", PINFile: pin,
		Reserved: fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=", dir)}
}

func TestNSSWrapsByEveryMechanismThatItHas(t *testing.T) {
	base := nss(t)
	everyMechanism(t, base, PKCS11Config{Mechanism: "AES_KEY_WRAP_PAD"}, PKCS11Config{Mechanism: "AES_CBC_PAD"})
	everyHash(t, base)
	refusedMechanism(t, base, PKCS11Config{Mechanism: "AES_GCM"})
}

func everyMechanism(t *testing.T, base PKCS11Config, mechanisms ...PKCS11Config) {
	t.Helper()
	for _, c := range mechanisms {
		t.Run(c.mechanism()+c.OAEPHash, func(t *testing.T) {
			conf := base
			conf.Key, conf.Mechanism, conf.OAEPHash = "root-"+c.mechanism()+c.OAEPHash, c.Mechanism, c.OAEPHash
			tamper(t, withKey(t, conf), 1)
		})
	}
}

// everyHash shares one RSA key: making one takes seconds, and so does every blob that is refused.
func everyHash(t *testing.T, base PKCS11Config) {
	t.Helper()
	base.Key, base.Mechanism = "root-rsa", "RSA_OAEP"
	withKey(t, base).Close()
	for _, hash := range []string{"sha1", "sha256", "sha384", "sha512"} {
		t.Run("RSA_OAEP-"+hash, func(t *testing.T) {
			conf := base
			conf.OAEPHash = hash
			tamper(t, patient(t, conf, t.TempDir()), 13)
		})
	}
}

// refusedMechanism is one that the module does not have: it shows when the key is made, and nothing is left of that.
func refusedMechanism(t *testing.T, base, c PKCS11Config) {
	t.Helper()
	conf := base
	conf.Key, conf.Mechanism = "root-"+c.mechanism(), c.Mechanism
	s := patient(t, conf, t.TempDir())
	for range 2 {
		require.ErrorContains(t, s.CreateKey(t.Context()), "use another mechanism")
	}
}

// TestOpencryptokiWrapsByEveryMechanismThatItHas runs the test below in namespaces of its own: its daemon, shared memory and token are the machine's, or in there nobody's.
func TestOpencryptokiWrapsByEveryMechanismThatItHas(t *testing.T) {
	for _, program := range []string{"pkcsslotd", "pkcsconf"} {
		parts.Need(t, "/usr/sbin/"+program, "opencryptoki")
	}
	library(t, opencryptokiModule, "opencryptoki")
	unshare := []string{"unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("opencryptoki needs namespaces of its own, which needs root: %v: %s", err, out)
	}
	cmd := exec.Command(unshare[0], append(unshare[1:], os.Args[0], "-test.run=^TestInsideOfOpencryptoki$", "-test.v")...)
	cmd.Env = append(os.Environ(), "SEAL_TEST_OPENCRYPTOKI="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestInsideOfOpencryptoki")
}

const opencryptokiModule = "libopencryptoki.so.0"

func TestInsideOfOpencryptoki(t *testing.T) {
	dir := os.Getenv("SEAL_TEST_OPENCRYPTOKI")
	if dir == "" {
		t.Skip("it is started by another test")
	}
	base := opencryptoki(t, dir)
	everyMechanism(t, base, PKCS11Config{Mechanism: "AES_CBC_PAD"})
	everyHash(t, base)
	refusedMechanism(t, base, PKCS11Config{Mechanism: "AES_GCM"})
	refusedMechanism(t, base, PKCS11Config{Mechanism: "AES_KEY_WRAP_PAD"})
}

// opencryptoki lays empty directories over the machine's, starts the daemon and makes a token.
func opencryptoki(t *testing.T, dir string) PKCS11Config {
	t.Helper()
	group, err := user.LookupGroup("pkcs11")
	require.NoError(t, err)
	gid, err := strconv.Atoi(group.Gid)
	require.NoError(t, err)
	for _, over := range []string{"/run", "/var/lib/opencryptoki"} {
		require.NoError(t, unix.Mount("tmpfs", over, "tmpfs", 0, ""))
	}
	require.NoError(t, os.MkdirAll("/run/lock", 0o755))
	require.NoError(t, os.MkdirAll("/var/lock/opencryptoki", 0o770)) // there, or below /run
	require.NoError(t, unix.Mount("tmpfs", "/var/lock/opencryptoki", "tmpfs", 0, ""))
	for _, path := range []string{"/run/opencryptoki", "/var/lock/opencryptoki/swtok", "/var/lib/opencryptoki/swtok", "/var/lib/opencryptoki/swtok/TOK_OBJ"} {
		require.NoError(t, os.MkdirAll(path, 0o770))
		require.NoError(t, os.Chown(path, 0, gid))
		require.NoError(t, os.Chmod(path, 0o770))
	}
	daemon := exec.Command("/usr/sbin/pkcsslotd", "-f")
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
		_ = daemon.Wait()
	})
	require.Eventually(t, func() bool { return exec.Command("/usr/sbin/pkcsconf", "-t").Run() == nil }, time.Minute, 50*time.Millisecond)
	pkcsconf := func(in string, args ...string) {
		cmd := exec.Command("/usr/sbin/pkcsconf", append([]string{"-c", "3"}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	pkcsconf("kek\n", "-I", "-S", "87654321") // the PIN that it comes with
	pkcsconf("", "-P", "-S", "87654321", "-n", "76543210")
	pkcsconf("", "-u", "-S", "76543210", "-n", "12345678")
	pkcsconf("", "-p", "-U", "12345678", "-n", "01234567")
	pin := filepath.Join(dir, "pin")
	require.NoError(t, os.WriteFile(pin, []byte("01234567"), 0o600))
	return PKCS11Config{Module: library(t, opencryptokiModule, "opencryptoki"), Token: "kek", PINFile: pin}
}
