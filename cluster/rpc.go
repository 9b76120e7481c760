package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Calls between nodes are frames on a connection of protoRPC: 4 bytes length, 8 bytes call number, 1 byte method or status,
// then CBOR. Calls overtake each other; a connection that breaks ends all its calls.
const (
	frameHeader = 4 + 8 + 1
	maxFrame    = 16 << 20
	smallFrame  = 4 << 10 // for those who are only told that they were removed
	answerTime  = 10 * time.Second
)

type method byte

const (
	callConfirm  method = iota + 1 // term and clock of a voter
	callIndex                      // a read index from the leader
	callStatus                     // what the node says of itself
	callProve                      // proof that it has unsealed
	callJoin                       // a joiner's request, on its way to the leader
	callForward                    // an HTTP request, on its way to the leader
	callAnnounce                   // a member's own description, for the leader to record
	callAsk                        // a question of a part above this package
	callMark                       // a mark at which the nodes compare their tables, from the leader
)

const (
	statusOK    = 0
	statusFault = 1
)

type wireFault struct {
	Kind    uint8  `cbor:"1,keyasint"`
	Message string `cbor:"2,keyasint"`
	Field   string `cbor:"3,keyasint,omitempty"`
	After   int64  `cbor:"4,keyasint,omitempty"` // nanoseconds
}

func writeFrame(w *bufio.Writer, call uint64, kind byte, body []byte) error {
	var h [frameHeader]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(body)))
	binary.BigEndian.PutUint64(h[4:], call)
	h[12] = kind
	if _, err := w.Write(h[:]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

func readFrame(r *bufio.Reader) (call uint64, kind byte, body []byte, err error) {
	return readFrameUpTo(r, maxFrame)
}

func readFrameUpTo(r *bufio.Reader, limit uint32) (call uint64, kind byte, body []byte, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > limit {
		return 0, 0, nil, fmt.Errorf("a frame of %d bytes is above the limit of %d", n, limit)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return binary.BigEndian.Uint64(h[4:]), h[12], body, err
}

// handler answers one call of a peer.
type handler func(ctx context.Context, peer string, body []byte) (any, error)

// serveRPC answers the calls of one peer until the connection ends. A frame may have limit bytes.
func serveRPC(ctx context.Context, c net.Conn, peer string, handlers map[method]handler, limit uint32) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.Close()
	s := &rpcServer{conn: c, w: bufio.NewWriter(c), slots: make(chan struct{}, 512)}
	defer s.calls.Wait()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		call, kind, body, err := readFrameUpTo(r, limit)
		if err != nil {
			cancel()
			return
		}
		s.slots <- struct{}{}
		s.calls.Add(1)
		go func() {
			defer s.calls.Done()
			s.answer(ctx, call, handlers[method(kind)], peer, body)
			<-s.slots
		}()
	}
}

type rpcServer struct {
	conn  net.Conn
	slots chan struct{}
	calls sync.WaitGroup
	mu    sync.Mutex // guards w
	w     *bufio.Writer
}

