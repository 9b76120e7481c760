package harness

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy carries TCP to one node and can stop carrying it for some sources: what is open then hangs, as in a partition, and
// what is new hangs too.
type Proxy struct {
	listen net.Listener
	target string

	mu    sync.Mutex
	cut   map[string]bool
	conns map[net.Conn]string // both ends of each connection -> its source
	wake  chan struct{}       // replaced at each change
}

func newProxy(t testing.TB, target string) *Proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listen: l, target: target, cut: map[string]bool{}, conns: map[net.Conn]string{}, wake: make(chan struct{})}
	go p.serve()
	return p
}

// Address is where the node is advertised.
func (p *Proxy) Address() string { return p.listen.Addr().String() }

// Cut stops or resumes what comes from source. A connection that was cut is closed when it resumes: TCP would have given
// it up in a long partition.
func (p *Proxy) Cut(source string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut[source] == on {
		return
	}
	p.cut[source] = on
	close(p.wake)
	p.wake = make(chan struct{})
	for c, s := range p.conns {
		if s == source && !on {
			c.Close()
		}
	}
}

func (p *Proxy) serve() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		go p.carry(c)
	}
}

func (p *Proxy) carry(from net.Conn) {
	source, _, _ := net.SplitHostPort(from.RemoteAddr().String())
	p.keep(from, source)
	defer p.drop(from)
	if !p.pass(from, source) {
		return
	}
	to, err := net.DialTimeout("tcp", p.target, 2*time.Second)
	if err != nil {
		return
	}
	p.keep(to, source)
	defer p.drop(to)
	var wg sync.WaitGroup
	wg.Go(func() { p.copy(to, from, source) })
	wg.Go(func() { p.copy(from, to, source) })
	wg.Wait()
}

// copy carries one direction; when it ends, both end.
func (p *Proxy) copy(dst, src net.Conn, source string) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if !p.pass(src, source) {
			return
		}
		if _, werr := dst.Write(buf[:n]); werr != nil || err != nil && err != io.EOF || err == io.EOF {
			return
		}
	}
}

// pass waits while the source is cut off; false means that the connection is gone.
func (p *Proxy) pass(c net.Conn, source string) bool {
	for {
		p.mu.Lock()
		cut, wake := p.cut[source], p.wake
		_, open := p.conns[c]
		p.mu.Unlock()
		if !cut || !open {
			return open
		}
		<-wake
	}
}

func (p *Proxy) keep(c net.Conn, source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = source
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

func (p *Proxy) close() {
	p.listen.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.cut)
	close(p.wake)
	p.wake = make(chan struct{})
	for c := range p.conns {
		c.Close()
	}
}
