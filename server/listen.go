package server

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

const (
	ownFiles       = 128      // descriptors of the node itself that half of what it may open would not leave
	minConnections = 16       // whatever the system allows
	maxConnections = 16 << 10 // a connection takes memory too
)

// doors bound how many connections are open, in all and for each address, on the ports that anybody can reach. A node whose descriptors
// are used up cannot open its own files: its tables end the process.
type doors struct {
	all, each int

	mu   sync.Mutex // guards the rest
	open int
	of   map[netip.Prefix]int
}

// newDoors raises what the process may open as far as the system lets it, and keeps half for the node itself.
func newDoors() (*doors, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("ask how many files may be open: %w", err)
	}
	if files.Cur < files.Max {
		files.Cur = files.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			return nil, fmt.Errorf("raise how many files may be open: %w", err)
		}
	}
	return doorsFor(files.Cur), nil
}

func doorsFor(files uint64) *doors {
	all := max(minConnections, int(min(files/2, maxConnections+ownFiles))-ownFiles)
	return &doors{all: all, each: max(1, all/4), of: map[netip.Prefix]int{}}
}

// guard makes l close connections beyond the bounds at once.
func (d *doors) guard(l net.Listener) net.Listener { return guarded{l, d} }

type guarded struct {
	net.Listener
	doors *doors
}

// Accept returns the next connection within the bounds.
func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := networkOf(c.RemoteAddr())
		if g.doors.enter(from) {
			return &guest{Conn: c, leave: sync.OnceFunc(func() { g.doors.leave(from) })}, nil
		}
		_ = c.Close() // it was never served: there is nothing to say
	}
}

// guest is a connection that counts until it is closed.
type guest struct {
	net.Conn
	leave func()
}

func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}

func (d *doors) enter(from netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open >= d.all || d.of[from] >= d.each {
		return false
	}
	d.open++
	d.of[from]++
	return true
}

func (d *doors) leave(from netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if d.of[from]--; d.of[from] == 0 {
		delete(d.of, from)
	}
}

// networkOf is what counts as one address: an IPv4 address, or an IPv6 /64, which is what one customer gets.
func networkOf(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{} // all that have no address share one
	}
	ip := at.Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
