package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/network"
	"github.com/trstctl/trstctl/sdk"
)

const binaryOf = "TRSTCTL_LAB_TEST_BINARY"

// TestMain builds the binary outside of the sandbox and runs the tests inside of it, where one can be had.
func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (int, error) {
	if Sandboxed() {
		if err := Settle(); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "lab-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "trstctl")
	if out, err := exec.Command("go", "build", "-tags", "chaos", "-o", binary, "github.com/trstctl/trstctl/cmd/trstctl").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w: %s", err, out)
	}
	if err := os.Setenv(binaryOf, binary); err != nil {
		return 1, err
	}
	if !CanSandbox() {
		return m.Run(), nil
	}
	return Sandbox()
}

func begin(t *testing.T, o Options) (context.Context, *Lab) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	o.Binary, o.Logs = os.Getenv(binaryOf), t.TempDir()
	l, err := Start(ctx, o)
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range l.Nodes() {
				b, _ := os.ReadFile(n.Log()) // it may never have started
				t.Logf("--- %s\n%s", n.ID, b[max(0, len(b)-3000):])
			}
		}
		require.NoError(t, l.Close())
		require.NoDirExists(t, l.place.Dir)
	})
	require.NoError(t, err)
	return ctx, l
}

func TestAClusterIsBrokenAndMended(t *testing.T) {
	ctx, l := begin(t, Options{Nodes: 3, Seed: 1})
	require.Equal(t, map[bool]string{true: "namespaces", false: "proxies"}[Sandboxed()], l.Net.Kind())
	put := func(c *sdk.Client, v string) error {
		_, err := c.Put(ctx, sdk.Item{Path: "a", Value: []byte(v)})
		return err
	}
	leader, err := l.Leader(ctx)
	require.NoError(t, err)

	t.Run("cut off", func(t *testing.T) {
		l.Net.Set([]network.Rule{{From: leader.ID, Class: network.Raft, Drop: true}, {To: leader.ID, Class: network.Raft, Drop: true}})
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		require.Error(t, func() error {
			_, err := leader.Client().Put(short, sdk.Item{Path: "a", Value: []byte("x")})
			return err
		}(), "through the one that is cut off")
		require.NoError(t, put(l.Except(leader), "1"))
		l.Net.Set(nil)
		require.NoError(t, l.AllReady(ctx))
		v, err := leader.Client().Get(ctx, "a", sdk.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, "1", string(v.Value))
	})
	t.Run("killed", func(t *testing.T) {
		require.NoError(t, leader.Kill())
		require.False(t, leader.Running())
		require.NoError(t, put(l.Any(), "2"))
		require.NoError(t, leader.Start())
		require.NoError(t, l.AllReady(ctx))
	})
	t.Run("frozen", func(t *testing.T) {
		if !CanSandbox() {
			t.Skip(ErrNoGroups)
		}
		n := l.Nodes()[0]
		require.NoError(t, n.Freeze())
		require.NoError(t, put(l.Except(n), "3"))
		require.NoError(t, n.Thaw())
		require.NoError(t, l.AllReady(ctx))
	})
	t.Run("replaced", func(t *testing.T) {
		n, err := l.Join(ctx)
		require.NoError(t, err)
		require.Equal(t, "n4", n.ID)
		require.NoError(t, l.Remove(ctx, leader))
		require.Len(t, l.IDs(), 3)
		require.NoError(t, put(n.Client(), "4"))
	})
	t.Run("another time", func(t *testing.T) {
		c, err := l.Nodes()[0].Control()
		require.NoError(t, err)
		require.NoError(t, c.Jump(time.Hour))
		s, err := c.State()
		require.NoError(t, err)
		require.Positive(t, s.Goroutines)
		require.NoError(t, c.Reset())
	})
}
