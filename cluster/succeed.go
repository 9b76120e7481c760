package cluster

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

const (
	probeTime    = 250 * time.Millisecond // for one address of a leader that may be gone
	probes       = 3
	probeGap     = 30 * time.Millisecond
	successorGap = 150 * time.Millisecond // between the first voter that stands for election and the next: about what one takes
)

// succeed shortens the time without a leader when the leader's process has died, which its kernel tells at once: the connection on which
// it sent entries ends, and whoever asks at its addresses is refused. Waiting for heartbeats to stay out would take up to a second more.
//
// Nothing rests on it but time. An election is as safe as any other, whoever stands for it and when; one that was not needed makes the
// leader of before a follower, which it bears.
func (n *Node) succeed(ctx context.Context) error {
	for {
		select {
		case id := <-n.port.lost:
			n.standFor(ctx, id)
		case <-ctx.Done():
			return nil
		}
	}
}

// standFor has this node stand for election when the leader is gone: the voters one after the other, so that their votes do not split.
func (n *Node) standFor(ctx context.Context, leader string) {
	turn, voter := n.turnAfter(leader)
	if _, id := n.raft.LeaderWithID(); !voter || string(id) != leader || !n.going(ctx, leader) {
		return
	}
	pause(ctx, time.Duration(turn)*successorGap)
	if ctx.Err() != nil || !n.vacant(leader) || !n.gone(ctx, leader) {
		return
	}
	n.log.Info("the leader's process has ended: this node stands for election", "leader", leader)
	// Raft has no other call that starts an election. What this one means to the voters is that they need not wait for the leader either.
	self := raft.ServerID(n.id.Node)
	req := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(self), Addr: n.trans.EncodePeer(self, "")}}
	if err := n.trans.TimeoutNow(self, raft.ServerAddress(self), &req, new(raft.TimeoutNowResponse)); err != nil {
		n.log.Warn("the election waits for its timeout", "err", err)
	}
}

// vacant reports whether this node knows of no leader but the one that is gone.
func (n *Node) vacant(leader string) bool {
	_, id := n.raft.LeaderWithID()
	return n.raft.State() == raft.Follower && (id == "" || string(id) == leader)
}

// turnAfter returns this node's place among the voters but leader, by their ids.
func (n *Node) turnAfter(leader string) (turn int, voter bool) {
	var heirs []string
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter && string(s.ID) != leader {
			heirs = append(heirs, string(s.ID))
		}
	}
	slices.Sort(heirs)
	return slices.BinarySearch(heirs, n.id.Node)
}

// going is gone for one that may just be ending: its kernel closes one socket after the other.
func (n *Node) going(ctx context.Context, id string) bool {
	for range probes {
		if n.gone(ctx, id) {
			return true
		}
		if pause(ctx, probeGap); ctx.Err() != nil || !n.vacant(id) {
			return false
		}
	}
	return false
}

// gone reports whether a node's process has ended: every address where it is known to be refuses connections.
func (n *Node) gone(ctx context.Context, id string) bool {
	known := n.address.known(id)
	for _, addr := range known {
		d := net.Dialer{LocalAddr: n.port.source, Timeout: probeTime}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return false
		}
	}
	return len(known) > 0
}
