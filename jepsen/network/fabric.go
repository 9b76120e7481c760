package network

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// Ports by which packets are told apart.
const (
	portAPI    = 8200
	portKMIP   = 5696
	portRaft   = 8201
	portGossip = 8301
)

// fabric is a switch: what a device sends is judged by the rules and written to the device that has the destination's address.
type fabric struct {
	counts counters
	done   chan struct{} // closed by close
	work   sync.WaitGroup

	// mu guards the rest. A packet is judged and delivered under the read lock: once set has returned, none passes that may not.
	mu      sync.RWMutex
	rules   ruleset
	devices map[address]*device
	closed  bool
	broken  error
}

func newFabric() *fabric {
	return &fabric{done: make(chan struct{}), devices: map[address]*device{}}
}

// attach connects a device, which is closed with the fabric, or at once when there is an error.
func (f *fabric) attach(d *device) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.Join(errClosed, d.wire.Close())
	}
	f.devices[d.address] = d
	f.work.Go(func() { f.listen(d) })
	f.work.Go(func() { d.deliver(f) })
	return nil
}

// maxPacket is the most that IP can carry.
const maxPacket = 65535

// listen carries what the device sends, until it is closed.
func (f *fabric) listen(d *device) {
	buf := make([]byte, maxPacket)
	for {
		n, err := d.wire.Read(buf)
		if err != nil {
			f.silent(d, err)
			return
		}
		f.carry(d, buf[:n])
	}
}

// silent notes that nothing more comes from a device, which is an error unless the fabric has closed it.
func (f *fabric) silent(d *device, err error) {
	if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = errors.Join(f.broken, fmt.Errorf("read from the device of %s: %w", d.id, err))
}

// carry judges what a device has sent. What is not IP version 4 stays where it is: kernels chat among themselves.
func (f *fabric) carry(from *device, b []byte) {
	p, ok := parse(b)
	if !ok {
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	to := f.devices[p.dst]
	if to == nil || to == from || p.src != from.address {
		f.counts.stray.Add(1)
		return
	}
	c := &parcel{packet: p, from: from, lane: lane{from, p.class()}, at: time.Now()}
	f.chance(to, c, f.judge(to, c))
}

func (f *fabric) judge(to *device, p *parcel) effect {
	return f.rules.effect(path{p.from.id, to.id, p.lane.class})
}

// chance draws what happens to a packet, once for its whole way.
func (f *fabric) chance(to *device, p *parcel, e effect) {
	if !e.drop && p.from.dice.hit(e.lost) {
		f.counts.lost.Add(1)
		return
	}
	if e.jitter > 0 {
		p.luck = p.from.dice.roll()
	}
	f.pass(to, p, e)
	if !e.drop && p.from.dice.hit(e.doubled) {
		f.counts.duplicated.Add(1)
		f.pass(to, p, e)
	}
}

// pass does to a packet what the rules say.
func (f *fabric) pass(to *device, p *parcel, e effect) {
	switch {
	case e.drop:
		f.counts.dropped.Add(1)
	case e.reset && p.resettable():
		f.reset(to, p)
	case e.stall:
		to.hold(f, p)
	default:
		to.send(f, p, e.wait(p.luck))
	}
}

// reset tells both ends of a connection that it is over. An end that thinks itself elsewhere in the stream asks the other, and is told so by its kernel.
func (f *fabric) reset(to *device, p *parcel) {
	f.counts.reset.Add(1)
	back, there := p.resets()
	p.from.write(f, back)
	if there != nil {
		to.write(f, there)
	}
}

// set replaces the rules and judges anew what waits. Its luck is kept.
func (f *fabric) set(rules []Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = slices.Clone(rules)
	for _, to := range f.devices {
		for _, p := range to.empty() {
			f.pass(to, p, f.judge(to, p))
		}
	}
}

// close closes all devices and waits for what reads from them.
func (f *fabric) close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	close(f.done)
	var err error
	for _, d := range f.devices {
		err = errors.Join(err, d.wire.Close())
	}
	f.mu.Unlock()
	f.work.Wait()
	return errors.Join(err, f.broken)
}
