package server

import (
	"time"

	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// lentFigures is what a node's state says of leases and of what is owed to the outside.
type lentFigures struct {
	outbox.Figures
	known               bool
	age                 time.Duration // of the oldest message that waits
	leases, irrevocable uint64
	pki                 pki.Figures
	firstCA             time.Duration // until the first CA that issues expires
}

// lentFigures reads the state as it is here. What cannot be read is not shown.
func (m *member) lentFigures() (f lentFigures) {
	v, err := m.cluster.Store().View()
	if err != nil {
		return f
	}
	defer v.Close()
	if f.Figures, err = outbox.Measure(v); err != nil {
		return lentFigures{}
	}
	if f.leases, f.irrevocable, err = lease.Numbers(v); err != nil {
		return lentFigures{}
	}
	if f.pki, err = m.lending.PKI.Measure(v); err != nil {
		return lentFigures{}
	}
	f.firstCA = f.pki.First.Sub(fsm.At(chaos.Now()))
	if f.Oldest > 0 {
		f.age = max(chaos.Now().Sub(f.Oldest.Std()), 0)
	}
	f.known = true
	return f
}
