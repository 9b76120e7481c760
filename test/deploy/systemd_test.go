package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// unit puts the unit, with a binary that exists here, and the given drop-ins into a directory.
func unit(t *testing.T, dropIns ...string) string {
	dir := t.TempDir()
	path := filepath.Join(dir, "trstctl.service")
	text := read(t, "systemd/trstctl.service")
	require.Contains(t, text, "ExecStart=/usr/local/bin/trstctl server -c /etc/trstctl/trstctl.yaml\n")
	write(t, path, strings.ReplaceAll(text, "/usr/local/bin/trstctl", harness.Binary(t)))
	require.NoError(t, os.Mkdir(path+".d", 0o700))
	for i, text := range dropIns {
		write(t, filepath.Join(path+".d", string(rune('a'+i))+".conf"), text)
	}
	return path
}

func TestTheUnitIsValidAndConfined(t *testing.T) {
	analyze := parts.Need(t, "systemd-analyze", "systemd")
	path := unit(t)
	check(t, analyze, "verify", "--man=no", path)
	run(t, analyze, "security", "--offline=true", "--no-pager", "--threshold=15", path) // in tenths: 1.5 of 10, where 10 is open
	for _, line := range []string{"LimitCORE=0", "MemorySwapMax=0", "NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=on-failure", "User=trstctl"} {
		require.Contains(t, read(t, "systemd/trstctl.service"), "\n"+line+"\n")
	}
}

// TestThePKCS11DropInIsValid switches every line of it on.
func TestThePKCS11DropInIsValid(t *testing.T) {
	analyze := parts.Need(t, "systemd-analyze", "systemd")
	var all []string
	for line := range strings.Lines(read(t, "systemd/pkcs11.conf")) {
		if on, found := strings.CutPrefix(line, "#"); found && !strings.HasPrefix(on, " ") {
			line = on
		}
		all = append(all, line)
	}
	text := strings.Join(all, "")
	require.Contains(t, text, "\nPrivateDevices=no\n")
	check(t, analyze, "verify", "--man=no", unit(t, text))
	check(t, analyze, "verify", "--man=no", unit(t, read(t, "systemd/pkcs11.conf")))
}

func TestUserAndDirectoriesAreMade(t *testing.T) {
	sysusers, tmpfiles := parts.Need(t, "systemd-sysusers", "systemd"), parts.Need(t, "systemd-tmpfiles", "systemd")
	if os.Getuid() != 0 {
		t.Skip("only root may give files away")
	}
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	run(t, sysusers, "--root="+root, shipped(t, "systemd/trstctl.sysusers"))
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	require.NoError(t, err)
	require.Contains(t, string(users), ":/var/lib/trstctl:/usr/sbin/nologin")
	check(t, tmpfiles, "--create", "--root="+root, shipped(t, "systemd/trstctl.tmpfiles"))
	for dir, mode := range map[string]os.FileMode{"etc/trstctl": 0o750, "var/lib/trstctl": 0o700} {
		info, err := os.Stat(filepath.Join(root, dir))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), dir)
	}
}

func TestTheExampleConfigurationIsValid(t *testing.T) {
	require.Contains(t, run(t, harness.Binary(t), "server", "-c", shipped(t, "systemd/trstctl.yaml"), "--check"), "valid")
}
