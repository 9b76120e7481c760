package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

const (
	handshakeTime  = 5 * time.Second
	dialTime       = 2 * time.Second
	dialStagger    = 200 * time.Millisecond // between the candidates of one dial
	maxHandshakes  = 512                    // at a time; what is more is turned away
	handshakesEach = 32                     // of one address
	silentLink     = 5 * time.Second        // for how long sent bytes may stay unacknowledged
	linksEach      = 64                     // open connections with one member, or with all joiners together
)

// port is the one TCP port between nodes: it accepts for Raft, RPC and join, and dials nodes by their id.
type port struct {
	trust   *trust
	listen  net.Listener
	source  net.Addr // of outgoing connections; nil lets the system choose
	address *addresses
	log     *slog.Logger
	raft    chan net.Conn
	lost    chan string     // node whose connection for Raft has ended; a hint, of which some may be missing
	ctx     context.Context // ends when the port closes
	end     context.CancelFunc
	once    sync.Once
	conns   sync.WaitGroup
	links   links
	guests  guests
	wrap    func(peer string, c net.Conn) net.Conn // of connections on which entries are sent; nil for none

	superseded func(epoch uint32) // the cluster lives on in a later epoch than this node's
}

func openPort(listen string, t *trust, a *addresses, log *slog.Logger) (*port, error) {
	lc := net.ListenConfig{Control: noSilence}
	l, err := lc.Listen(context.Background(), "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("open the cluster port: %w", err)
	}
	p := &port{trust: t, listen: l, source: sourceOf(listen), address: a, log: log, raft: make(chan net.Conn), lost: make(chan string, 16)}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p, nil
}

// noSilence has the kernel give a connection up whose peer acknowledges nothing: after a partition TCP would go on waiting for minutes.
func noSilence(_, _ string, c syscall.RawConn) (err error) {
	e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentLink.Milliseconds()))
	})
	return errors.Join(err, e)
}

// sourceOf makes outgoing connections come from the address that the port listens on, if it listens on one: firewalls between
// nodes can then tell them apart.
func sourceOf(listen string) net.Addr {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	if err != nil || ip == nil || ip.IsUnspecified() {
		return nil
	}
	return &net.TCPAddr{IP: ip}
}

// serve accepts until the port is closed. handle owns the connections of the protocols other than Raft's.
func (p *port) serve(handle map[string]func(net.Conn, string)) error {
	for {
		c, err := p.listen.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			p.conns.Wait()
			return nil
		case err != nil: // no descriptors left, say: it may pass
			p.log.Warn("nothing accepted on the cluster port, will retry", "err", err)
			pause(p.ctx, 100*time.Millisecond)
			continue
		}
		if !p.guests.enter(c) {
			c.Close()
			continue
		}
		p.conns.Go(func() { p.welcome(c, p.trust.server(), handle) })
	}
}

func (p *port) welcome(c net.Conn, cfg *tls.Config, handle map[string]func(net.Conn, string)) {
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTime)
	conn := tls.Server(c, cfg)
	err := conn.HandshakeContext(ctx)
	cancel()
	p.guests.leave(c)
	if err != nil {
		p.log.Warn("connection to the cluster port refused", "from", c.RemoteAddr().String(), "err", err)
		c.Close()
		return
	}
	p.dispatch(conn, handle)
}

func (p *port) dispatch(c *tls.Conn, handle map[string]func(net.Conn, string)) {
	cs := c.ConnectionState()
	var id string
	if len(cs.PeerCertificates) > 0 {
		id, _ = nodeOf(cs.PeerCertificates[0], p.trust.id.Cluster) // a joiner has none; the others were verified
	}
	if p.links.many(id) {
		p.log.Warn("connection to the cluster port refused", "from", c.RemoteAddr().String(), "member", id, "err", "it has too many")
		c.Close()
		return
	}
	proto := baseOf(cs.NegotiatedProtocol)
	if proto == protoEpoch {
		p.log.Warn("connection to the cluster port refused", "from", c.RemoteAddr().String(), "err", p.compareEpochs(c, id))
		return
	}
	if proto == protoRaft {
		link := p.links.hold(c, id, protoRaft, func() { p.tellLost(id) })
		select {
		case p.raft <- link:
		case <-p.ctx.Done():
			link.Close()
		}
		return
	}
	link := p.links.hold(c, id, proto, nil)
	defer link.Close()
	handle[proto](link, id)
}

