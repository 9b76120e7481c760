package cluster_test

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
)

// slow is a connection over which some bytes a second pass.
type slow struct {
	net.Conn
	pace *atomic.Int64 // 0: without bound
}

func (s slow) Write(b []byte) (int, error) {
	if pace := s.pace.Load(); pace > 0 {
		time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(pace))
	}
	return s.Conn.Write(b)
}

// TestLargeEntriesArriveOverASlowLink has a follower catch up with more bytes in one call than its link carries in the time that Raft gives a
// call.
func TestLargeEntriesArriveOverASlowLink(t *testing.T) {
	t.Parallel()
	var pace atomic.Int64
	f := foundWith(t, func(c *cluster.Config) {
		if c.Dir[len(c.Dir)-2:] == "n1" {
			c.WrapRaft = func(peer string, conn net.Conn) net.Conn {
				if peer != "n3" {
					return conn
				}
				return slow{conn, &pace}
			}
		}
	})
	f.lead("n1")
	f.stop("n3")
	for range 10 {
		f.commit(f.nodes["n1"], func(*fsm.View) []fsm.Event { return []fsm.Event{bulky{make([]byte, 5<<20)}} })
	}
	f.lead("n1")
	pace.Store(6 << 20)
	identity, err := cluster.LoadIdentity(f.configs["n3"].Dir)
	require.NoError(t, err)
	f.start(f.configs["n3"], identity, false)
	require.Eventually(t, func() bool { return f.nodes["n3"].Store().Applied() >= f.nodes["n1"].Store().Applied() }, 2*time.Minute, 50*time.Millisecond)
}

// TestAMemberHasAFewConnections: one that opens ever more is turned away, and the others do not notice.
func TestAMemberHasAFewConnections(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	var refused atomic.Int64
	for range 2 * cluster.LinksEach {
		c, err := f.nodes["n2"].Dial(t.Context(), "n1")
		require.NoError(t, err)
		defer c.Close()
		go func() {
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				refused.Add(1)
			}
		}()
	}
	f.eventually("half of them refused", func() bool { return refused.Load() >= cluster.LinksEach })
	require.Less(t, refused.Load(), int64(2*cluster.LinksEach), "not all")
	f.agrees(3)
}

// TestATransferThatIsRepeatedHandsOverOnce: the answer to the first attempt was lost.
func TestATransferThatIsRepeatedHandsOverOnce(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	to, err := f.nodes["n1"].TransferFrom(t.Context(), "n1", "")
	require.NoError(t, err)
	f.eventually(to+" leads", func() bool { return f.nodes[to].Leads() })
	again, err := f.nodes[to].TransferFrom(t.Context(), "n1", "")
	require.NoError(t, err)
	require.Equal(t, to, again)
	require.True(t, f.nodes[to].Leads(), "it stays")
}
