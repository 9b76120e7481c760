package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is a connection through a proxy: that of who has dialled, and the proxy's own to the host.
type link struct {
	net  *proxies
	path path            // from who has dialled
	life context.Context // until end or part
	stop context.CancelFunc
	cut  bool // guarded by net.mu: a Drop has met it

	mu    sync.Mutex // guards conns, and that life ends once
	conns []*net.TCPConn
}

// keep adds a connection, which ends with the link; at once when that has ended.
func (l *link) keep(c *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		reset(c)
		return
	}
	l.conns = append(l.conns, c)
}

// end resets both connections: what is under way is lost, and the ends know it.
func (l *link) end() { l.finish(reset) }

// part closes both connections, after both directions have come to their end.
func (l *link) part() { l.finish(func(c *net.TCPConn) { _ = c.Close() }) }

func (l *link) finish(with func(*net.TCPConn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		return
	}
	l.stop()
	for _, c := range l.conns {
		with(c)
	}
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // either fails only where there is nothing left to reset
	_ = c.Close()
}

// serve accepts what is for a host until the listener is closed.
func (p *proxies) serve(to *desk, c Class, l net.Listener) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			p.work.Go(func() { p.connect(to, c, conn.(*net.TCPConn)) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // no descriptor is free, say
			select {
			case <-time.After(10 * time.Millisecond):
			case <-p.done:
			}
		}
	}
}

// connect carries one connection until both directions have ended. It dials only when a handshake would get through both ways.
func (p *proxies) connect(to *desk, c Class, conn *net.TCPConn) {
	l := p.admit(to, c, conn)
	defer p.forget(l)
	defer l.end() // without effect after part
	if !l.clear(l.path) || !l.clear(l.path.back()) {
		return
	}
	target := l.dial(to.Listen(c))
	if target == nil {
		return
	}
	var there sync.WaitGroup
	there.Go(func() { l.flow(conn, target, l.path, to.dice) })
	l.flow(target, conn, l.path.back(), to.dice)
	there.Wait()
	l.part()
}

// dial reaches the host's process; nil when that does not listen or the link has ended.
func (l *link) dial(address string) *net.TCPConn {
	conn, err := new(net.Dialer).DialContext(l.life, "tcp", address)
	if err != nil {
		return nil
	}
	l.keep(conn.(*net.TCPConn))
	return conn.(*net.TCPConn)
}

// clear waits until the rules let traffic pass on a path; false when the link has ended.
func (l *link) clear(on path) bool {
	for {
		e, change := l.net.now(on)
		if !e.blocks() {
			return !l.over()
		}
		select {
		case <-change:
		case <-l.life.Done():
			return false
		}
	}
}

func (l *link) over() bool { return l.life.Err() != nil }

// Bounds of what is under way in one direction of a link.
const (
	chunkBytes = 16 << 10
	chunksMost = 256
)

// chunk is what was read at once: bytes, or what ended the reading.
type chunk struct {
	bytes []byte
	err   error
	at    time.Time
	luck  float64 // its share of any jitter
}

// flow carries one direction. When it returns, its destination has been told, if it is to be.
func (l *link) flow(from, to *net.TCPConn, on path, d *dice) {
	chunks := make(chan chunk, chunksMost)
	l.net.work.Go(func() { l.read(from, chunks, d) })
	for {
		select {
		case c := <-chunks:
			if !l.travel(c, on) || !l.hand(c, to, on) {
				return
			}
		case <-l.life.Done():
			return
		}
	}
}

// read puts what comes into chunks. It waits when too much is under way, and so does the sender then.
func (l *link) read(from *net.TCPConn, chunks chan<- chunk, d *dice) {
	buf := make([]byte, chunkBytes)
	for {
		n, err := from.Read(buf)
		c := chunk{append([]byte(nil), buf[:n]...), err, time.Now(), d.roll()}
		select {
		case chunks <- c:
		case <-l.life.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// travel waits until a chunk may arrive; false when the link has ended.
func (l *link) travel(c chunk, on path) bool {
	for {
		e, change := l.net.now(on)
		var arrival <-chan time.Time // never, when blocked
		if !e.blocks() {
			left := time.Until(c.at.Add(e.wait(c.luck)))
			if left <= 0 {
				return !l.over()
			}
			arrival = time.After(left)
		}
		select {
		case <-arrival: // the rules may be others by now
		case <-change:
		case <-l.life.Done():
			return false
		}
	}
}

// hand gives a chunk to its destination; false when nothing can follow.
func (l *link) hand(c chunk, to *net.TCPConn, on path) bool {
	var err error
	if len(c.bytes) > 0 {
		_, err = to.Write(c.bytes)
	}
	switch {
	case err != nil: // the destination has gone, and the source hears of it when anything gets back to it
		if l.clear(on.back()) {
			l.end()
		}
	case errors.Is(c.err, io.EOF):
		_ = to.CloseWrite() // it may have closed itself
	case c.err != nil: // the source was reset
		l.end()
	default:
		l.net.counts.passed.Add(1)
		return true
	}
	return false
}
