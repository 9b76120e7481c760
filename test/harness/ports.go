package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ports of tests lie below the range from which the system takes those of outgoing connections, in blocks that a test process has to itself:
// none is lost to another between being found free and being listened on, nor while its process is down.
const (
	lowestPort = 10000
	blockSize  = 500
	blocks     = 44
)

// ours is the block of this process. It is held by an abstract socket, which ends with the process and leaves no file.
var ours struct {
	mu   sync.Mutex // guards the rest
	held net.Listener
	low  int
	next int
}

// FreePort returns a port of the loopback that nobody listens on and that this process has not had lately.
func FreePort(t testing.TB) string { return strconv.Itoa(FreePorts(t, 1)) }

// FreePorts returns the first of n ports in a row.
func FreePorts(t testing.TB, n int) int {
	ours.mu.Lock()
	defer ours.mu.Unlock()
	if ours.held == nil {
		holdBlock(t)
	}
	for range 2 * blockSize {
		if ours.next+n > ours.low+blockSize {
			ours.next = ours.low
		}
		first := ours.next
		if ours.next++; allFree(first, n) {
			ours.next = first + n
			return first
		}
	}
	t.Fatal("no free port was found")
	return 0
}

func holdBlock(t testing.TB) {
	from := rand.IntN(blocks)
	for i := range blocks {
		k := (from + i) % blocks
		if l, err := net.Listen("unix", fmt.Sprintf("@trstctl-test-ports-%d", k)); err == nil {
			ours.held, ours.low, ours.next = l, lowestPort+k*blockSize, lowestPort+k*blockSize
			return
		}
	}
	require.FailNow(t, "every block of ports is taken: too many test processes run")
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil || l.Close() != nil {
			return false
		}
	}
	return true
}
