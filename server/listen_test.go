package server

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// queue is a listener whose connections come from the addresses that are put into it.
type queue struct{ from chan string }

func (q queue) Accept() (net.Conn, error) {
	address, more := <-q.from
	if !more {
		return nil, net.ErrClosed
	}
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	here, _ := net.Pipe()
	return &visitor{Conn: here, from: a}, nil
}
func (queue) Close() error   { return nil }
func (queue) Addr() net.Addr { return &net.TCPAddr{} }

type visitor struct {
	net.Conn
	from net.Addr
}

func (v *visitor) RemoteAddr() net.Addr { return v.from }

// accept puts addresses in and returns the connections that come through.
func accept(t *testing.T, d *doors, addresses ...string) (through []net.Conn) {
	q := queue{make(chan string, len(addresses))}
	for _, a := range addresses {
		q.from <- a
	}
	close(q.from)
	for l := d.guard(q); ; {
		c, err := l.Accept()
		if err != nil {
			require.ErrorIs(t, err, net.ErrClosed)
			return through
		}
		through = append(through, c)
	}
}

func TestConnectionsAreBoundedInAllAndForEachAddress(t *testing.T) {
	d := doorsFor(2 * (ownFiles + 16))
	require.Equal(t, []int{16, 4}, []int{d.all, d.each})
	first := accept(t, d, "1.2.3.4:1", "1.2.3.4:2", "1.2.3.4:3", "[::ffff:1.2.3.4]:4", "1.2.3.4:5", "1.2.3.4:6")
	require.Len(t, first, 4, "one address has a quarter")
	require.Len(t, accept(t, d, "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8::4]:1", "[2001:db8::5]:1"), 4, "a /64 is one address")
	require.Len(t, accept(t, d, "1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1", "1.1.1.4:1", "1.1.1.5:1", "1.1.1.6:1", "1.1.1.7:1", "1.1.1.8:1", "1.1.1.9:1"), 8)
	require.NoError(t, first[0].Close())
	require.NoError(t, first[0].Close(), "closing twice frees one")
	require.Len(t, accept(t, d, "1.1.1.9:1", "1.1.2.1:1"), 1)
}

func TestHalfOfTheFilesStayTheNodesOwn(t *testing.T) {
	require.Equal(t, 512-ownFiles, doorsFor(1024).all)
	require.Equal(t, minConnections, doorsFor(64).all)
	require.Equal(t, maxConnections, doorsFor(1<<62).all)
	d, err := newDoors()
	require.NoError(t, err)
	require.Positive(t, d.each)
}
