package network

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a switch, of proxies, and of the loopback without anything: round trips of a small message, and bytes one way as they are echoed. The other end is
// another process.
func BenchmarkRoundTrip(b *testing.B) {
	paths(b, func(b *testing.B, c net.Conn) {
		msg := make([]byte, 100)
		msg[99] = '\n'
		for b.Loop() {
			exchange(b, c, msg)
		}
	})
}

func BenchmarkThroughput(b *testing.B) {
	paths(b, func(b *testing.B, c net.Conn) {
		msg := make([]byte, 1<<20)
		msg[len(msg)-1] = '\n'
		b.SetBytes(2 * int64(len(msg))) // there and back
		for b.Loop() {
			exchange(b, c, msg)
		}
	})
}

func exchange(b *testing.B, c net.Conn, msg []byte) {
	_, err := c.Write(msg)
	require.NoError(b, err)
	_, err = io.ReadFull(c, msg)
	require.NoError(b, err)
}

func paths(b *testing.B, run func(*testing.B, net.Conn)) {
	for kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			h := add(b, newNetwork(b, kind), "a")
			start(b, h)
			run(b, dialled(b, h.Dial(Raft)))
		})
	}
	b.Run("loopback", func(b *testing.B) {
		h := add(b, newNetwork(b, kindProxies), "a")
		start(b, h)
		run(b, dialled(b, h.Listen(Raft)))
	})
}

func dialled(b *testing.B, to string) net.Conn {
	c, err := net.Dial("tcp", to)
	require.NoError(b, err)
	b.Cleanup(func() { c.Close() })
	return c
}
