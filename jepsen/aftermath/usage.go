package aftermath

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/network"
)

// Usage is what the most demanding node of a cluster holds, beside the connections that clients keep open to it: how many those are is up to them, and
// clients that have lost the other nodes have all of theirs here.
type Usage struct {
	Memory     int64 // bytes of memory that is resident and its own
	Goroutines int
	Files      int // descriptors
}

// The allowance: what a cluster may hold more than before. Caches fill, connections of replication stay open, and Go gives memory back late.
const (
	moreMemory     = 192 << 20
	moreGoroutines = 300
	moreFiles      = 200
)

// Measure asks all nodes.
func Measure(l *lab.Lab) (u Usage, err error) {
	for _, n := range l.Nodes() {
		one, err := measure(n)
		if err != nil {
			return u, fmt.Errorf("measure %s: %w", n.ID, err)
		}
		u.Memory, u.Goroutines, u.Files = max(u.Memory, one.Memory), max(u.Goroutines, one.Goroutines), max(u.Files, one.Files)
	}
	return u, nil
}

func measure(n *lab.Node) (u Usage, err error) {
	pid := n.PID()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return u, err
	}
	u.Files = len(files)
	if u.Memory, err = resident(pid); err != nil {
		return u, err
	}
	c, err := n.Control()
	if err != nil {
		return u, err
	}
	s, err := c.State()
	if err != nil {
		return u, err
	}
	u.Goroutines = s.Goroutines
	for _, c := range []network.Class{network.API, network.KMIP} {
		open, err := clients(pid, n.Host.Listen(c))
		if err != nil {
			return u, err
		}
		u.Files, u.Goroutines = u.Files-open, u.Goroutines-open // each is read by a goroutine of its own
	}
	return u, nil
}

// established is the state of a connection in /proc/net/tcp (proc_net_tcp).
const established = "01"

// clients counts the connections that a process has at an address where it listens.
func clients(pid int, address string) (count int, err error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0, err
	}
	suffix := fmt.Sprintf(":%04X", number)
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == established {
				count++
			}
		}
	}
	return count, nil
}

// resident leaves out what is mapped from files: the kernel takes that back when it likes.
func resident(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no RssAnon of process %d", pid)
}

// used compares with before; what is on its way down is given the time to arrive.
func used(ctx context.Context, l *lab.Lab, base Usage) history.Verdict {
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	var now Usage
	err := lab.Until(ctx, "the nodes to use no more than before", func(context.Context) (err error) {
		if now, err = Measure(l); err != nil {
			return err
		}
		if now.Memory > base.Memory+moreMemory || now.Goroutines > base.Goroutines+moreGoroutines || now.Files > base.Files+moreFiles {
			err = fmt.Errorf("memory %d MiB (before %d), goroutines %d (%d), files %d (%d)", now.Memory>>20, base.Memory>>20, now.Goroutines, base.Goroutines, now.Files, base.Files)
			time.Sleep(500 * time.Millisecond) // not the asking is what takes long
		}
		return err
	})
	detail := fmt.Sprintf("memory %d MiB (before %d), goroutines %d (%d), files %d (%d)", now.Memory>>20, base.Memory>>20, now.Goroutines, base.Goroutines, now.Files, base.Files)
	return verdict("no leak", len(l.Nodes()), detail, err)
}
