package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trstctl/trstctl/cluster"
)

// gauges shows what a node measures of itself, and of its peers, when Prometheus asks. None has a tenant, path or token in it.
type gauges struct {
	figures func() cluster.Figures
	sealed  func() bool
	ready   func() error
	keys    func() keyFigures
	lent    func() lentFigures
	kmip    func() kmipFigures
	peers   atomic.Pointer[peerCount]
}

// peerCount is what the last look at the voters found.
type peerCount struct{ voters, reachable, tolerance int }

const peerLook = 5 * time.Second

// gauge is one metric: get returns false where it has no value.
type gauge struct {
	desc *prometheus.Desc
	get  func(reading) (float64, bool)
}

// reading is what all gauges of one scrape come from.
type reading struct {
	cluster.Figures
	sealed, ready bool
	peers         *peerCount
	keys          keyFigures
	lent          lentFigures
	kmip          kmipFigures
}

func gaugeOf(name, help string, get func(reading) (float64, bool)) gauge {
	return gauge{prometheus.NewDesc("trstctl_"+name, help, nil, nil), get}
}

func truth(b bool) (float64, bool) {
	if b {
		return 1, true
	}
	return 0, true
}

// Leadership is told by the state that Raft is in, so that a node that cannot open its term is seen too.
var allGauges = []gauge{
	gaugeOf("sealed", "1 while the node has no keys.", func(r reading) (float64, bool) { return truth(r.sealed) }),
	gaugeOf("ready", "1 while the node may receive traffic, as /readyz says.", func(r reading) (float64, bool) { return truth(r.ready) }),
	gaugeOf("leader", "1 on the node that leads.", func(r reading) (float64, bool) { return truth(r.State == "leader") }),
	gaugeOf("voter", "1 on a node that votes.", func(r reading) (float64, bool) { return truth(r.Voter) }),
	gaugeOf("leader_known", "1 while the node knows who leads.", func(r reading) (float64, bool) { return truth(r.Leader != "") }),
	gaugeOf("term", "The Raft term that the node is in.", func(r reading) (float64, bool) { return float64(r.Term), true }),
	gaugeOf("applied_index", "The log index that the node's tables are at.", func(r reading) (float64, bool) { return float64(r.Applied), true }),
	gaugeOf("commit_index", "The log index that the node knows to be committed.", func(r reading) (float64, bool) { return float64(r.Commit), true }),
	gaugeOf("state_age_seconds", "How old the node's state may be.", func(r reading) (float64, bool) { return r.Age.Seconds(), true }),
	gaugeOf("leader_contact_seconds", "Time since the leader was heard of; 0 on the leader.", func(r reading) (float64, bool) { return r.Contact.Seconds(), true }),
	gaugeOf("log_bytes", "Bytes written to the Raft log since the last snapshot.", func(r reading) (float64, bool) { return float64(r.LogBytes), true }),
	gaugeOf("snapshot_timestamp_seconds", "When the newest Raft snapshot was taken; absent before the first.",
		func(r reading) (float64, bool) { return float64(r.Snapshot.Unix()), !r.Snapshot.IsZero() }),
	gaugeOf("disk_free_bytes", "Space that is left for the data directory.", func(r reading) (float64, bool) { return float64(r.FreeBytes), true }),
	gaugeOf("disk_reserve_bytes", "The free space below which writes are refused.", func(r reading) (float64, bool) { return float64(r.Reserve), true }),
	gaugeOf("clock_wrong", "1 on a leader whose clock differs from a majority's by too much.", func(r reading) (float64, bool) { return truth(r.BadClock) }),
	gaugeOf("certificate_expiry_timestamp_seconds", "When the node's certificate expires.", func(r reading) (float64, bool) { return float64(r.Expires), true }),
	gaugeOf("voters", "Voters of the cluster.", ofPeers(func(p peerCount) int { return p.voters })),
	gaugeOf("voters_reachable", "Voters that answer this node, itself included.", ofPeers(func(p peerCount) int { return p.reachable })),
	gaugeOf("voters_healthy", "Voters that answer, are unsealed and caught up, and whose tables are not in doubt.",
		func(r reading) (float64, bool) { return float64(r.Healthy), true }),
	gaugeOf("quarantined", "1 on a node that serves nobody because its tables differ from a majority's.", func(r reading) (float64, bool) { return truth(r.Quarantined) }),
	gaugeOf("digest_index", "The log index at which the node has compared its tables with the others' last.", func(r reading) (float64, bool) { return float64(r.DigestIndex), r.DigestIndex > 0 }),
	gaugeOf("cluster_version", "The version of formats and behaviour that all members use.", func(r reading) (float64, bool) { return float64(r.Agreed), true }),
	gaugeOf("gossip_members", "Members that the node sees in gossip, itself included.", func(r reading) (float64, bool) { return float64(r.GossipMembers), r.GossipUses > 0 }),
	gaugeOf("gossip_key_version", "Version of the gossip key that the node writes with.", func(r reading) (float64, bool) { return float64(r.GossipUses), r.GossipUses > 0 }),
	gaugeOf("watchdog_members_removed", "Members that this node has removed because they were silent for too long, since its start.",
		func(r reading) (float64, bool) { return float64(r.Deeds.Buried), true }),
	gaugeOf("watchdog_replications_restarted", "Replications that this node has begun anew because a follower received nothing, since its start.",
		func(r reading) (float64, bool) { return float64(r.Deeds.Restarted), true }),
	gaugeOf("watchdog_leaderships_handed_over", "Leaderships that this node has given up because a follower received nothing, since its start.",
		func(r reading) (float64, bool) { return float64(r.Deeds.HandedOver), true }),
	gaugeOf("rotation_values_remaining", "Values that are still under a key that is being rotated out.", func(r reading) (float64, bool) { return float64(r.keys.remaining), r.keys.known }),
	gaugeOf("rotation_age_seconds", "How long ago the oldest rotation of a key that is under way began; 0 when there is none.",
		func(r reading) (float64, bool) { return r.keys.age.Seconds(), r.keys.known }),
	gaugeOf("outbox_waiting", "Messages that are owed to the outside.", func(r reading) (float64, bool) { return float64(r.lent.Waiting), r.lent.known }),
	gaugeOf("outbox_parked", "Dead letters: messages that could not be delivered.", func(r reading) (float64, bool) { return float64(r.lent.Parked), r.lent.known }),
	gaugeOf("outbox_oldest_seconds", "For how long the oldest message that waits has been owed.", func(r reading) (float64, bool) { return r.lent.age.Seconds(), r.lent.known }),
	gaugeOf("leases", "Leases that have not come to their end at their backends.", func(r reading) (float64, bool) { return float64(r.lent.leases), r.lent.known }),
	gaugeOf("leases_irrevocable", "Leases whose backends were given up: what they stood for may live on there.",
		func(r reading) (float64, bool) { return float64(r.lent.irrevocable), r.lent.known }),
	gaugeOf("pki_issuers", "Certification authorities of all tenants.", func(r reading) (float64, bool) { return float64(r.lent.pki.Issuers), r.lent.known }),
	gaugeOf("pki_issuers_suspended", "Certification authorities that issue nothing since the cluster was restored, until somebody confirms them.",
		func(r reading) (float64, bool) { return float64(r.lent.pki.Suspended), r.lent.known }),
	gaugeOf("pki_issuer_first_expiry_seconds", "In what time the first certification authority that issues expires.",
		func(r reading) (float64, bool) { return r.lent.firstCA.Seconds(), r.lent.known && r.lent.pki.First > 0 }),
	gaugeOf("kmip_connections", "Connections of KMIP clients that are open.", func(r reading) (float64, bool) { return float64(r.kmip.connections), r.kmip.served }),
	gaugeOf("kmip_requests_running", "KMIP messages that are being carried out.", func(r reading) (float64, bool) { return float64(r.kmip.running), r.kmip.served }),
	gaugeOf("kmip_requests_waiting", "KMIP messages that wait for a place.", func(r reading) (float64, bool) { return float64(r.kmip.waiting), r.kmip.served }),
	gaugeOf("seal_file_beside_others", "1 when a key file opens what an HSM or shares are to protect.", func(r reading) (float64, bool) {
		v, _ := truth(r.keys.fileBeside)
		return v, r.keys.known
	}),
	gaugeOf("failure_tolerance", "How many more of the voters that answer may fail before there is no majority; below 0 there is none.",
		ofPeers(func(p peerCount) int { return p.tolerance })),
}