func (s *rpcServer) answer(ctx context.Context, call uint64, h handler, peer string, body []byte) {
	var out any
	err := error(fault.New(fault.Invalid, "this node does not know the call"))
	if h != nil {
		out, err = h(ctx, peer, body)
	}
	kind := byte(statusOK)
	if err != nil {
		kind, out = statusFault, toWire(err)
	}
	b, err := fsm.Encode(out)
	if err != nil {
		s.conn.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.conn.SetWriteDeadline(time.Now().Add(answerTime)); err == nil {
		err = writeFrame(s.w, call, kind, b)
	}
	if err == nil {
		err = s.w.Flush()
	}
	if err != nil {
		s.conn.Close()
	}
}

func toWire(err error) wireFault {
	var f *fault.Error
	if errors.As(err, &f) {
		return wireFault{uint8(f.Kind), f.Message, f.Field, int64(f.RetryAfter)}
	}
	return wireFault{uint8(fault.Internal), err.Error(), "", 0} // between nodes only; the API shows no Internal message
}

func (w wireFault) error() error {
	f := fault.New(fault.Kind(w.Kind), "%s", w.Message).After(time.Duration(w.After))
	f.Field = w.Field
	return f
}

// errUnsent says that a call never left this node.
var errUnsent = errors.New("the call was not sent")

// client keeps one connection to one peer and makes a new one when it is needed. It dials apart from the calls that wait for
// it: a call that gives up early must not end the attempt that a later one lives on.
type client struct {
	id   string
	dial func(ctx context.Context) (net.Conn, error)
	next atomic.Uint64

	mu       sync.Mutex // guards the rest
	link     *link
	attempt  *attempt
	renewals int // of this node's certificate
	closed   bool
}

// attempt is one dial; err and when are set before done closes.
type attempt struct {
	done chan struct{}
	err  error
	when time.Duration // uptime
}

const redialAfter = 50 * time.Millisecond

type link struct {
	conn    net.Conn
	tenure  tenure
	stale   atomic.Bool // this node has another certificate now
	wmu     sync.Mutex  // guards w
	w       *bufio.Writer
	heard   atomic.Int64 // uptime at which something came last
	mu      sync.Mutex   // guards the rest
	pending map[uint64]chan answer
	err     error
}

type answer struct {
	kind byte
	body []byte
	err  error
}

// call sends in and decodes the answer into out. An error that is errUnsent had no effect at the peer; a fault is the
// peer's own; after any other the effect is unknown.
func (c *client) call(ctx context.Context, m method, in, out any) error {
	body, err := fsm.Encode(in)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	if len(body) > maxFrame {
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", errUnsent, len(body), maxFrame)
	}
	l, err := c.connect(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	if err := l.mayCall(m, c.id); err != nil {
		return err
	}
	n := c.next.Add(1)
	ready, err := l.register(n)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	defer l.forget(n)
	sent := uptime()
	if err := l.send(n, m, body); err != nil {
		return fmt.Errorf("send to node %s: %w", c.id, err)
	}
	select {
	case a := <-ready:
		return a.decode(c.id, out)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && time.Duration(l.heard.Load()) < sent {
			l.fail(errors.New("nothing has come over it since the call")) // a partition may have ended that TCP still waits in: dial anew
		}
		return fmt.Errorf("wait for node %s: %w", c.id, context.Cause(ctx))
	}
}

func (a answer) decode(id string, out any) error {
	if a.err != nil {
		return fmt.Errorf("the connection to node %s broke: %w", id, a.err)
	}
	if a.kind == statusOK {
		return fsm.Decode(a.body, out)
	}
	var w wireFault
	if err := fsm.Decode(a.body, &w); err != nil {
		return fmt.Errorf("read the refusal of node %s: %w", id, err)
	}
	return w.error()
}

func (c *client) connect(ctx context.Context) (*link, error) {
	for {
		l, at, err := c.present()
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-at.done:
			if at.err != nil {
				return nil, at.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// present returns the living link, or the attempt to wait for, or why there is neither.
func (c *client) present() (*link, *attempt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch at := c.attempt; {
	case c.closed:
		return nil, nil, net.ErrClosed
	case c.link != nil && c.link.alive() && !c.link.outlived():
		return c.link, nil, nil
	case at != nil && at.when == 0:
		return nil, at, nil
	case at != nil && at.err != nil && uptime()-at.when < redialAfter:
		return nil, nil, at.err
	}
	at := &attempt{done: make(chan struct{})}
	c.attempt = at
	go c.redial(at, c.renewals)
	return nil, at, nil
}

// redial makes a link with the certificate that this node has after so many renewals: one that comes meanwhile makes it stale at once.
func (c *client) redial(at *attempt, renewals int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*dialTime)
	defer cancel()
	conn, err := c.dial(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(at.done)
	at.err, at.when = err, uptime()
	if err != nil {
		return
	}
	if old := c.link; old != nil { // it has outlived its certificates, or is dead: what waits for an answer on it may still get that
		time.AfterFunc(answerTime, func() { old.fail(net.ErrClosed) })
	}
	c.link = &link{conn: conn, tenure: tenureOf(conn), w: bufio.NewWriterSize(conn, 64<<10), pending: map[uint64]chan answer{}}
	c.link.stale.Store(renewals != c.renewals)
	if c.closed {
		c.link.fail(net.ErrClosed)
	}
	go c.link.read()
}

func (c *client) renewed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewals++
	if c.link != nil {
		c.link.stale.Store(true)
	}
}

// close cuts the connection for good: its calls end.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.link != nil {
		c.link.fail(net.ErrClosed)
	}
}

// outlived reports whether the link should be made anew for the sake of a certificate: this node's or its peer's.
func (l *link) outlived() bool { return l.stale.Load() || l.tenure.lapsed() }

func (l *link) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil
}

func (l *link) register(n uint64) (chan answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	ready := make(chan answer, 1)
	l.pending[n] = ready
	return ready, nil
}

func (l *link) forget(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, n)
}

func (l *link) send(n uint64, m method, body []byte) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	err := writeFrame(l.w, n, byte(m), body)
	if err == nil {
		err = l.w.Flush()
	}
	if err != nil {
		l.fail(err)
	}
	return err
}

func (l *link) read() {
	r := bufio.NewReaderSize(l.conn, 64<<10)
	for {
		n, kind, body, err := readFrame(r)
		if err != nil {
			l.fail(err)
			return
		}
		l.heard.Store(int64(uptime()))
		l.mu.Lock()
		ready := l.pending[n]
		delete(l.pending, n)
		l.mu.Unlock()
		if ready != nil {
			ready <- answer{kind: kind, body: body}
		}
	}
}

func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.conn.Close()
	for n, ready := range l.pending {
		ready <- answer{err: err}
		delete(l.pending, n)
	}
}
