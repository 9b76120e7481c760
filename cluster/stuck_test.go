package cluster_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
)

// lossy is a connection that takes what is written and sends nothing, when the test wants that.
type lossy struct {
	net.Conn
	on *atomic.Bool
}

func (l lossy) Write(b []byte) (int, error) {
	if l.on.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

// TestAFollowerThatReceivesNothingIsHelped loses all that n1 sends to n3, while both talk otherwise: n1 begins anew, and then leaves the work to
// another, from whom n3 receives everything.
func TestAFollowerThatReceivesNothingIsHelped(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	f := foundWith(t, func(c *cluster.Config) {
		if c.Dir[len(c.Dir)-2:] == "n1" {
			c.WrapRaft = func(peer string, conn net.Conn) net.Conn {
				if peer != "n3" {
					return conn
				}
				return lossy{conn, &lost}
			}
		}
	})
	for range 5 { // on a busy machine n1 may lose the leadership before it gives it up
		f.lead("n1")
		lost.Store(true)
		f.commit(f.nodes["n1"], func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"a", 7}} })
		require.Eventually(t, func() bool { return f.nodes["n2"].Leads() || f.nodes["n3"].Leads() }, time.Minute, 10*time.Millisecond, "another leads")
		if f.nodes["n1"].Figures().Deeds.HandedOver > 0 {
			break
		}
		lost.Store(false)
	}
	require.NotZero(t, f.nodes["n1"].Figures().Deeds.HandedOver)
	require.NotZero(t, f.nodes["n1"].Figures().Deeds.Restarted, "replication was begun anew first")
	f.eventually("n3 has it", func() bool {
		v, err := f.nodes["n3"].Store().View()
		require.NoError(t, err)
		defer v.Close()
		got, _, err := notes.Get(v, fsm.K("a"))
		require.NoError(t, err)
		return got == 7
	})
}

// TestANodeThatAppliesNothingEnds: the others are a majority without it.
func TestANodeThatAppliesNothingEnds(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	n3 := f.nodes["n3"]
	delete(f.nodes, "n3")
	defer close(hung)
	f.commit(f.nodes["n1"], func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"hangs", 1}} })
	select {
	case err := <-n3.done:
		require.ErrorContains(t, err, "the state machine has been at the entries after index")
	case <-time.After(2 * time.Minute):
		t.Fatal("the node goes on")
	}
	f.agrees(8)
}
