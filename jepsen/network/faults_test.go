package network

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelay(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		l := c.a.dial(c.B.Advertise(Raft))
		l.echo("before")
		const way = 70 * time.Millisecond
		c.set(Rule{From: "a", To: "b", Delay: way}, Rule{From: "b", To: "a", Delay: way / 2, Jitter: way})
		began := time.Now()
		l.echo("delayed")
		require.GreaterOrEqual(t, time.Since(began), way+way/2)
		for i := range 20 {
			require.Empty(t, l.write(fmt.Sprint(i)))
		}
		for i := range 20 { // together under way, and in order
			require.Equal(t, fmt.Sprint(i), l.read(late))
		}
		c.set(Rule{From: "a", Delay: time.Hour})
		require.Empty(t, l.write("for an hour"))
		c.set()
		require.Equal(t, "for an hour", l.read(late)) // healing does not wait for it
	})
}

func TestStallDeliversWhenHealed(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		l := c.a.dial(c.B.Advertise(Raft))
		l.echo("before")
		c.set(Rule{To: "b", Stall: true})
		l.silent("held", c.b)
		c.set(Rule{To: "b", Stall: true}, Rule{From: "a", Delay: time.Millisecond})
		require.Equal(t, "timeout", l.read(soon))
		c.set()
		require.Equal(t, "held", l.read(late))
		l.echo("after")
		require.Zero(t, c.Counts().Dropped)
	})
}

func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		l, other := c.a.dial(c.B.Advertise(Raft)), c.here.dial(c.B.Dial(API))
		l.echo("before")
		other.echo("before")
		c.set(Rule{From: "a", To: "b", Reset: true})
		l.reset("lost")
		require.Equal(t, 1, c.b.seen("end: reset", 1)) // the other end knows as well
		require.Zero(t, c.b.seen("lost", 0))
		again, failed := c.a.try("tcp", c.B.Advertise(Raft), late)
		if failed == "" {
			failed = again.read(late)
		}
		require.Contains(t, []string{"refused", "reset"}, failed)
		other.echo("others go on")
		require.NotZero(t, c.Counts().Reset)
		c.set()
		c.a.dial(c.B.Advertise(Raft)).echo("healed")
	})
}

// An end that heard nothing of the other for a while is reset later, by what it sends or is sent then.
func TestHalfOpenThenReset(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		l := c.a.dial(c.B.Advertise(Raft))
		l.echo("before")
		c.set(Rule{From: "b", Drop: true})
		require.Empty(t, l.write("heard"))
		require.Equal(t, 1, c.b.seen("heard", 1))
		require.Equal(t, "timeout", l.read(soon))
		c.set(Rule{To: "b", Reset: true})
		l.reset("never heard")
		require.Equal(t, 1, c.b.seen("end: reset", 1))
		c.set()
		c.a.dial(c.B.Advertise(Raft)).echo("healed")
	})
}

func TestLossIsMendedByTCP(t *testing.T) {
	c := newTrio(t, kindNamespaces)
	l := c.a.dial(c.B.Advertise(Raft))
	c.set(Rule{Loss: 0.2})
	for i := range 10 {
		l.echo(strings.Repeat(fmt.Sprint(i), 20000))
	}
	require.NotZero(t, c.Counts().Lost)
	c.set(Rule{Loss: 1})
	l.silent("lost", c.b)
	c.set()
	require.Equal(t, "lost", l.read(late))
}

func TestDuplicate(t *testing.T) {
	c := newTrio(t, kindNamespaces)
	tcp := c.a.dial(c.B.Advertise(Raft))
	l, failed := c.a.try("udp", c.B.Advertise(Gossip), late)
	require.Empty(t, failed)
	c.set(Rule{From: "a", Duplicate: 1})
	require.Empty(t, l.write("twice"))
	require.Equal(t, 2, c.b.seen("twice\n", 2))
	for i := range 10 {
		tcp.echo(fmt.Sprint("once ", i)) // TCP does not show it
		require.Equal(t, 1, c.b.seen(fmt.Sprint("once ", i), 0))
	}
	require.NotZero(t, c.Counts().Duplicated)
}

// What a process has sent before it ends arrives, and so does its end.
func TestTheEndOfAProcessIsSeen(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		c.set(Rule{Delay: 20 * time.Millisecond})
		l := c.a.dial(c.B.Advertise(Raft))
		require.Empty(t, l.write("last words"))
		c.a.stop()
		require.Equal(t, 1, c.b.seen("last words", 1))
		require.Eventually(t, func() bool { return c.b.seen("end: eof", 0)+c.b.seen("end: reset", 0) == 1 }, late, time.Millisecond)
	})
}
