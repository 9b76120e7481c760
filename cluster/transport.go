package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	handshakeTime = 5 * time.Second
	dialTime      = 2 * time.Second
	maxHandshakes = 128 // at a time; more wait in the kernel
)

// port is the one TCP port between nodes: it accepts for Raft, RPC and join, and dials nodes by their id.
type port struct {
	trust   *trust
	listen  net.Listener
	source  net.Addr // of outgoing connections; nil lets the system choose
	address *addresses
	log     *slog.Logger
	raft    chan net.Conn
	closed  chan struct{}
	once    sync.Once
	conns   sync.WaitGroup
}

func openPort(listen string, t *trust, a *addresses, log *slog.Logger) (*port, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("open the cluster port: %w", err)
	}
	return &port{trust: t, listen: l, source: sourceOf(listen), address: a, log: log, raft: make(chan net.Conn), closed: make(chan struct{})}, nil
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
	cfg, slots := p.trust.server(), make(chan struct{}, maxHandshakes)
	for {
		c, err := p.listen.Accept()
		if err != nil {
			p.conns.Wait()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept on the cluster port: %w", err)
		}
		slots <- struct{}{}
		p.conns.Add(1)
		go func() {
			defer p.conns.Done()
			conn, err := p.handshake(tls.Server(c, cfg))
			<-slots
			if err != nil {
				p.log.Warn("connection to the cluster port refused", "from", c.RemoteAddr().String(), "err", err)
				c.Close()
				return
			}
			p.dispatch(conn, handle)
		}()
	}
}

func (p *port) handshake(c *tls.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

func (p *port) dispatch(c *tls.Conn, handle map[string]func(net.Conn, string)) {
	cs := c.ConnectionState()
	if cs.NegotiatedProtocol == protoRaft {
		select {
		case p.raft <- c:
		case <-p.closed:
			c.Close()
		}
		return
	}
	var id string
	if len(cs.PeerCertificates) > 0 {
		id, _ = nodeOf(cs.PeerCertificates[0], p.trust.id.Cluster) // a joiner has none; the others were verified
	}
	stop := context.AfterFunc(p.context(), func() { c.Close() })
	defer stop()
	handle[cs.NegotiatedProtocol](c, id)
}

// context ends when the port closes.
func (p *port) context() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-p.closed
		cancel()
	}()
	return ctx
}

// close stops accepting and cuts the connections of RPC and join.
func (p *port) close() error {
	var err error
	p.once.Do(func() {
		close(p.closed)
		err = p.listen.Close()
	})
	return err
}

// dial connects to a node, trying what is known of its addresses until the certificate is that node's.
func (p *port) dial(ctx context.Context, proto, id string) (net.Conn, error) {
	candidates := p.address.of(id)
	if len(candidates) == 0 {
		return nil, fmt.Errorf("no address of node %s is known", id)
	}
	var errs []error
	for _, addr := range candidates {
		c, err := p.dialAddress(ctx, proto, id, addr)
		if err == nil {
			p.address.prove(id, addr)
			return c, nil
		}
		var other *otherNodeError
		if errors.As(err, &other) {
			p.address.prove(other.id, addr)
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("dial node %s: %w", id, errors.Join(errs...))
}

func (p *port) dialAddress(ctx context.Context, proto, id, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: p.source}, Config: p.trust.client(proto, id)}
	return d.DialContext(ctx, "tcp", addr)
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
	return l.dial(ctx, protoRaft, string(id))
}

// Accept implements net.Listener.
func (l raftLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.raft:
		return c, nil
	case <-l.closed:
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
