package network

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Everything that a network made is gone when it is closed: also with connections open, packets held and processes running.
func TestCloseLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, warm *trio) { // whatever the runtime and the test keep for ever is there from here on
		warm.a.dial(warm.B.Advertise(Raft)).echo("warm")
		goroutines, files, before := runtime.NumGoroutine(), descriptors(t), spaces(t)
		t.Run("again", func(t *testing.T) {
			if warm.Kind() == kindNamespaces {
				require.NoError(t, warm.Close()) // a second one cannot be made beside it
			}
			c := newTrio(t, warm.Kind())
			l := c.a.dial(c.B.Advertise(Raft))
			l.echo("before")
			c.set(Rule{To: "b", Stall: true})
			l.silent("held", c.b)
			c.here.unreachable(c.B.Dial(API))
			require.NoError(t, c.Close())
			require.NoError(t, c.Close()) // it may be said twice
			_, err := c.Add("c")
			require.ErrorIs(t, err, errClosed)
			require.ErrorIs(t, c.A.Start(exec.Command("true")), errClosed)
			c.a.ended()
			c.b.ended()
		})
		require.NoError(t, warm.Close())
		require.Eventually(t, func() bool {
			return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
		}, late, 1e6, "goroutines or descriptors stay")
		require.Eventually(t, func() bool { return len(spaces(t)) == 1 }, late, 1e6, "threads stay in namespaces")
		require.Contains(t, before, spaces(t)[0])
	})
}

// ended waits for the end of a process by the death signal.
func (r *remote) ended() {
	state, err := r.cmd.Process.Wait()
	require.NoError(r.t, err)
	require.Equal(r.t, syscall.SIGKILL, state.Sys().(syscall.WaitStatus).Signal())
}

func descriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(all)
}

// spaces are those of the network in which threads of this process are.
func spaces(t *testing.T) (all []string) {
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	require.NoError(t, err)
	for _, task := range tasks {
		if space, err := os.Readlink(task); !errors.Is(err, os.ErrNotExist) { // threads come and go
			all = append(all, space)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A child with a death signal lives on while the goroutines and threads of its harness come and go.
func TestProcessesOutliveTheThreadsThatAskForThem(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		gone := make(chan struct{})
		var r *remote
		go func() {
			defer close(gone)
			runtime.LockOSThread() // never unlocked: the thread ends
			r = start(t, add(t, c, "c"))
		}()
		<-gone
		for range 20 {
			newThread().end()
		}
		require.Zero(t, r.seen("", 0))
	})
}

// What a process starts stays in its host, and this process's threads stay out of it.
func TestHostsAreApart(t *testing.T) {
	c := newTrio(t, kindNamespaces)
	require.Len(t, spaces(t), 3)
	own, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	for range 50 {
		out, err := exec.Command("readlink", "/proc/self/ns/net").Output()
		require.NoError(t, err)
		require.Equal(t, own, strings.TrimSpace(string(out)))
	}
	var out strings.Builder
	cmd := exec.Command("readlink", "/proc/self/ns/net")
	cmd.Stdout = &out
	require.NoError(t, c.A.Start(cmd))
	require.NoError(t, cmd.Wait())
	require.NotEqual(t, own, strings.TrimSpace(out.String()))
	_, err = NewNamespaces(1)
	require.ErrorContains(t, err, "no network namespace of its own")
}

func TestIdsAreNeverUsedTwice(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			n := newNetwork(t, kind)
			add(t, n, "a")
			for _, id := range []string{"a", Clients, ""} {
				_, err := n.Add(id)
				require.ErrorIs(t, err, errTaken)
			}
		})
	}
}

func TestNetworkHasAsManyHostsAsAddresses(t *testing.T) {
	n := newNetwork(t, kindNamespaces)
	for i := range maxHosts - 1 { // namespaces take their time
		n.(*namespaces).hosts[fmt.Sprint(i)] = &room{thread: newThread()}
	}
	require.Equal(t, "10.231.0.254:8200", add(t, n, "last").Listen(API))
	_, err := n.Add("one too many")
	require.ErrorContains(t, err, "at most")
}

// The rules of two networks of proxies in one machine, and their addresses, have nothing to do with each other.
func TestNetworksOfProxiesStandSideBySide(t *testing.T) {
	one, two := newTrio(t, kindProxies), newTrio(t, kindProxies)
	require.NotEqual(t, one.A.Listen(API), two.A.Listen(API))
	one.set(Rule{Drop: true})
	two.here.dial(two.A.Dial(API)).echo("other network")
}

// A host reaches itself through its own advertised address, whatever is broken between hosts.
func TestRulesSpareWhatAHostSendsToItself(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		c.set(Rule{Drop: true})
		c.a.dial(c.A.Advertise(Raft)).echo("myself")
	})
}

func TestSupports(t *testing.T) {
	bad := []Rule{{Class: "smoke"}, {Delay: -1}, {Jitter: -1}, {Loss: 1.1}, {Loss: -0.1}, {Duplicate: 2}}
	packets := []Rule{{Loss: 0.5}, {Duplicate: 0.5}, {Class: Gossip, Drop: true}}
	good := []Rule{{}, {Drop: true, From: "a", To: "b"}, {Delay: 1, Jitter: 1, Class: Raft}, {Reset: true, Class: API}, {Stall: true}}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			n := newNetwork(t, kind)
			for _, r := range bad {
				require.Error(t, n.Supports(r), "%+v", r)
			}
			for _, r := range packets {
				require.Equal(t, kind == kindNamespaces, n.Supports(r) == nil, "%+v", r)
			}
			for _, r := range good {
				require.NoError(t, n.Supports(r), "%+v", r)
			}
		})
	}
}
