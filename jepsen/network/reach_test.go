package network

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostsAndClientsReachEachOther(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		c.a.dial(c.B.Advertise(Raft)).echo("raft")
		c.b.dial(c.A.Advertise(Raft)).echo("raft")
		c.here.dial(c.A.Dial(API)).echo("api")
		c.here.dial(c.B.Dial(API)).echo(strings.Repeat("long.", 20000))
		if c.Kind() == kindNamespaces {
			l, failed := c.a.try("udp", c.B.Advertise(Gossip), late)
			require.Empty(t, failed)
			l.echo("datagram")
			c.a.dial(c.B.Advertise(Gossip)).echo("gossip")
		}
		require.NotZero(t, c.Counts().Passed)
	})
}

func TestDropIsOneWay(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		l, other := c.a.dial(c.B.Advertise(Raft)), c.here.dial(c.B.Dial(Raft))
		l.echo("before")
		c.set(Rule{From: "a", To: "b", Drop: true})
		l.silent("lost", c.b)
		c.b.push("push back") // the way back is open
		require.Equal(t, "push back", l.read(late))
		c.a.unreachable(c.B.Advertise(Raft))
		c.here.dial(c.B.Dial(API)).echo("clients get through")
		require.Equal(t, "push back", other.read(late))
		other.echo("as before")
		require.NotZero(t, c.Counts().Dropped)

		c.set()
		c.a.dial(c.B.Advertise(Raft)).echo("healed")
		if c.Kind() == kindProxies {
			l.reset("late") // what was cut does not come back
			return
		}
		require.Equal(t, "lost", l.read(late)) // TCP has sent it again
		l.echo("after")
	})
}

func TestDropOfOneClass(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		raft, api, kmip := c.a.dial(c.B.Advertise(Raft)), c.here.dial(c.B.Dial(API)), c.here.dial(c.B.Dial(KMIP))
		raft.echo("before")
		kmip.echo("before")
		api.echo("before")
		c.set(Rule{Class: Raft, Drop: true})
		raft.silent("lost", c.b)
		api.echo("api passes")
		kmip.echo("kmip passes")
		c.set(Rule{Class: API, Drop: true})
		api.silent("lost too", c.b)
		kmip.silent("lost with it", c.b)
		c.a.dial(c.B.Advertise(Raft)).echo("raft passes")
		c.set(Rule{Class: KMIP, Drop: true})
		c.here.unreachable(c.B.Dial(KMIP))
		c.here.dial(c.B.Dial(API)).echo("healed")
	})
}

func TestClientsAreAHost(t *testing.T) {
	each(t, func(t *testing.T, c *trio) {
		c.set(Rule{From: Clients, To: "a", Class: API, Drop: true})
		c.here.unreachable(c.A.Dial(API))
		c.here.dial(c.B.Dial(API)).echo("other host")
		c.a.dial(c.B.Advertise(Raft)).echo("between nodes")
		c.set()
		c.here.dial(c.A.Dial(API)).echo("healed")
	})
}

func TestGossipAloneIsDropped(t *testing.T) {
	c := newTrio(t, kindNamespaces)
	l, failed := c.a.try("udp", c.B.Advertise(Gossip), late)
	require.Empty(t, failed)
	l.echo("before")
	c.set(Rule{Class: Gossip, Drop: true})
	l.silent("lost", c.b)
	c.a.unreachable(c.B.Advertise(Gossip))
	c.a.dial(c.B.Advertise(Raft)).echo("raft passes")
	c.set()
	l.echo("after") // what was lost stays lost
}
