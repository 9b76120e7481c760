package cluster

import (
	"net"
	"sync"
)

// links are the open connections of a port, by the node at the other end. The zero value has none.
type links struct {
	mu     sync.Mutex           // guards the rest
	open   map[*heldConn]string // node
	closed bool
}

// heldConn takes itself off the list when it is closed.
type heldConn struct {
	net.Conn
	in    *links
	proto string
	ended func() // called when it is closed; nil for nothing
}

// Close implements net.Conn.
func (c *heldConn) Close() error {
	c.in.mu.Lock()
	_, open := c.in.open[c]
	delete(c.in.open, c)
	c.in.mu.Unlock()
	if open && c.ended != nil {
		c.ended()
	}
	return c.Conn.Close()
}

// hold puts a connection on the list; after the port was closed it is closed too.
func (l *links) hold(c net.Conn, id, proto string, ended func()) *heldConn {
	held := &heldConn{c, l, proto, ended}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
		return held
	}
	if l.open == nil {
		l.open = map[*heldConn]string{}
	}
	l.open[held] = id
	return held
}

// many reports whether a node has as many connections as it may; joiners, who have no name, share one allowance.
func (l *links) many(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, other := range l.open {
		if other == id {
			n++
		}
	}
	return n >= linksEach
}

// cut closes the connections of the nodes and protocols that which names. When it names "", the one without a name, it names all, and
// for ever.
func (l *links) cut(which func(id, proto string) bool) {
	for _, c := range l.of(which) {
		c.Close()
	}
}

func (l *links) of(which func(id, proto string) bool) (found []*heldConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = l.closed || which("", "")
	for c, id := range l.open {
		if which(id, c.proto) {
			found = append(found, c)
		}
	}
	return found
}

// guests are the connections whose handshake is under way: few of each address, so that strangers do not keep members out. The zero
// value has none.
type guests struct {
	mu  sync.Mutex // guards the rest
	all int
	by  map[string]int
}

func (g *guests) enter(c net.Conn) bool {
	host := hostOnly(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= maxHandshakes || g.by[host] >= handshakesEach {
		return false
	}
	if g.by == nil {
		g.by = map[string]int{}
	}
	g.all++
	g.by[host]++
	return true
}

func (g *guests) leave(c net.Conn) {
	host := hostOnly(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.by[host]--; g.by[host] == 0 {
		delete(g.by, host)
	}
}

func hostOnly(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}
