package cluster_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestAnExpiredCertificateIsGoodForRaftOnly: the member goes on receiving what is committed, and nothing is forwarded by it or to it before
// it has renewed its certificate.
func TestAnExpiredCertificateIsGoodForRaftOnly(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	n1, n2 := f.nodes["n1"], f.nodes["n2"]
	request := cluster.Request{Method: "PUT", URI: "/x", Header: http.Header{}}
	forwards := func(n *node) error {
		_, err := n.Forward(t.Context(), request)
		return err
	}
	require.NoError(t, forwards(n2))

	refused := func(why string) {
		t.Helper()
		f.eventually(why, func() bool { // a connection that ends at this moment leaves an outcome unknown
			err := forwards(n2)
			return fault.Is(err, fault.NotDone) && strings.Contains(err.Error(), why)
		})
	}
	require.NoError(t, n2.Expire())
	refused("certificate of node n2 has expired")
	f.commit(n1, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"a", 1}} })
	f.eventually("n2 has it", func() bool { return n2.Store().Applied() >= n1.Store().Applied() })
	require.NoError(t, n2.Renew())
	f.eventually("n2 forwards", func() bool { return forwards(n2) == nil })

	require.NoError(t, n1.Expire()) // the leader's
	refused("cannot be reached")
	f.agrees(5)
	require.NoError(t, n1.Renew())
	f.eventually("n2 forwards again", func() bool { return forwards(n2) == nil })
}

// TestAConnectionIsJudgedByTheClockOfNow: one that began when a clock was wrong is good as soon as the clock is right, though it goes on as it is; and one
// whose certificate goes out of its time while it lasts is made anew.
func TestAConnectionIsJudgedByTheClockOfNow(t *testing.T) {
	t.Parallel()
	f := found(t)
	f.lead("n1")
	n1, n2 := f.nodes["n1"], f.nodes["n2"]
	forwards := func() error {
		_, err := n2.Forward(t.Context(), cluster.Request{Method: "PUT", URI: "/x", Header: http.Header{}})
		return err
	}
	f.eventually("n2 forwards", func() bool { return forwards() == nil })
	for _, n := range []*node{n1, n2} { // as who answers, and as who asks
		require.NoError(t, n.Hasten(3*time.Second))
		f.eventually("it is refused", func() bool { return fault.Is(forwards(), fault.NotDone) })
		f.eventually("n2 forwards again", func() bool { return forwards() == nil })
	}
	require.NoError(t, n2.End(time.Second)) // soon, while it is connected
	f.eventually("it is refused", func() bool { return fault.Is(forwards(), fault.NotDone) })
	require.NoError(t, n2.Renew())
	f.eventually("n2 forwards with its new certificate", func() bool { return forwards() == nil })
}
