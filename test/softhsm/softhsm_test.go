package softhsm

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/test/harness"
)

// The test's own binary is the child of the seals that it opens.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == seal.ChildCommand {
		if seal.ServePKCS11() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

func TestATokenThatTheRealBinaryMade(t *testing.T) {
	hsm := New(t, harness.Binary(t), "kek")
	s, err := seal.OpenPKCS11("hsm", hsm.Config("root"), t.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.CreateKey(t.Context()))
	require.NoError(t, s.Test(t.Context()))
}

func TestTheChildIsNotStartedByHand(t *testing.T) {
	out, err := exec.Command(harness.Binary(t), seal.ChildCommand).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "started by a node, not by hand")
}
