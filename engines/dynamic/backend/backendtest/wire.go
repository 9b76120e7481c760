package backendtest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// wire is every connection between a backend and its target. It can be cut or stalled at a byte. What a stalled connection was given to send arrives when the wire is mended, also after it was
// closed, as TCP has it.
type wire struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu        sync.Mutex // guards the rest, and what cables have
	open      map[*cable]bool
	sent, got int
	at        fault
	down      bool
}

// fault is what happens to a wire, once so many bytes were sent or got; 0: never.
type fault struct {
	sent, got int
	stall     bool // connections stall, and later ones do not; or else they are cut, and later ones are refused
}

var errCut = errors.New("the test cut the connection")

func newWire(dial func(ctx context.Context, network, address string) (net.Conn, error)) *wire {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &wire{dial: dial, open: map[*cable]bool{}}
}

// Dial is a Target's.
func (w *wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, errCut
	}
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &cable{Conn: conn, wire: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = true
	return c, nil
}

// plan counts bytes from now on, and has f happen.
func (w *wire) plan(f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.got, w.at = 0, 0, f
}

// count returns how many bytes there were since plan.
func (w *wire) count() (sent, got int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.got
}

// cut ends every connection, and refuses others.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for c := range w.open {
		_ = c.Conn.Close() // the backend closes it again
		delete(w.open, c)
	}
}

// stall keeps what is sent from arriving, on the connections that there are.
func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.stalled = true
	}
}

// mend ends what was done to the wire.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.at = false, fault{}
	for c := range w.open {
		if c.stalled = false; len(c.held) > 0 {
			_, _ = c.Conn.Write(c.held) // the target may be gone
			c.held = nil
		}
		if c.closed {
			_ = c.Conn.Close()
			delete(w.open, c)
		}
	}
}

// pass returns how many of n bytes may pass, and whether the planned fault happens then.
func pass(n int, count *int, limit int) (int, bool) {
	if limit > 0 && *count < limit && *count+n >= limit {
		n = limit - *count
		*count = limit
		return n, true
	}
	*count += n
	return n, false
}

// cable is one connection.
type cable struct {
	net.Conn
	wire            *wire
	stalled, closed bool
	held            []byte
}

// hold keeps b back if the connection is stalled.
func (c *cable) hold(b []byte) bool {
	if c.stalled {
		c.held = append(c.held, b...)
	}
	return c.stalled
}

func (c *cable) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	if c.hold(b) {
		c.wire.mu.Unlock()
		return len(b), nil
	}
	n, hit := pass(len(b), &c.wire.sent, c.wire.at.sent)
	stall := c.wire.at.stall
	c.wire.mu.Unlock()
	switch sent, err := c.Conn.Write(b[:n]); {
	case err != nil || !hit:
		return sent, err
	case stall:
		c.wire.stall()
		_, err = c.Write(b[n:])
		return len(b), err
	}
	c.wire.cut()
	return n, errCut
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	n, hit := pass(n, &c.wire.got, c.wire.at.got)
	c.wire.mu.Unlock()
	if hit {
		c.wire.cut()
		return n, errCut
	}
	return n, err
}

// Close leaves a stalled connection to mend: the other side does not hear of it.
func (c *cable) Close() error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.stalled && len(c.held) > 0 {
		c.closed = true
		return nil
	}
	delete(c.wire.open, c)
	return c.Conn.Close()
}
