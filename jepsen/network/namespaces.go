package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// maxHosts is what the addresses are enough for: 10.231.0.1 is the clients', the hosts follow.
const maxHosts = 253

// Available says why network namespaces cannot be made here; nil when they can be.
func Available() error {
	t := newThread()
	defer t.end()
	return t.do(func() error {
		tun, err := enter(hostAddress(1))
		if err != nil {
			return fmt.Errorf("network namespaces cannot be made here, which takes root: %w", err)
		}
		return tun.Close()
	})
}

// namespaces is a network of namespaces around a switch.
type namespaces struct {
	fabric *fabric
	seed   uint64

	mu     sync.Mutex // guards the rest
	hosts  map[string]*room
	closed bool
}

// NewNamespaces makes a network on which the calling process is the clients' host: it must run in a network namespace of its own, in which nothing
// but a loopback is up.
func NewNamespaces(seed uint64) (Network, error) {
	if err := errors.Join(alone(), loopbackUp()); err != nil {
		return nil, err
	}
	tun, err := openTUN(hostAddress(1))
	if err != nil {
		return nil, fmt.Errorf("connect the clients: %w", err)
	}
	n := &namespaces{fabric: newFabric(), seed: seed, hosts: map[string]*room{}}
	return n, n.fabric.attach(newDevice(Clients, hostAddress(1), tun, newDice(seed, 1)))
}

func hostAddress(n int) address { return address{10, 231, 0, byte(n)} }

func (n *namespaces) Kind() string          { return kindNamespaces }
func (n *namespaces) Supports(r Rule) error { return r.check() }
func (n *namespaces) Set(rules []Rule)      { n.fabric.set(rules) }
func (n *namespaces) Counts() Counts        { return n.fabric.counts.read() }

func (n *namespaces) Add(id string) (Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, errClosed
	case n.hosts[id] != nil || id == Clients || id == "":
		return nil, fmt.Errorf("host %q: %w", id, errTaken)
	case len(n.hosts) == maxHosts:
		return nil, fmt.Errorf("host %q: a network has at most %d hosts", id, maxHosts)
	}
	number := len(n.hosts) + 2
	r := &room{address: hostAddress(number), thread: newThread()}
	if err := r.thread.do(func() error { return n.connect(id, number) }); err != nil {
		r.thread.end()
		return nil, fmt.Errorf("host %q: %w", id, err)
	}
	n.hosts[id] = r
	return r, nil
}

// connect makes the calling thread the host with this number.
func (n *namespaces) connect(id string, number int) error {
	tun, err := enter(hostAddress(number))
	if err != nil {
		return err
	}
	return n.fabric.attach(newDevice(id, hostAddress(number), tun, newDice(n.seed, uint64(number))))
}

// enter moves the calling thread into a new network namespace, for ever, and makes a device there.
func enter(a address) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, err
	}
	return openTUN(a)
}

func (n *namespaces) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	err := n.fabric.close()
	for _, r := range n.hosts {
		r.thread.end()
	}
	return err
}

// room is a host: a namespace that lives by the thread in it, and by the processes that this thread has started.
type room struct {
	address address
	thread  *thread
}

func (r *room) Listen(c Class) string {
	port := map[Class]uint16{API: portAPI, KMIP: portKMIP, Raft: portRaft, Gossip: portGossip}[c]
	if port == 0 {
		return ""
	}
	return netip.AddrPortFrom(netip.AddrFrom4(r.address), port).String()
}

func (r *room) Advertise(c Class) string  { return r.Listen(c) }
func (r *room) Dial(c Class) string       { return r.Listen(c) }
func (r *room) Start(cmd *exec.Cmd) error { return r.thread.do(cmd.Start) }
