package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync"
)

// proxies is a network of TCP proxies on the loopback. It tells who connects by the address that they come from: hosts have addresses of their own and
// nodes dial from the one they listen on; whoever comes from any other is a client.
type proxies struct {
	counts counters
	seed   uint64
	block  *block
	thread *thread        // starts processes
	done   chan struct{}  // closed by Close
	work   sync.WaitGroup // everything that accepts or carries

	mu     sync.RWMutex // guards the rest
	rules  ruleset
	wake   chan struct{} // closed and replaced when rules are
	hosts  map[string]*desk
	byIP   map[string]string
	links  map[*link]struct{}
	closed bool
}

// NewProxies makes a network without hosts.
func NewProxies(seed uint64) (Network, error) {
	b, err := holdBlock()
	if err != nil {
		return nil, err
	}
	return &proxies{
		seed: seed, block: b, thread: newThread(), done: make(chan struct{}), wake: make(chan struct{}),
		hosts: map[string]*desk{}, byIP: map[string]string{}, links: map[*link]struct{}{},
	}, nil
}

func (p *proxies) Kind() string   { return kindProxies }
func (p *proxies) Counts() Counts { return p.counts.read() }

// Supports refuses what cannot be done to streams, and gossip, which proxies do not carry. A connection that a Drop has met is reset when it could go on
// again: what TCP would have sent again is not kept.
func (p *proxies) Supports(r Rule) error {
	switch {
	case r.Loss > 0 || r.Duplicate > 0:
		return errors.New("proxies cannot lose or double packets: this takes network namespaces")
	case r.Class == Gossip:
		return errors.New("proxies do not carry gossip: this takes network namespaces")
	}
	return r.check()
}

func (p *proxies) Set(rules []Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = slices.Clone(rules)
	close(p.wake)
	p.wake = make(chan struct{})
	for l := range p.links {
		p.judge(l)
	}
}

// judge ends a link that is reset, or that was cut and is no more. The caller holds mu.
func (p *proxies) judge(l *link) {
	there, back := p.rules.effect(l.path), p.rules.effect(l.path.back())
	switch cut := there.drop || back.drop; {
	case cut && !l.cut:
		l.cut = true
		p.counts.dropped.Add(1)
	case l.cut && !cut:
		l.end()
	case !cut && (there.reset || back.reset):
		p.counts.reset.Add(1)
		l.end()
	}
}

// now returns what holds for a path, and a channel that is closed when that may change.
func (p *proxies) now(on path) (effect, <-chan struct{}) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.rules.effect(on), p.wake
}

// admit makes a link of an accepted connection. It may have ended already.
func (p *proxies) admit(to *desk, c Class, conn *net.TCPConn) *link {
	ip, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &link{net: p, path: path{cmp.Or(p.byIP[ip], Clients), to.id, c}}
	l.life, l.stop = context.WithCancel(context.Background())
	l.keep(conn)
	if p.closed {
		l.end()
		return l
	}
	p.links[l] = struct{}{}
	p.judge(l)
	return l
}

func (p *proxies) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *proxies) Add(id string) (Host, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, errClosed
	case p.hosts[id] != nil || id == Clients || id == "":
		return nil, fmt.Errorf("host %q: %w", id, errTaken)
	}
	d, err := p.open(id, len(p.hosts)+2)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", id, errors.Join(err, d.close()))
	}
	p.hosts[id], p.byIP[d.ip] = d, id
	for c, l := range d.proxies {
		p.work.Go(func() { p.serve(d, c, l) })
	}
	return d, nil
}

// open finds addresses for a host and listens for it.
func (p *proxies) open(id string, number int) (*desk, error) {
	d := &desk{id: id, ip: p.block.address(number), thread: p.thread, dice: newDice(p.seed, uint64(number)), ports: map[Class]string{}, proxies: map[Class]net.Listener{}}
	for c, wish := range map[Class]int{API: portAPI, KMIP: portKMIP, Raft: portRaft} {
		port, err := freePort(d.ip, wish)
		if err != nil {
			return d, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return d, fmt.Errorf("listen for a proxy: %w", err)
		}
		d.ports[c], d.proxies[c] = strconv.Itoa(port), l
	}
	return d, nil
}

func (p *proxies) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.done)
	var err error
	for _, d := range p.hosts {
		err = errors.Join(err, d.close())
	}
	for l := range p.links {
		l.end()
	}
	p.mu.Unlock()
	p.work.Wait()
	p.thread.end()
	return errors.Join(err, p.block.Close())
}

// desk is a host: an address of the loopback, and a proxy for every class.
type desk struct {
	id, ip  string
	thread  *thread
	dice    *dice
	ports   map[Class]string // on which the host's own process listens
	proxies map[Class]net.Listener
}

func (d *desk) Listen(c Class) string {
	if d.ports[c] == "" {
		return ""
	}
	return net.JoinHostPort(d.ip, d.ports[c])
}

func (d *desk) Advertise(c Class) string {
	if d.proxies[c] == nil {
		return ""
	}
	return d.proxies[c].Addr().String()
}

func (d *desk) Dial(c Class) string       { return d.Advertise(c) }
func (d *desk) Start(cmd *exec.Cmd) error { return d.thread.do(cmd.Start) }

func (d *desk) close() (err error) {
	for _, l := range d.proxies {
		err = errors.Join(err, l.Close())
	}
	return err
}
