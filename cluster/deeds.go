package cluster

import "sync/atomic"

// Deeds counts what watchdogs have done from the start of the process. Those that end the process have its log and its restart to show.
type Deeds struct {
	Buried     uint64 // members that were removed because they were silent for too long
	Restarted  uint64 // replications that were begun anew
	HandedOver uint64 // leaderships that were given up because a follower received nothing
}

type deeds struct{ buried, restarted, handedOver atomic.Uint64 }

func (d *deeds) count() Deeds {
	return Deeds{d.buried.Load(), d.restarted.Load(), d.handedOver.Load()}
}
