package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Peer is who sent a message: what the connection has shown, before anybody knows whether it is a client.
type Peer struct {
	Chain   []*x509.Certificate // the leaf first; it holds the private key of the leaf, and nothing else has been checked
	Address string              // without the port
}

// Backend answers messages.
type Backend interface {
	// Answer returns the response message to m. It is asked anew for each message who the peer is and what it may. The error ends the connection.
	Answer(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error)
}

// Patience is how long peers may take. A field that is 0 has its default.
type Patience struct {
	Handshake time.Duration // default 10 s
	Message   time.Duration // from a message's first byte to its last, and for taking the answer; default 30 s
	Idle      time.Duration // between messages; default 10 min
	Request   time.Duration // for the answer to be found; default 15 s
}

func (p Patience) orDefaults() Patience {
	def := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	def(&p.Handshake, 10*time.Second)
	def(&p.Message, 30*time.Second)
	def(&p.Idle, 10*time.Minute)
	def(&p.Request, 15*time.Second)
	return p
}

// Server speaks TTLV over TLS. Its fields are set before Serve.
type Server struct {
	TLS      *tls.Config // which asks for a client's certificate and accepts any: the backend looks at it
	Backend  Backend
	Patience Patience
	Meter    *Meter // nil: nothing is measured
	Log      *slog.Logger
}

// grace is what answers under way have when the server stops.
const grace = 5 * time.Second

// Serve serves the connections of l until ctx ends; it then closes l, lets what is under way end, and returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	patience := s.Patience.orDefaults()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept says that it is closed
	defer stop()
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ending := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	defer ending()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if wait, temporary := transient(err); temporary {
				s.Log.WarnContext(ctx, "a KMIP connection was not accepted", "err", err)
				time.Sleep(wait)
				continue
			}
			return fmt.Errorf("accept KMIP connections: %w", err)
		}
		wg.Go(func() { s.connection(ctx, working, c, patience) })
	}
}

// transient reports whether another attempt to accept makes sense: the process has no descriptor left at the moment.
func transient(err error) (time.Duration, bool) {
	ne, ok := errors.AsType[net.Error](err)
	return 100 * time.Millisecond, ok && ne.Temporary() //nolint:staticcheck // what accept returns has no other word for it
}

// connection serves one until it ends, or ctx does between two messages.
func (s *Server) connection(ctx, working context.Context, raw net.Conn, patience Patience) {
	end := context.AfterFunc(working, func() { _ = raw.Close() }) // its time is over: there is nobody to tell
	defer end()
	defer raw.Close()
	defer s.Meter.entered()()
	c := tls.Server(raw, s.TLS)
	shaking, cancel := context.WithTimeout(ctx, patience.Handshake)
	err := c.HandshakeContext(shaking)
	cancel()
	if err != nil {
		s.Meter.handshakesRefused(1)
		s.Log.DebugContext(ctx, "no TLS with a KMIP client", "address", raw.RemoteAddr().String(), "err", err)
		return
	}
	p := Peer{Chain: c.ConnectionState().PeerCertificates, Address: host(raw.RemoteAddr())}
	idle := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Now()) }) // whoever waits for a message waits no longer
	defer idle()
	in := &patient{ctx: ctx, c: c, patience: patience}
	for ctx.Err() == nil && s.message(working, c, in, p, patience) {
	}
	_ = c.Close() // with close_notify, if the peer still listens
}

func host(a net.Addr) string { return hostOf(a.String()) }

func hostOf(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}

// message answers the next message; it reports whether another one may follow.
func (s *Server) message(ctx context.Context, c net.Conn, in *patient, p Peer, patience Patience) bool {
	in.begun = false
	m, err := ttlv.Read(in, ttlv.Limits{})
	if err != nil {
		s.unreadable(ctx, c, err, patience)
		return false
	}
	defer m.Wipe()
	ctx, cancel := context.WithTimeout(ctx, patience.Request)
	defer cancel()
	out, err := s.answer(ctx, p, m)
	if err != nil {
		s.Log.ErrorContext(ctx, "a KMIP connection was ended", "address", p.Address, "err", err)
		return false
	}
	defer clear(out)
	return send(c, out, patience) == nil
}

// answer lets no message end more than its connection.
func (s *Server) answer(ctx context.Context, p Peer, m *ttlv.Item) (out []byte, err error) {
	defer rescue(&out, &err)
	return s.Backend.Answer(ctx, p, m)
}

// rescue makes an error of a panic.
func rescue(out *[]byte, err *error) {
	if r := recover(); r != nil {
		*out, *err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
	}
}

// unreadable says what was wrong with a message, to a peer that may still listen. Where the next one would begin nobody knows.
func (s *Server) unreadable(ctx context.Context, c net.Conn, bad error, patience Patience) {
	e, ok := errors.AsType[*ttlv.Error](bad)
	if !ok || e.Kind == ttlv.Closed || e.Kind == ttlv.Broken {
		return
	}
	out, err := unreadable(e, chaos.Now())
	s.Meter.count(out)
	if err == nil {
		err = send(c, out, patience)
	}
	s.Log.DebugContext(ctx, "a KMIP message could not be read", "address", host(c.RemoteAddr()), "err", errors.Join(bad, err))
}

func send(c net.Conn, b []byte, patience Patience) error {
	if err := c.SetWriteDeadline(time.Now().Add(patience.Message)); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}

// patient reads a message: for its first byte a peer may wait long, for the rest it may not.
type patient struct {
	ctx      context.Context // ends the waiting
	c        net.Conn
	patience Patience
	begun    bool
}

func (p *patient) Read(b []byte) (int, error) {
	if p.begun {
		return p.c.Read(b)
	}
	if err := errors.Join(p.c.SetReadDeadline(time.Now().Add(p.patience.Idle)), p.ctx.Err()); err != nil {
		return 0, err
	}
	n, err := p.c.Read(b[:min(1, len(b))])
	if n == 0 || err != nil {
		return n, err
	}
	p.begun = true
	return n, p.c.SetReadDeadline(time.Now().Add(p.patience.Message))
}
