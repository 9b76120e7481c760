package network

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// insideEnv marks the process that has a network namespace of its own.
const insideEnv = "TRSTCTL_NETWORK_TEST_INSIDE"

// TestMain runs the tests in a network namespace of their own, so that the machine's is not touched. Without the right to make one, what needs it is
// skipped. A fuzzing run stays where it is: its workers hold pipes to each other, and it needs no network.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(agentEnv) != "":
		os.Exit(runAgent())
	case os.Getenv(insideEnv) != "":
		if err := loopbackUp(); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	case fuzzing() || Available() != nil:
		os.Exit(m.Run())
	}
	os.Exit(inside())
}

func fuzzing() bool {
	for _, a := range os.Args {
		if strings.HasPrefix(a, "-test.fuzz") && !strings.HasPrefix(a, "-test.fuzzcachedir") && !strings.HasSuffix(a, "=") {
			return true
		}
	}
	return false
}

func inside() int {
	runtime.LockOSThread() // the inner process dies with the thread that started it
	c := exec.Command(os.Args[0], os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr, c.Env = os.Stdin, os.Stdout, os.Stderr, append(os.Environ(), insideEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := c.Run(); c.ProcessState == nil {
		panic(err)
	}
	return c.ProcessState.ExitCode()
}

// kinds are the networks that can be had here.
var kinds = map[string]func(uint64) (Network, error){kindNamespaces: NewNamespaces, kindProxies: NewProxies}

// trio is a network of two hosts and the clients.
type trio struct {
	Network
	A, B       Host
	a, b, here *remote
}

// each runs a test on every kind of network.
func each(t *testing.T, test func(*testing.T, *trio)) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, newTrio(t, kind)) })
	}
}

func newTrio(t testing.TB, kind string) *trio {
	n := newNetwork(t, kind)
	c := &trio{Network: n, A: add(t, n, "a"), B: add(t, n, "b"), here: here(t)}
	c.a, c.b = start(t, c.A), start(t, c.B)
	return c
}

func newNetwork(t testing.TB, kind string) Network {
	if kind == kindNamespaces && os.Getenv(insideEnv) == "" {
		t.Skip(Available())
	}
	n, err := kinds[kind](1)
	require.NoError(t, err)
	require.Equal(t, kind, n.Kind())
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

func add(t testing.TB, n Network, id string) Host {
	h, err := n.Add(id)
	require.NoError(t, err)
	return h
}

// set asks whether the rules can be done, as everybody should.
func (c *trio) set(rules ...Rule) {
	for _, r := range rules {
		require.NoError(c.here.t, c.Supports(r))
	}
	c.Set(rules)
}