func ofPeers(get func(peerCount) int) func(reading) (float64, bool) {
	return func(r reading) (float64, bool) {
		if r.peers == nil {
			return 0, false
		}
		return float64(get(*r.peers)), true
	}
}

var buildDesc = prometheus.NewDesc("trstctl_build_info", "1; the label is the version of the binary.", []string{"version"}, nil)

// Describe and Collect implement prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	to <- buildDesc
	for _, m := range allGauges {
		to <- m.desc
	}
}

func (g *gauges) Collect(to chan<- prometheus.Metric) {
	r := reading{g.figures(), g.sealed(), g.ready() == nil, g.peers.Load(), g.keys(), g.lent(), g.kmip()}
	to <- prometheus.MustNewConstMetric(buildDesc, prometheus.GaugeValue, 1, r.Version)
	for _, m := range allGauges {
		if v, has := m.get(r); has {
			to <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, v)
		}
	}
}

// watchPeers counts who answers, every few seconds: a scrape does not wait for nodes that are down.
func (g *gauges) watchPeers(ctx context.Context, list func(context.Context) ([]cluster.Info, error)) {
	t := time.NewTicker(peerLook)
	defer t.Stop()
	for {
		all, err := list(ctx)
		if err == nil {
			g.peers.Store(count(all))
		} else {
			g.peers.Store(nil) // no figure is better than an old one
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func count(all []cluster.Info) *peerCount {
	var p peerCount
	for _, m := range all {
		if m.Voter {
			p.voters++
			if m.Status != nil {
				p.reachable++
			}
		}
	}
	p.tolerance = p.reachable - (p.voters/2 + 1)
	return &p
}