func (p *port) tellLost(id string) {
	select {
	case p.lost <- id:
	default:
	}
}

// close stops accepting and cuts every connection.
func (p *port) close() error {
	var err error
	p.once.Do(func() {
		p.end()
		err = p.listen.Close()
		p.links.cut(func(string, string) bool { return true })
	})
	return err
}

// cutRemoved cuts the connections of nodes that were removed. They may ask again, to be told so.
func (p *port) cutRemoved() {
	p.links.cut(func(id, _ string) bool {
		gone, err := p.trust.removed(id)
		return err == nil && gone
	})
}

// dial connects to a node: it tries what is known of its addresses, the next one when the one before has failed or is silent for a moment,
// until a certificate is that node's.
func (p *port) dial(ctx context.Context, proto, id string) (net.Conn, error) {
	candidates := p.address.of(id)
	if len(candidates) == 0 {
		return nil, fmt.Errorf("no address of node %s is known", id)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(p.ctx, cancel)
	defer stop()
	attempts := make(chan attempted, len(candidates))
	var errs []error
	for begun := 0; len(errs) < len(candidates); {
		var silent <-chan time.Time
		if begun < len(candidates) {
			addr := candidates[begun]
			go func() { attempts <- p.attempt(ctx, proto, id, addr) }()
			begun++
			silent = time.After(dialStagger)
		}
		select {
		case a := <-attempts:
			if a.err == nil {
				go discard(attempts, begun-len(errs)-1)
				return p.links.hold(a.conn, id, proto, nil), nil
			}
			errs = append(errs, a.err)
		case <-silent:
		}
	}
	return nil, fmt.Errorf("dial node %s: %w", id, errors.Join(errs...))
}

type attempted struct {
	conn net.Conn
	err  error
}

// attempt tries one address and notes whose it is.
func (p *port) attempt(ctx context.Context, proto, id, addr string) attempted {
	c, err := p.dialAddress(ctx, proto, id, addr)
	if err == nil {
		p.address.prove(id, addr)
		return attempted{conn: c}
	}
	var other *otherNodeError
	if errors.As(err, &other) {
		p.address.prove(other.id, addr)
	}
	return attempted{err: fmt.Errorf("%s: %w", addr, err)}
}

// discard closes what succeeds after another has.
func discard(attempts chan attempted, n int) {
	for range n {
		if a := <-attempts; a.err == nil {
			a.conn.Close()
		}
	}
}

func (p *port) dialAddress(ctx context.Context, proto, id, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: p.source, Control: noSilence}, Config: p.trust.client(proto, id)}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return p.sameEpoch(ctx, c, id)
}

// raftLayer is the port as Raft sees it. The addresses that it gets are node ids: ServerAddr below sees to that.
type raftLayer struct{ *port }

// ServerAddr implements raft.ServerAddressProvider: identity is the certificate, never the address.
func (raftLayer) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// Dial implements raft.StreamLayer.
func (l raftLayer) Dial(id raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if string(id) == l.trust.id.Node {
		return l.dialSelf(ctx)
	}
	c, err := l.dial(ctx, protoRaft, string(id))
	if err == nil && l.wrap != nil {
		c = l.wrap(string(id), c)
	}
	if err != nil {
		return nil, err
	}
	return &patient{Conn: c}, nil
}

// dialSelf connects this node's Raft to itself, for succeed. It does not leave the process: at the port it would be a twin.
func (l raftLayer) dialSelf(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	self := l.trust.id.Node
	in, out := l.links.hold(far, self, protoRaft, nil), l.links.hold(near, self, protoRaft, nil)
	select {
	case l.raft <- in:
		return out, nil
	case <-l.ctx.Done():
	case <-ctx.Done():
	}
	in.Close()
	out.Close()
	return nil, net.ErrClosed
}

// Accept implements net.Listener.
func (l raftLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.raft:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener with the node's id.
func (l raftLayer) Addr() net.Addr { return nodeAddr(l.trust.id.Node) }

// Close implements net.Listener.
func (l raftLayer) Close() error { return l.close() }

type nodeAddr string

func (nodeAddr) Network() string  { return "tcp" }
func (a nodeAddr) String() string { return string(a) }
