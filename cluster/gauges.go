package cluster

import (
	"context"
	"maps"
	"sync"
	"time"
)

// gauges are figures for the person on call. They are told again and again, also when nothing changes: who collects them forgets.
type gauges struct {
	tell   func(name string, value float64) // nil: to nobody
	mu     sync.Mutex                       // guards the rest
	counts map[string]int
}

const gaugesEvery = 5 * time.Second

// What watchdogs have done, from the start of the process. All are told from the start, so that an alert can see them rise.
var watchdogs = []string{"members_buried", "replication_restarted", "replication_handed_over"}

func newGauges(tell func(string, float64)) *gauges {
	g := &gauges{tell: tell, counts: map[string]int{}}
	for _, name := range watchdogs {
		g.counts[name] = 0
	}
	if tell == nil {
		g.tell = func(string, float64) {}
	}
	return g
}

// count raises a figure by one and tells it at once.
func (g *gauges) count(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[name]++
	g.tell(name+"_total", float64(g.counts[name]))
}

// measure tells the figures until ctx ends.
func (n *Node) measure(ctx context.Context) error {
	for ctx.Err() == nil {
		n.measureOnce()
		pause(ctx, gaugesEvery)
	}
	return nil
}

func (n *Node) measureOnce() {
	voters, well, tolerance := n.Tolerance()
	n.gauges.mu.Lock()
	counts := maps.Clone(n.gauges.counts)
	n.gauges.mu.Unlock()
	for name, c := range counts {
		n.gauges.tell(name+"_total", float64(c))
	}
	compared := uint64(0)
	if points := n.digests.latest(); len(points) > 0 {
		compared = points[len(points)-1].Index
	}
	for name, v := range map[string]float64{"voters": float64(voters), "voters_well": float64(well), "failure_tolerance": float64(tolerance),
		"quarantined": one(n.quarantined.Load() != nil), "unfit": one(n.fit() != nil), "leads": one(n.Leads()), "applied_index": float64(n.store.Applied()),
		"digest_index": float64(compared), "gossip_members": float64(n.gossipMembers.Load()), "gossip_key_version": float64(n.gossipUses.Load()), "version": float64(n.agreed()), "disk_free_bytes": float64(n.disk.free.Load()), "disk_low": one(n.disk.low()),
		"state_age_seconds": n.Age().Seconds(), "certificate_expires_seconds": time.Until(n.certs.node.Load().Leaf.NotAfter).Seconds()} {
		n.gauges.tell(name, v)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
