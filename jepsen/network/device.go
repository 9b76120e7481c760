package network

import (
	"io"
	"sync"
	"time"
)

// device is where a host is connected to a fabric.
type device struct {
	id      string
	address address
	wire    io.ReadWriteCloser // a packet with every read and write; a write does not wait for anybody
	dice    *dice
	wake    chan struct{} // something came to wait

	mu    sync.Mutex // guards queue, and keeps packets in order while they are written
	queue queue
}

func newDevice(id string, a address, wire io.ReadWriteCloser, d *dice) *device {
	return &device{id: id, address: a, wire: wire, dice: d, wake: make(chan struct{}, 1)}
}

// send delivers a packet when wait has passed since it was sent.
func (d *device) send(f *fabric, p *parcel, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.due = p.at.Add(wait)
	switch {
	case d.queue.idle(p.lane) && (wait <= 0 || !p.due.After(time.Now())):
		d.emit(f, p.bytes)
	case d.queue.put(p):
		d.poke()
	default:
		f.counts.overflowed.Add(1)
	}
}

// hold keeps a packet until the rules change.
func (d *device) hold(f *fabric, p *parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.queue.hold(p) {
		f.counts.overflowed.Add(1)
	}
}

// write delivers a packet of the fabric's own.
func (d *device) write(f *fabric, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.emit(f, b)
}

func (d *device) emit(f *fabric, b []byte) {
	if _, err := d.wire.Write(b); err != nil {
		f.counts.refused.Add(1) // a network has nobody to tell
		return
	}
	f.counts.passed.Add(1)
}

func (d *device) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *device) empty() []*parcel {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue.empty()
}

// deliver hands over what waits when it is due, until the fabric is closed.
func (d *device) deliver(f *fabric) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-d.wake:
		case <-f.done:
			return
		}
		if next, any := d.flush(f); any {
			t.Reset(time.Until(next))
		}
	}
}

// flush delivers all that is due and returns when something will be.
func (d *device) flush(f *fabric) (time.Time, bool) {
	f.mu.RLock() // no change of rules in between
	defer f.mu.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for p := d.queue.pop(now); p != nil; p = d.queue.pop(now) {
		d.emit(f, p.bytes)
	}
	return d.queue.first()
}
